use std::path::Path;

use expect_test::expect_file;

use super::*;

/// Each block of `testdata/static_file/faults.txt` is a file (above its `----` line) and what is
/// wrong with it.
#[test]
fn faults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/static_file/faults.txt");
    let text = std::fs::read_to_string(&path).expect("a readable transcript");
    let mut output = String::new();
    for block in text.trim_end().split("\n\n") {
        let yaml = block.split("\n----").next().unwrap_or_default();
        output += &format!("{yaml}\n----\n");
        match parse("fleet.yaml", yaml) {
            Ok(registry) => output += &format!("good: {} services\n", registry.services.len()),
            Err(faults) => {
                for fault in faults {
                    output += &format!("{fault}\n");
                }
            }
        }
        output.push('\n');
    }
    output.truncate(output.trim_end().len());
    expect_file![path].assert_eq(&(output + "\n"));
}

#[test]
fn defaults() {
    let yaml = "services:\n- {namespace: books, name: details, ports: [{port: 80}]}\n";
    let registry = parse("fleet.yaml", yaml).expect("a good file");
    let service = registry.services.values().next().expect("one service");
    assert_eq!(service.check, Some(CheckSpec::tcp(80)));
    assert!(!service.exported, "nothing is offered to others unless somebody says so");
    assert_eq!(service.ports[0].target, 80);
    assert_eq!(registry.namespaces, None);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut yaml = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in
        ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"])
    {
        let aliases = vec![format!("*{before}"); 9].join(", ");
        yaml += &format!("{name}: &{name} [{aliases}]\n");
    }
    assert!(parse("fleet.yaml", &yaml).is_err());
    let anchored = "namespaces: &a [books]\nservices: []\n";
    let faults = parse("fleet.yaml", anchored).expect_err("anchors have no use here");
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_document_of_brackets_is_refused() {
    assert!(parse("fleet.yaml", &"[".repeat(100_000)).is_err());
    assert!(parse("fleet.yaml", &"{a: ".repeat(100_000)).is_err());
}

#[test]
fn too_many_faults_are_cut() {
    let mut yaml = String::from("services:\n");
    for _ in 0..100 {
        yaml += "- {namespace: books, name: details, ports: [{port: 80}]}\n";
    }
    let faults = parse("fleet.yaml", &yaml).expect_err("duplicates");
    assert_eq!(faults.len(), limits::STATIC_FILE_FAULTS_MAX);
}
