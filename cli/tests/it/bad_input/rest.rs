//! Wrong requests to the REST API: each gets a problem with its code.

use serde_json::json;

use super::drip;
use crate::rest::{Answer, Bridge, SHOP, workspace};

/// Status and code of each answer that should be a problem, all at once.
fn check(cases: &[(&str, Answer, u16, &str)]) {
    let mut wrong = Vec::new();
    for (what, answer, status, code) in cases {
        let is_problem = answer.head.contains("content-type: application/problem+json");
        if answer.status != *status || !is_problem || answer.code() != *code {
            let (found, body) = (answer.status, &answer.body);
            wrong.push(format!("{what}: expected {status} {code}, found {found} {body}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing was stored, and a good request does what it says.
fn check_goes_on(bridge: &Bridge) {
    assert_eq!(bridge.get("/api/v1/workspaces").json()["items"], json!([]), "nothing was stored");
    let put = bridge.put(SHOP, "", &workspace("shop", "books"));
    assert_eq!(put.status, 201, "{}", put.body);
}

#[test]
fn every_wrong_body_gets_its_code() {
    let bridge = Bridge::start();
    let good = workspace("shop", "books");
    let put = |body: &str| bridge.put(SHOP, "", body);
    let bytes = |body: &[u8]| {
        let head = format!("{}Content-Type: application/json\r\n", bridge.authorization());
        bridge.raw("PUT", SHOP, &head, body)
    };
    let with_type = |kind: &str| {
        let head = format!("{}Content-Type: {kind}\r\n", bridge.authorization());
        bridge.raw("PUT", SHOP, &head, good.as_bytes())
    };
    let large = workspace("shop", &"x".repeat(2 * 1024 * 1024));
    let deep = format!("{{\"spec\": {}", "[".repeat(100_000));
    let many: Vec<String> = (0..1_001).map(|number| format!("n{number}")).collect();
    let many = good.replace("[\"books\"]", &json!(many).to_string());
    let twice = good.replace("{\"name\":\"shop\"}", "{\"name\":\"shop\",\"name\":\"shop\"}");
    assert_ne!(twice, good);
    check(&[
        ("half a body", put("{\"apiVersion\": "), 400, "RIA6003"),
        ("no body", put(""), 400, "RIA6003"),
        ("YAML in place of JSON", put("kind: Workspace\n"), 400, "RIA6003"),
        ("more than a body", put(&format!("{good} x")), 400, "RIA6003"),
        ("two bodies", put(&format!("{good}{good}")), 400, "RIA6003"),
        ("a comment", put(&format!("// a shop\n{good}")), 400, "RIA6003"),
        ("not UTF-8", bytes(b"{\"kind\": \"\xff\"}"), 400, "RIA6003"),
        ("zero bytes", bytes(&[0; 100]), 400, "RIA6003"),
        ("100,000 lists", put(&deep), 400, "RIA6003"),
        ("a list", put("[]"), 422, "RIA6002"),
        ("a number", put("1e400"), 400, "RIA6003"),
        ("a text", put("\"shop\""), 422, "RIA6002"),
        ("null", put("null"), 422, "RIA6002"),
        ("an empty object", put("{}"), 422, "RIA6002"),
        ("an unknown field", put(&good.replace("spec", "spek")), 422, "RIA6002"),
        (
            "an unknown field inside",
            put(&good.replace("\"namespaces\"", "\"colour\":1,\"namespaces\"")),
            422,
            "RIA6002",
        ),
        ("a field twice", put(&twice), 422, "RIA6002"),
        ("no name", put(&good.replace("\"name\":\"shop\"", "")), 422, "RIA6002"),
        (
            "no spec",
            put(&good.replace(",\"spec\":{\"namespaces\":[\"books\"]}", "")),
            422,
            "RIA6002",
        ),
        ("a wrong type", put(&good.replace("[\"books\"]", "7")), 422, "RIA6002"),
        ("a wrong type inside", put(&good.replace("[\"books\"]", "[7]")), 422, "RIA6002"),
        ("a bad namespace", put(&good.replace("books", "Books")), 422, "RIA6002"),
        ("too many namespaces", put(&many), 422, "RIA6002"),
        ("a wrong version", put(&good.replace("v1alpha1", "v9")), 422, "RIA6002"),
        ("an unknown kind", put(&good.replace("Workspace", "Pod")), 422, "RIA6002"),
        ("another kind", bridge.put("/api/v1/clusters/shop", "", &good), 422, "RIA6002"),
        ("another name", bridge.put("/api/v1/workspaces/other", "", &good), 422, "RIA6002"),
        ("a read-only kind", put(&good.replace("Workspace", "JoinToken")), 405, "RIA6006"),
        ("too large", put(&large), 413, "RIA6008"),
        ("YAML", with_type("application/yaml"), 415, "RIA6009"),
        ("a form", with_type("application/x-www-form-urlencoded"), 415, "RIA6009"),
        ("two types", with_type("application/json, text/plain"), 415, "RIA6009"),
        ("no type", bridge.raw("PUT", SHOP, &bridge.authorization(), b"{}"), 415, "RIA6009"),
    ]);
    check_goes_on(&bridge);
}

#[test]
fn every_wrong_body_of_an_action_gets_its_code() {
    let bridge = Bridge::start();
    let post = |path: &str, body: &str| {
        let head = format!("{}Content-Type: application/json\r\n", bridge.authorization());
        bridge.raw("POST", path, &head, body.as_bytes())
    };
    let bare =
        |path: &str, body: &str| bridge.raw("POST", path, &bridge.authorization(), body.as_bytes());
    let tokens = "/api/v1/jointokens";
    let shift = "/api/v1/namespaces/books/services/reviews:shift";
    let explain = "/api/v1/explain";
    let token = |ttl: &str| json!({ "role": "member", "ttl": ttl }).to_string();
    let large = json!({ "weights": { "a": 1 }, "reason": "x".repeat(2 * 1024 * 1024) }).to_string();
    check(&[
        ("no wish", post(tokens, ""), 400, "RIA6003"),
        ("no role", post(tokens, "{}"), 422, "RIA6002"),
        ("an unknown role", post(tokens, "{\"role\": \"king\"}"), 422, "RIA6002"),
        ("an unknown field", post(tokens, "{\"role\": \"member\", \"a\": 1}"), 422, "RIA6002"),
        ("a life without unit", post(tokens, &token("15")), 422, "RIA6002"),
        ("a life of two days", post(tokens, &token("48h")), 422, "RIA6002"),
        (
            "a cluster that is not there",
            post(tokens, "{\"role\": \"agent\", \"cluster\": \"north\"}"),
            404,
            "RIA1005",
        ),
        ("a wish without type", bare(tokens, &token("15m")), 415, "RIA6009"),
        ("no weights", post(shift, "{}"), 422, "RIA6002"),
        ("a negative weight", post(shift, "{\"weights\": {\"a\": -1}}"), 422, "RIA6002"),
        ("half a weight", post(shift, "{\"weights\": {\"a\": 0.5}}"), 422, "RIA6002"),
        ("too large a weight", post(shift, "{\"weights\": {\"a\": 1000001}}"), 422, "RIA6002"),
        ("a bad backend", post(shift, "{\"weights\": {\"A\": 1}}"), 422, "RIA6002"),
        ("a large reason", post(shift, &large), 413, "RIA6008"),
        ("no question", post(explain, "[]"), 422, "RIA6002"),
        ("no service", post(explain, "{\"fromCluster\": \"east\"}"), 422, "RIA6002"),
        (
            "a bad caller",
            post(explain, "{\"fromCluster\": \"east\", \"service\": \"a/b\", \"caller\": \"me\"}"),
            422,
            "RIA6002",
        ),
        (
            "a port that is none",
            post(explain, "{\"fromCluster\": \"east\", \"service\": \"a/b\", \"port\": 65536}"),
            422,
            "RIA6002",
        ),
    ]);
    check_goes_on(&bridge);
}

#[test]
fn every_other_wrong_request_gets_its_code() {
    let bridge = Bridge::start();
    let good = workspace("shop", "books");
    let put = |path: &str, head: &str| bridge.put(path, head, &good);
    let bare = |method: &str, path: &str| bridge.raw(method, path, &bridge.authorization(), b"");
    let token = |token: &str| bridge.raw("GET", "/api/v1/clusters", token, b"");
    check(&[
        ("no token", token(""), 401, "RIA4003"),
        ("wrong token", token("Authorization: Bearer rialto-admin.00\r\n"), 401, "RIA4003"),
        ("other scheme", token("Authorization: Basic eDp4\r\n"), 401, "RIA4003"),
        ("a bad name", put("/api/v1/workspaces/UPPER", ""), 404, "RIA6001"),
        ("weak tag", put(SHOP, "If-Match: W/\"1.1\"\r\n"), 400, "RIA6012"),
        ("tag of nothing", put(SHOP, "If-Match: \"x\"\r\n"), 400, "RIA6012"),
        ("unknown parameter", put(&format!("{SHOP}?force=true"), ""), 400, "RIA6012"),
        ("unknown dry run", put(&format!("{SHOP}?dryRun=client"), ""), 400, "RIA6012"),
        ("page of none", bridge.get("/api/v1/workspaces?limit=0"), 400, "RIA6012"),
        ("page of too many", bridge.get("/api/v1/workspaces?limit=501"), 400, "RIA6012"),
        ("no such page", bridge.get("/api/v1/workspaces?continue=zzz"), 400, "RIA6012"),
        ("no object", bridge.get("/api/v1/workspaces/none"), 404, "RIA6001"),
        ("no path", bridge.get("/api/v1/pods"), 404, "RIA6013"),
        ("no action", bare("POST", "/api/v1/clusters/east:melt"), 404, "RIA6013"),
        ("no such cluster", bare("POST", "/api/v1/clusters/east:drain"), 404, "RIA1005"),
        ("other method", bare("PATCH", SHOP), 405, "RIA6006"),
        ("read-only", bare("DELETE", "/api/v1/namespaces/books/services/a"), 405, "RIA6006"),
    ]);
    check_goes_on(&bridge);
}

#[test]
fn a_body_that_drips_is_given_up_and_nobody_waits_for_it() {
    let bridge = Bridge::start();
    let head = format!(
        "{}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        bridge.authorization()
    );
    let slow = bridge.send("PUT", SHOP, &head);
    let dripping = std::thread::spawn(move || drip(slow, b"1\r\n \r\n".repeat(1_000)));
    check_goes_on(&bridge);
    let answer = Answer::of(&dripping.join().expect("it is given up"));
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    check(&[("a body that drips", answer, 408, "RIA6016")]);
    assert_eq!(bridge.get(SHOP).status, 200);
}

#[test]
fn a_body_that_is_cut_or_no_chunks_is_an_error() {
    let bridge = Bridge::start();
    let head = format!(
        "{}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        bridge.authorization()
    );
    let slow = bridge.send("PUT", SHOP, &head);
    let answer = Answer::of(&drip(slow, *b"no length\r\n\r\n"));
    check(&[("chunks without length", answer, 400, "RIA6003")]);
    // Who leaves in the middle of a body gets no answer, and leaves nothing behind.
    let head = format!("{}Content-Type: application/json\r\n", bridge.authorization());
    drop(bridge.send("PUT", SHOP, &format!("{head}Content-Length: 1000\r\n")));
    check_goes_on(&bridge);
}
