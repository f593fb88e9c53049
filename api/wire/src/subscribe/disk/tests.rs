use super::*;

#[test]
fn the_newest_good_document_comes_first() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let disk = Disk::new(folder.path(), "snapshot");
    assert!(disk.load().is_empty());
    disk.store(b"one").expect("stored");
    disk.store(b"two").expect("stored");
    assert_eq!(disk.load(), [b"two".to_vec(), b"one".to_vec()]);
}

#[test]
fn a_flipped_bit_falls_back_to_the_generation_before() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let disk = Disk::new(folder.path(), "snapshot");
    disk.store(b"one").expect("stored");
    disk.store(b"two").expect("stored");
    let path = folder.path().join("snapshot.good");
    let mut bytes = fs::read(&path).expect("readable");
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        fs::write(&path, &bytes).expect("writable");
        assert_eq!(disk.load(), [b"one".to_vec()], "flip at {at}");
        bytes[at] ^= 1;
    }
    fs::write(&path, &bytes[..20]).expect("writable");
    assert_eq!(disk.load(), [b"one".to_vec()], "cut short");
}
