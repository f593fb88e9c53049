//! A real member of the control plane: its REST API, and the command line in front of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rialto");

/// One member with an empty state, ended when dropped.
pub(crate) struct Bridge {
    child: Child,
    pub(crate) rest: String,
    pub(crate) token: String,
    folder: tempfile::TempDir,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended by itself; the test has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, as names of fields are compared.
    pub(crate) head: String,
    /// All of it as it came.
    pub(crate) text: String,
    pub(crate) body: String,
}

impl Answer {
    /// The parts of an answer as it came.
    pub(crate) fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            text: text.to_string(),
            body: body.to_string(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the answer is JSON")
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_string()
    }
}

impl Bridge {
    /// Starts the first member and reads from its stdout where it listens and whom it believes.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let more = format!("adminTokenFile: {}\n", folder.path().join("token").display());
        let bridge = Self::run(folder, &more);
        assert!(!bridge.token.is_empty(), "the member said whom it believes");
        bridge
    }

    /// Starts a second member of this one's federation.
    pub(crate) fn start_second(&self) -> Self {
        let issued = self.rialto(&["join", "token", "--member"]);
        assert!(issued.status.success(), "{}", String::from_utf8_lossy(&issued.stderr));
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("join-token");
        std::fs::write(&token, issued.stdout).expect("the folder takes a file");
        let more = format!("id: bridge-2\njoinTokenFile: {}\n", token.display());
        let mut second = Self::run(folder, &more);
        second.token = self.token.clone();
        second
    }

    fn run(folder: tempfile::TempDir, more: &str) -> Self {
        let config = folder.path().join("bridge.yaml");
        let data = folder.path().join("data");
        let text = format!(
            "listen: 127.0.0.1:0\nrest: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndata: {}\n{more}",
            data.display(),
        );
        std::fs::write(&config, text).expect("the folder takes a file");
        let mut child = Command::new(PROGRAM)
            .args(["bridge", "--log", "warn", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (mut rest, mut token) = (String::new(), String::new());
        for line in stdout.lines() {
            let line = line.expect("text");
            match line.split_once(' ') {
                Some(("rest", address)) => rest = address.to_string(),
                Some(("admin-token", secret)) => token = secret.to_string(),
                _ if line == "ready" => break,
                _ => {}
            }
        }
        assert!(!rest.is_empty(), "the member said where");
        Self { child, rest, token, folder }
    }

    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// Sends a request as it is, and reads the whole answer.
    pub(crate) fn raw(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, head, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        Answer::of(&answer)
    }

    pub(crate) fn open(&self, method: &str, path: &str, head: &str, body: &[u8]) -> TcpStream {
        let head = format!("Connection: close\r\nContent-Length: {}\r\n{head}", body.len());
        let mut stream = self.send(method, path, &head);
        // A body that is too large may be refused before it was read whole.
        let _ = stream.write_all(body);
        stream
    }

    /// Sends a head alone.
    pub(crate) fn send(&self, method: &str, path: &str, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.rest).expect("the member listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{head}\r\n", self.rest);
        stream.write_all(request.as_bytes()).expect("the member reads the head");
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, &self.authorization(), b"")
    }

    pub(crate) fn put(&self, path: &str, head: &str, body: &str) -> Answer {
        let head = format!("{}Content-Type: application/json\r\n{head}", self.authorization());
        self.raw("PUT", path, &head, body.as_bytes())
    }

    pub(crate) fn rialto(&self, arguments: &[&str]) -> Output {
        self.verb(arguments).output().expect("the program starts")
    }

    /// What a verb prints that does what it should.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let output = self.rialto(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn verb(&self, arguments: &[&str]) -> Command {
        let mut verb = Command::new(PROGRAM);
        verb.args(arguments)
            .env("RIALTO_SERVER", format!("http://{}", self.rest))
            .env("RIALTO_TOKEN_FILE", self.folder.path().join("token"))
            .stdin(Stdio::null());
        verb
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder takes a file");
        path
    }
}

