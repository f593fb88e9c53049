use std::fs;

use super::*;

const GOOD: &str = "services:\n- {namespace: books, name: details, ports: [{port: 80}]}\n";
const OTHER: &str = "services:\n- {namespace: books, name: reviews, ports: [{port: 80}]}\n";

fn services(event: Option<Event>) -> usize {
    match event {
        Some(Event::Replaced(registry)) => registry.services.len(),
        other => panic!("not a registry: {other:?}"),
    }
}

fn fault(event: Option<Event>) -> String {
    match event {
        Some(Event::Failed(faults)) => faults[0].to_string(),
        other => panic!("not a fault: {other:?}"),
    }
}

#[test]
fn a_change_is_told_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fleet.yaml");
    fs::write(&path, GOOD).expect("a file");
    let (seen, event) = StaticFile::look(&path, Seen::default());
    assert_eq!(services(event), 1);
    let (seen, event) = StaticFile::look(&path, seen);
    assert_eq!(event, None);

    // Equal length, and perhaps an equal time stamp.
    fs::write(&path, OTHER).expect("a file");
    let (seen, event) = StaticFile::look(&path, seen);
    assert_eq!(services(event), 1);

    // Touched but equal.
    fs::write(&path, OTHER).expect("a file");
    let (_, event) = StaticFile::look(&path, seen);
    assert_eq!(event, None);
}

#[test]
fn a_fault_is_told_once_and_the_way_back_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fleet.yaml");
    let (seen, event) = StaticFile::look(&path, Seen::default());
    assert!(fault(event).contains("does not exist"));
    let (seen, event) = StaticFile::look(&path, seen);
    assert_eq!(event, None);

    // Half-written, then whole.
    fs::write(&path, &GOOD[..30]).expect("a file");
    let (seen, event) = StaticFile::look(&path, seen);
    assert!(fault(event).contains("fleet.yaml:2:"));
    fs::write(&path, GOOD).expect("a file");
    let (seen, event) = StaticFile::look(&path, seen);
    assert_eq!(services(event), 1);

    fs::remove_file(&path).expect("the file is removed");
    let (_, event) = StaticFile::look(&path, seen);
    assert!(fault(event).contains("does not exist"));
}

#[test]
fn a_switched_link_is_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("fleet.yaml");
    fs::write(folder.path().join("one"), GOOD).expect("a file");
    fs::write(folder.path().join("two"), OTHER).expect("a file");
    std::os::unix::fs::symlink("one", &link).expect("a link");
    let (seen, event) = StaticFile::look(&link, Seen::default());
    assert_eq!(services(event), 1);
    fs::remove_file(&link).expect("the link is removed");
    std::os::unix::fs::symlink("two", &link).expect("a link");
    assert_eq!(services(StaticFile::look(&link, seen).1), 1);
}

#[test]
fn what_is_no_text_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = fault(StaticFile::look(folder.path(), Seen::default()).1);
    assert!(text.contains("not a regular file"), "{text}");

    let path = folder.path().join("fleet.yaml");
    fs::write(&path, [0xff, 0xfe, 0x00]).expect("a file");
    let text = fault(StaticFile::look(&path, Seen::default()).1);
    assert!(text.contains("UTF-8"), "{text}");

    let large = fs::File::create(&path).expect("a file");
    large.set_len(limits::STATIC_FILE_BYTES_MAX + 1).expect("a sparse file");
    let text = fault(StaticFile::look(&path, Seen::default()).1);
    assert!(text.contains("larger than"), "{text}");
}

#[tokio::test]
async fn the_provider_starts_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fleet.yaml");
    fs::write(&path, GOOD).expect("a file");
    assert_eq!(services(Some(StaticFile::new(&path).next().await)), 1);
}
