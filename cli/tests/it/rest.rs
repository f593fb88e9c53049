//! A real member of the control plane, and every wrong request: each gets its code.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rialto");

/// One member with an empty state, ended when dropped.
struct Bridge {
    child: Child,
    rest: String,
    token: String,
    folder: tempfile::TempDir,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended by itself; the test has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the answer is JSON")
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_string()
    }
}

impl Bridge {
    /// Starts a member and reads from its stdout where it listens and whom it believes.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("bridge.yaml");
        let data = folder.path().join("data");
        let text = format!(
            "listen: 127.0.0.1:0\nrest: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndata: {}\n\
             adminTokenFile: {}\n",
            data.display(),
            folder.path().join("token").display()
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
        assert!(!rest.is_empty() && !token.is_empty(), "the member said where and for whom");
        Self { child, rest, token, folder }
    }

    fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// Sends a request as it is, and reads the whole answer.
    fn raw(&self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.open(method, path, head, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: body.to_string(),
        }
    }

    fn open(&self, method: &str, path: &str, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.rest).expect("the member listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             {head}\r\n",
            self.rest,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the member reads the head");
        // A body that is too large may be refused before it was read whole.
        let _ = stream.write_all(body);
        stream
    }

    fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, &self.authorization(), b"")
    }

    fn put(&self, path: &str, head: &str, body: &str) -> Answer {
        let head = format!("{}Content-Type: application/json\r\n{head}", self.authorization());
        self.raw("PUT", path, &head, body.as_bytes())
    }

    fn rialto(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM)
            .args(arguments)
            .env("RIALTO_SERVER", format!("http://{}", self.rest))
            .env("RIALTO_TOKEN_FILE", self.folder.path().join("token"))
            .stdin(Stdio::null())
            .output()
            .expect("the program starts")
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the folder takes a file");
        path
    }
}

fn workspace(name: &str, namespace: &str) -> String {
    json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Workspace",
        "metadata": { "name": name },
        "spec": { "namespaces": [namespace] },
    })
    .to_string()
}

const SHOP: &str = "/api/v1/workspaces/shop";

#[test]
fn every_wrong_request_gets_its_code() {
    let bridge = Bridge::start();
    let good = workspace("shop", "books");
    let put = |path: &str, head: &str, body: &str| bridge.put(path, head, body);
    let bare = |method: &str, path: &str| bridge.raw(method, path, &bridge.authorization(), b"");
    let with_type = |kind: &str| {
        let head = format!("{}Content-Type: {kind}\r\n", bridge.authorization());
        bridge.raw("PUT", SHOP, &head, good.as_bytes())
    };
    let token = |token: &str| bridge.raw("GET", "/api/v1/clusters", token, b"");
    let large = workspace("shop", &"x".repeat(2 * 1024 * 1024));
    let cases = [
        ("no token", token(""), 401, "RIA4003"),
        ("wrong token", token("Authorization: Bearer rialto-admin.00\r\n"), 401, "RIA4003"),
        ("other scheme", token("Authorization: Basic eDp4\r\n"), 401, "RIA4003"),
        ("half a body", put(SHOP, "", "{\"apiVersion\": "), 400, "RIA6003"),
        ("no body", put(SHOP, "", ""), 400, "RIA6003"),
        ("more than a body", put(SHOP, "", &format!("{good} x")), 400, "RIA6003"),
        ("not an object", put(SHOP, "", "[]"), 422, "RIA6002"),
        ("unknown field", put(SHOP, "", &good.replace("spec", "spek")), 422, "RIA6002"),
        (
            "unknown field inside",
            put(SHOP, "", &good.replace("\"namespaces\"", "\"colour\":1,\"namespaces\"")),
            422,
            "RIA6002",
        ),
        ("wrong type", put(SHOP, "", &good.replace("[\"books\"]", "7")), 422, "RIA6002"),
        ("wrong version", put(SHOP, "", &good.replace("v1alpha1", "v9")), 422, "RIA6002"),
        ("unknown kind", put(SHOP, "", &good.replace("Workspace", "Pod")), 422, "RIA6002"),
        ("another kind", put("/api/v1/clusters/shop", "", &good), 422, "RIA6002"),
        ("another name", put("/api/v1/workspaces/other", "", &good), 422, "RIA6002"),
        ("a bad name", put("/api/v1/workspaces/UPPER", "", &good), 404, "RIA6001"),
        ("too large", put(SHOP, "", &large), 413, "RIA6008"),
        ("YAML", with_type("application/yaml"), 415, "RIA6009"),
        ("no type", bridge.raw("PUT", SHOP, &bridge.authorization(), b"{}"), 415, "RIA6009"),
        ("weak tag", put(SHOP, "If-Match: W/\"1.1\"\r\n", &good), 400, "RIA6012"),
        ("tag of nothing", put(SHOP, "If-Match: \"x\"\r\n", &good), 400, "RIA6012"),
        ("unknown parameter", put(&format!("{SHOP}?force=true"), "", &good), 400, "RIA6012"),
        ("unknown dry run", put(&format!("{SHOP}?dryRun=client"), "", &good), 400, "RIA6012"),
        ("page of none", bridge.get("/api/v1/workspaces?limit=0"), 400, "RIA6012"),
        ("page of too many", bridge.get("/api/v1/workspaces?limit=501"), 400, "RIA6012"),
        ("no such page", bridge.get("/api/v1/workspaces?continue=zzz"), 400, "RIA6012"),
        ("no object", bridge.get("/api/v1/workspaces/none"), 404, "RIA6001"),
        ("no path", bridge.get("/api/v1/pods"), 404, "RIA6013"),
        ("no action", bare("POST", "/api/v1/clusters/east:melt"), 404, "RIA6013"),
        ("no such cluster", bare("POST", "/api/v1/clusters/east:drain"), 404, "RIA1005"),
        ("other method", bare("PATCH", SHOP), 405, "RIA6006"),
        ("read-only", bare("DELETE", "/api/v1/namespaces/books/services/a"), 405, "RIA6006"),
    ];
    let mut wrong = Vec::new();
    for (what, answer, status, code) in &cases {
        let is_problem = answer.head.contains("content-type: application/problem+json");
        if answer.status != *status || answer.code() != *code || !is_problem {
            let (found, body) = (answer.status, &answer.body);
            wrong.push(format!("{what}: expected {status} {code}, found {found} {body}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(bridge.get("/api/v1/workspaces").json()["items"], json!([]), "nothing was stored");
}

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
fn until(reader: &mut impl std::io::BufRead, wanted: impl Fn(&str) -> bool) -> Vec<String> {
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