pub(crate) fn workspace(name: &str, namespace: &str) -> String {
    json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Workspace",
        "metadata": { "name": name },
        "spec": { "namespaces": [namespace] },
    })
    .to_string()
}

pub(crate) const SHOP: &str = "/api/v1/workspaces/shop";

#[test]
fn a_stale_write_changes_nothing() {
    let bridge = Bridge::start();
    let created = bridge.put(SHOP, "If-None-Match: *\r\n", &workspace("shop", "a"));
    assert_eq!(created.status, 201, "{}", created.body);
    let again = bridge.put(SHOP, "If-None-Match: *\r\n", &workspace("shop", "a"));
    assert_eq!((again.status, again.code().as_str()), (412, "RIA6011"));

    let first = bridge.get(SHOP);
    let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    let changed = bridge.put(SHOP, &format!("If-Match: {tag}\r\n"), &workspace("shop", "b"));
    assert_eq!(changed.status, 200, "{}", changed.body);
    let stale = bridge.put(SHOP, &format!("If-Match: {tag}\r\n"), &workspace("shop", "c"));
    assert_eq!((stale.status, stale.code().as_str()), (412, "RIA6004"), "{}", stale.body);
    assert_eq!(bridge.get(SHOP).json()["spec"]["namespaces"], json!(["b"]));
}

#[test]
fn a_dry_run_tells_and_stores_nothing() {
    let bridge = Bridge::start();
    let told = bridge.put(&format!("{SHOP}?dryRun=server"), "", &workspace("shop", "books"));
    assert_eq!(told.json()["outcome"], "created", "{}", told.body);
    assert_eq!(bridge.get(SHOP).status, 404);

    let path = bridge.file("shop.yaml", &workspace("shop", "books"));
    let path = path.display().to_string();
    let output = bridge.rialto(&["apply", "-f", &path, "--dry-run"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("+kind: Workspace"), "{output:?}");
    assert!(!text.contains('\x1b'), "no escape codes into a pipe: {text:?}");
    assert_eq!(bridge.get(SHOP).status, 404);
}

#[test]
fn pages_join_to_the_whole() {
    let bridge = Bridge::start();
    for name in ["a", "b", "c", "d", "e"] {
        let put = bridge.put(&format!("/api/v1/workspaces/{name}"), "", &workspace(name, name));
        assert_eq!(put.status, 201, "{}", put.body);
    }
    let mut names = Vec::new();
    let mut path = "/api/v1/workspaces?limit=2".to_string();
    let mut remaining = Vec::new();
    loop {
        let page = bridge.get(&path).json();
        let items = page["items"].as_array().expect("items").clone();
        names.extend(items.iter().map(|item| item["metadata"]["name"].clone()));
        remaining.push(page["remaining"].clone());
        let Some(token) = page["continue"].as_str() else { break };
        path = format!("/api/v1/workspaces?limit=2&continue={token}");
    }
    assert_eq!(json!(names), json!(["a", "b", "c", "d", "e"]));
    assert_eq!(json!(remaining), json!([3, 1, 0]));
}

/// Reads lines of a stream of events until one is as wanted; each before it is kept.
pub(crate) fn until(
    reader: &mut impl std::io::BufRead,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line).expect("the watch goes on");
        assert!(read > 0, "the watch ended after {lines:?}");
        let line = line.trim_end().to_string();
        lines.push(line.clone());
        if wanted(&line) {
            return lines;
        }
    }
}

#[test]
fn a_watch_tells_what_is_and_what_changes() {
    let bridge = Bridge::start();
    bridge.put(SHOP, "", &workspace("shop", "a"));
    let head = format!("{}Accept: text/event-stream\r\n", bridge.authorization());
    let stream = bridge.open("GET", "/api/v1/workspaces?watch=true", &head, b"");
    let mut events = BufReader::new(stream);
    let first = until(&mut events, |line| line == "event: bookmark").join("\n");
    assert!(first.contains("event: put") && first.contains("\"name\":\"shop\""), "{first}");

    let deleted = bridge.raw("DELETE", SHOP, &bridge.authorization(), b"");
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    until(&mut events, |line| line == "event: delete");
}

