use std::fs;

use rialto_wire::rest::WebPage;

#[path = "../../build/pack.rs"]
mod pack;

#[test]
fn what_the_build_packs_is_what_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("assets/deep")).expect("a folder");
    let files: [(&str, &[u8]); 4] = [
        ("index.html", b"<!doctype html>\n\n12 index.html\n"),
        ("assets/app-1a2b.js", b"\x00\xff\n\n"),
        ("assets/deep/empty.css", b""),
        ("favicon.svg", b"<svg/>"),
    ];
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let page = WebPage::unpack(pack::pack(folder.path()).expect("packed").into()).expect("whole");
    let unpacked: Vec<(&str, &[u8])> = page.files().collect();
    let mut files = files.to_vec();
    files.sort();
    assert_eq!(unpacked, files);
}

#[test]
fn without_a_page_there_is_nothing_to_serve() {
    let folder = tempfile::tempdir().expect("a folder");
    for folder in [folder.path().to_path_buf(), folder.path().join("none")] {
        let page = WebPage::unpack(pack::pack(&folder).expect("packed").into()).expect("whole");
        assert_eq!(page.files().count(), 0);
    }
}

#[test]
fn a_cut_pack_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("index.html"), "<!doctype html>").expect("a file");
    let whole = pack::pack(folder.path()).expect("packed");
    for length in 0..whole.len() {
        let cut = whole[..length].to_vec();
        assert!(WebPage::unpack(cut.into()).is_err(), "cut to {length} bytes");
    }
}
