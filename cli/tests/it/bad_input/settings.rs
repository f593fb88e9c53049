//! Settings that cannot be used: the process does not start, and says where the fault is.

use std::process::{Command, Stdio};

use crate::demo::PROGRAM;

#[test]
fn a_bad_settings_file_is_told_by_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yaml");
    let gateway = "id: one\ndataFolder: /d\nagentSocket: /s\n";
    let dns = gateway;
    let agent = "dataFolder: /d\nsocket: /s\nregistry: {static: /r}\n";
    let mut wrong = Vec::new();
    for (part, text, told) in [
        ("bridge", "id: one\nprot: 1\n".to_owned(), &["`prot`", "line 2, column 1"][..]),
        ("bridge", "listen: 127.0.0.1:65536\n".to_owned(), &["line 1, column 9"]),
        (
            "bridge",
            "listen: 127.0.0.1:7600\nadmin: 300.0.0.1:1\n".to_owned(),
            &["line 2, column 8"],
        ),
        ("bridge", "id: one\nid: two\n".to_owned(), &["duplicate", "line 2, column 1"]),
        ("bridge", "id: [\n".to_owned(), &["line 1, column 5"]),
        ("gateway", gateway.to_owned(), &["`tunnel`"]),
        (
            "gateway",
            format!("{gateway}tunnel: {{listn: 127.0.0.1:1}}\n"),
            &["`listn`", "line 4, column 10"],
        ),
        ("gateway", format!("{gateway}tunnel: {{listen: 0.0.0.0:7443}}\n"), &["tunnel.advertise"]),
        ("dns", format!("{dns}clients: [0.0.0.0/0]\n"), &["`clients`", "open resolver"]),
        ("dns", format!("{dns}clients: [10.0.0.0/33]\n"), &["line 4, column 11"]),
        ("agent", format!("{agent}listen: 127.0.0.1\n"), &["line 4, column 9"]),
        ("agent", agent.replace("static", "dynamic"), &["`dynamic`", "line 3"]),
        ("node", "agnt: {}\n".to_owned(), &["`agnt`", "line 1, column 1"]),
    ] {
        std::fs::write(&file, &text).expect("the folder takes a file");
        let output = Command::new(PROGRAM)
            .args([part, "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        let is_told = told.iter().all(|words| error.contains(words));
        if output.status.code() != Some(1) || !is_told {
            wrong
                .push(format!("{part}: {text}expected {told:?}, found {}: {error}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