/// A cluster of which nobody is heard.
pub(crate) const EAST: &str =
    "apiVersion: rialto.dev/v1alpha1\nkind: Cluster\nmetadata: {name: east}\n";

#[test]
fn a_watch_says_of_a_cluster_what_a_list_says() {
    let bridge = Bridge::start();
    let east = bridge.file("east.yaml", EAST);
    assert!(bridge.rialto(&["apply", "-f", as_text(&east)]).status.success());
    let listed = bridge.get("/api/v1/clusters").json()["items"][0]["status"].clone();
    assert_eq!(listed["agent"]["state"], "Unknown");

    let head = format!("{}Accept: text/event-stream\r\n", bridge.authorization());
    let stream = bridge.open("GET", "/api/v1/clusters?watch=true", &head, b"");
    let lines = until(&mut BufReader::new(stream), |line| line == "event: bookmark");
    let put = lines.iter().find_map(|line| line.strip_prefix("data: ")).expect("a put");
    let put: Value = serde_json::from_str(put).expect("an object");
    assert_eq!(put["status"], listed);

    // And so for people, whose table has no dash where something is known.
    let mut verb = bridge.verb(&["get", "clusters", "--watch"]);
    let mut verb = verb.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut table = BufReader::new(verb.stdout.take().expect("it is piped"));
    let row = until(&mut table, |line| line.starts_with("east")).pop().expect("a row");
    verb.kill().and_then(|()| verb.wait()).expect("ended");
    assert!(row.contains("Unknown"), "{row}");
}

#[test]
fn the_command_line_ends_with_the_code_of_what_happened() {
    let bridge = Bridge::start();
    let exit = |arguments: &[&str]| bridge.rialto(arguments).status.code();
    let path = bridge.file("shop.yaml", &workspace("shop", "books")).display().to_string();
    let wrong = bridge.file("wrong.yaml", "a: 1\n").display().to_string();
    assert_eq!(exit(&["apply", "-f", &path, "--wait=5s"]), Some(0));
    assert_eq!(exit(&["status"]), Some(0));
    assert_eq!(exit(&["check"]), Some(0));
    assert_eq!(exit(&["check", "--fail-on", "warning"]), Some(8));
    assert_eq!(exit(&["history"]), Some(0));
    assert_eq!(exit(&["apply", "-f", &wrong]), Some(1));
    assert_eq!(exit(&["get", "pods"]), Some(2));
    assert_eq!(exit(&["get", "workspaces", "none"]), Some(3));
    assert_eq!(exit(&["delete", "workspaces", "shop", "none"]), Some(7));
    assert_eq!(exit(&["get", "workspaces", "--token-file", "/nowhere"]), Some(2));
    let stranger = bridge.file("stranger", "rialto-admin.00").display().to_string();
    assert_eq!(exit(&["get", "workspaces", "--token-file", &stranger]), Some(4));
    assert_eq!(exit(&["status", "--server", "http://127.0.0.1:1"]), Some(9));
    assert_eq!(exit(&["explain-code", "RIA0000"]), Some(3));
}

#[test]
fn what_get_prints_is_what_apply_takes() {
    let bridge = Bridge::start();
    for name in ["a", "b"] {
        bridge.put(&format!("/api/v1/workspaces/{name}"), "", &workspace(name, name));
    }
    for format in ["yaml", "json"] {
        let printed = bridge.rialto(&["get", "workspaces", "-o", format]);
        let text = String::from_utf8(printed.stdout).expect("text");
        let path = bridge.file("again.yaml", &text);
        let applied = bridge.rialto(&["apply", "-f", as_text(&path)]);
        let text = String::from_utf8_lossy(&applied.stdout).into_owned();
        assert_eq!(text, "Workspace a unchanged\nWorkspace b unchanged\n", "{applied:?}");
    }
}

fn as_text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}
