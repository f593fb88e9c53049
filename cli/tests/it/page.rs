//! The web page as the binary serves it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::demo::PROGRAM;
use crate::rest::Bridge;

/// What `make` builds before the binary; absent where only cargo ran.
fn built() -> Option<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(package.join("../ui/dist/index.html")).ok()
}

#[test]
fn the_binary_carries_the_page_that_was_built() {
    let bridge = Bridge::start();
    let served = bridge.raw("GET", "/services/books/reviews", "", b"");
    let Some(built) = built() else {
        assert_eq!(served.status, 404, "{}", served.body);
        assert!(served.body.contains("make build"), "{}", served.body);
        return;
    };
    assert_eq!(served.status, 200, "{}", served.body);
    let nonce = served.head.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let nonce = nonce.expect("the policy names a nonce");
    // The head is in lower case, the nonce in the body is not.
    let expected = built.replace("__RIALTO_NONCE__", nonce).to_ascii_lowercase();
    let found = served.body.to_ascii_lowercase();
    assert!(found == expected, "the binary is older than ui/dist: build it again");
    let scripts = built.split('"').filter(|text| text.ends_with(".js"));
    let mut count = 0;
    for script in scripts {
        let path = format!("/{}", script.trim_start_matches(['.', '/']));
        let served = bridge.raw("GET", &path, "", b"");
        assert_eq!(served.status, 200, "{path}");
        assert!(served.head.contains("immutable"), "{}", served.head);
        count += 1;
    }
    assert!(count > 0, "the page has a script");
}

/// The release's path with this build's binary: `make image-root` and the image's build run it with
/// theirs.
#[test]
fn what_is_packaged_has_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/image-root.sh");
    let packaged = Command::new(script).arg(PROGRAM).arg(&root).output().expect("it starts");
    let said = String::from_utf8_lossy(&packaged.stderr);
    if built().is_none() {
        assert!(!packaged.status.success() && said.contains("make build"), "{said}");
        return;
    }
    assert!(packaged.status.success(), "{said}");
    assert!(root.join("usr/bin/rialto").is_file());
}

#[test]
fn the_page_takes_nothing_from_the_api() {
    let bridge = Bridge::start();
    for (path, status) in [("/api/v1/nothing", 404), ("/api/v1/status", 401)] {
        let answer = bridge.raw("GET", path, "Accept: text/html\r\n", b"");
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
        assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{}", answer.head);
    }
}
