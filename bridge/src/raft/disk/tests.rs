use super::{Disk, Folder, OpenFolderError};

#[test]
fn a_file_is_made_whole_and_written_in_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut disk = Folder::open(folder.path()).expect("an empty folder");
    disk.create("a", b"head", 8).expect("space for 8 bytes");
    disk.write("a", 4, b"tail").expect("a file just made");
    disk.sync("a").expect("a file just written");
    disk.create("b", b"", 2).expect("space for 2 bytes");
    assert_eq!(disk.read("a").expect("a file just written"), b"headtail");
    disk.remove("b").expect("a file just made");
    assert_eq!(disk.list().expect("a folder just opened"), ["a"]);
}

#[test]
fn a_folder_has_one_owner_and_no_half_made_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("log-0000000001.wal.aside"), b"half").expect("a small file");
    let disk = Folder::open(folder.path()).expect("a free folder");
    assert!(disk.list().expect("a folder just opened").is_empty());
    assert!(matches!(Folder::open(folder.path()), Err(OpenFolderError::InUse { .. })));
    drop(disk);
    assert!(Folder::open(folder.path()).is_ok());
}
