//! The page's views and the live stream, at a real member.

use std::io::BufReader;
use std::process::Command;

use serde_json::{Value, json};

use crate::demo::wait_until;
use crate::rest::{Bridge, until, workspace};

fn cluster(name: &str) -> String {
    json!({
        "apiVersion": "rialto.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": { "name": name },
        "spec": {},
    })
    .to_string()
}

fn put_cluster(bridge: &Bridge, name: &str) {
    let put = bridge.put(&format!("/api/v1/clusters/{name}"), "", &cluster(name));
    assert_eq!(put.status, 201, "{}", put.body);
}

fn view(bridge: &Bridge, path: &str) -> Value {
    let answer = bridge.get(&format!("/api/v1/views/{path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

#[test]
fn a_new_federation_says_what_it_has_and_what_it_waits_for() {
    let bridge = Bridge::start();
    // A member that serves already may not be in the list yet.
    let leads = || Ok(view(&bridge, "overview")["members"][0]["role"] == "leader");
    wait_until("the member leads", leads).expect("it does");
    let overview = view(&bridge, "overview");
    assert_eq!(overview["sentence"], "No cluster has joined yet");
    assert_eq!(overview["level"], "idle");
    assert!(overview["traffic"]["now"].is_null(), "nobody counts: unknown, not zero");

    put_cluster(&bridge, "east");
    let clusters = view(&bridge, "clusters");
    assert_eq!(clusters["items"][0]["name"], "east");
    assert_eq!(clusters["items"][0]["level"], "unknown");
    let text = clusters["items"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("waiting for its agent"), "{text}");
    let page = view(&bridge, "clusters/east");
    assert_eq!(page["trustDomain"], "east.rialto");
    assert_eq!(page["anchorFingerprint"].as_str().map(str::len), Some(64), "{page}");
    assert_eq!(page["drainCommand"], "rialto drain east");
    assert_eq!(view(&bridge, "services")["total"], 0);
    assert_eq!(view(&bridge, "topology")["clusters"][0]["name"], "east");
    let changes = view(&bridge, "changes?limit=1");
    assert_eq!(changes["items"][0]["actor"], "token:admin");
    let diff = changes["items"][0]["diff"].as_str().unwrap_or_default();
    assert!(diff.contains("+kind: Cluster\n"), "as `apply --dry-run` prints it: {diff}");
}

#[test]
fn a_wrong_question_gets_its_code() {
    let bridge = Bridge::start();
    let long = "x".repeat(300);
    let cases = [
        ("views/nothing".to_string(), 404, "RIA6013"),
        ("views/overview?x=1".into(), 400, "RIA6012"),
        ("views/clusters/west".into(), 404, "RIA1005"),
        ("views/clusters/UPPER".into(), 404, "RIA6001"),
        ("views/namespaces/a/services/b".into(), 404, "RIA6001"),
        ("views/services?limit=0".into(), 400, "RIA6012"),
        ("views/services?sort=colour".into(), 400, "RIA6012"),
        ("views/services?continue=a".into(), 400, "RIA6012"),
        (format!("views/services?search={long}"), 400, "RIA6012"),
        (format!("views/topology?search={long}"), 400, "RIA6012"),
        ("views/changes?subject=books".into(), 400, "RIA6012"),
        ("views/changes?limit=1000".into(), 400, "RIA6012"),
        ("live".into(), 400, "RIA6012"),
        ("live?view=pods".into(), 400, "RIA6012"),
        ("live?view=overview&other=1".into(), 400, "RIA6012"),
        (format!("live?{}", ["view=overview"; 9].join("&")), 400, "RIA6012"),
    ];
    for (path, status, code) in cases {
        let answer = bridge.get(&format!("/api/v1/{path}"));
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        let bare = bridge.raw("GET", &format!("/api/v1/{path}"), "", b"");
        if status != 404 || code != "RIA6013" {
            assert_eq!(bare.status, 401, "{path} is for those who show who they are");
        }
    }
}

/// The next event of a stream: its name and its data.
fn event(events: &mut impl std::io::BufRead) -> (String, Value) {
    loop {
        let lines = until(events, str::is_empty);
        let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        // What has no data is a comment, or the chunk of HTTP around it.
        if let (Some(event), Some(data)) = (field("event: "), field("data: ")) {
            return (event.to_string(), serde_json::from_str(data).expect("data is JSON"));
        }
    }
}

#[test]
fn a_live_stream_tells_what_is_and_what_changes() {
    let bridge = Bridge::start();
    let head = format!("{}Accept: text/event-stream\r\n", bridge.authorization());
    let path = "/api/v1/live?view=clusters%2Fwest&view=services%3Fsearch%3Da%2520b&view=overview";
    let mut events = BufReader::new(bridge.open("GET", path, &head, b""));
    let (name, first) = event(&mut events);
    assert_eq!((name.as_str(), &first["view"]), ("problem", &json!("clusters/west")));
    assert_eq!(first["problem"]["code"], "RIA1005");
    let (name, second) = event(&mut events);
    assert_eq!((name.as_str(), &second["view"]), ("view", &json!("services?search=a%20b")));
    let (_, third) = event(&mut events);
    assert_eq!(third["data"]["sentence"], "No cluster has joined yet");

    put_cluster(&bridge, "west");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let (name, told) = event(&mut events);
        let view = told["view"].as_str().unwrap_or_default().to_string();
        let has_west = match view.as_str() {
            "clusters/west" => name == "view" && told["data"]["card"]["level"] == "unknown",
            "overview" => told["data"]["clusters"][0]["name"] == "west",
            _ => false,
        };
        if has_west && !seen.contains(&view) {
            seen.push(view);
        }
    }
}

/// What the page shows to copy is what a shell hands to the command line, word by word.
#[test]
fn the_command_of_an_action_does_the_same() {
    let bridge = Bridge::start();
    put_cluster(&bridge, "east");
    let head = bridge.authorization();
    let reason = "it%27s%20%24HOME";
    let path = format!("/api/v1/clusters/east:drain?dryRun=server&reason={reason}");
    let drained = bridge.raw("POST", &path, &head, b"").json();
    let command = drained["command"].as_str().expect("a command");
    let words = Command::new("sh").arg("-c").arg(format!("printf '%s|' {command}")).output();
    let words = String::from_utf8(words.expect("a shell").stdout).expect("text");
    assert_eq!(words, "rialto|drain|east|--reason|it's $HOME|");
    assert_eq!(view(&bridge, "clusters")["items"][0]["drained"], false, "it was a dry run");

    let words: Vec<&str> = words.split('|').filter(|word| !word.is_empty()).skip(1).collect();
    assert!(bridge.rialto(&words).status.success());
    assert_eq!(bridge.get("/api/v1/clusters/east").json()["spec"]["drained"], true);
    bridge.put("/api/v1/workspaces/shop", "", &workspace("shop", "books"));
    let changes = view(&bridge, "changes?limit=1");
    let undo = &changes["items"][0]["undo"];
    let to = undo["to"].as_str().expect("a revision");
    let reverted = bridge.raw("POST", &format!("/api/v1/revisions/{to}:revert"), &head, b"");
    let reverted = reverted.json();
    assert_eq!(reverted["command"], undo["command"]);
    assert_eq!(reverted["changes"][0]["key"]["kind"], "Workspace");
    assert_eq!(bridge.get("/api/v1/workspaces/shop").status, 404);
    let command = undo["command"].as_str().unwrap_or_default();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert!(bridge.rialto(&words).status.success(), "{command}");
}
