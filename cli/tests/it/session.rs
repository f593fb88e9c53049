//! Signing in as a browser does, at a real member.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Command;

use serde_json::{Value, json};

use crate::rest::{Answer, Bridge, workspace};

const SHOP: &str = "/api/v1/workspaces/shop";
const JSON: &str = "Content-Type: application/json\r\n";

fn sign_in(bridge: &Bridge, proof: &Value) -> Answer {
    bridge.raw("POST", "/api/v1/session", JSON, proof.to_string().as_bytes())
}

/// A signed-in browser.
struct Browser<'a> {
    bridge: &'a Bridge,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    fn of(bridge: &'a Bridge, signed_in: &Answer) -> Self {
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let cookie = signed_in.text.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        let csrf = signed_in.json()["csrf"].as_str().expect("a CSRF value").to_string();
        Self { bridge, cookie: format!("Cookie: {cookie}\r\n"), csrf }
    }

    fn get(&self, path: &str) -> Answer {
        self.bridge.raw("GET", path, &self.cookie, b"")
    }

    fn put(&self, head: &str) -> Answer {
        let head = format!("{}{JSON}{head}", self.cookie);
        self.bridge.raw("PUT", SHOP, &head, workspace("shop", "books").as_bytes())
    }
}

#[test]
fn a_token_signs_in_and_the_cookie_writes_only_from_the_page() {
    let bridge = Bridge::start();
    let signed_in = sign_in(&bridge, &json!({ "token": bridge.token }));
    let browser = Browser::of(&bridge, &signed_in);
    for part in ["httponly", "samesite=strict", "path=/", "max-age=43200"] {
        assert!(signed_in.head.contains(part), "{part}: {}", signed_in.head);
    }
    assert!(!signed_in.head.contains("secure"), "plain HTTP on loopback: {}", signed_in.head);
    assert!(!browser.cookie.contains(&bridge.token), "the cookie is sealed");
    assert_eq!(signed_in.json()["actor"], "token:admin");

    assert_eq!(browser.get("/api/v1/session").json()["csrf"], json!(browser.csrf));
    assert_eq!(browser.get("/api/v1/workspaces").status, 200);
    let csrf = format!("X-Rialto-CSRF: {}\r\n", browser.csrf);
    let refused = [
        browser.put(""),
        browser.put("X-Rialto-CSRF: guess\r\n"),
        browser.put(&format!("{csrf}Origin: https://evil.example\r\n")),
        browser.put(&format!("{csrf}Origin: null\r\n")),
    ];
    for answer in refused {
        assert_eq!((answer.status, answer.code().as_str()), (403, "RIA4004"), "{}", answer.body);
    }
    let codes = format!("{}{csrf}", browser.cookie);
    let codes = bridge.raw("POST", "/api/v1/session/codes", &codes, b"");
    assert_eq!(codes.code(), "RIA4004", "a session makes no further session");
    assert_eq!(bridge.get(SHOP).status, 404, "nothing was written");

    let own = format!("{csrf}Origin: http://{}\r\n", bridge.rest);
    let written = browser.put(&own);
    assert_eq!(written.status, 201, "{}", written.body);
    let history = bridge.get("/api/v1/history").json();
    assert_eq!(history["items"][0]["actor"], "token:admin");

    let head = format!("{}{csrf}", browser.cookie);
    let out = bridge.raw("DELETE", "/api/v1/session", &head, b"");
    assert_eq!(out.status, 204, "{}", out.body);
    assert!(out.head.contains("rialto_session=; ") && out.head.contains("max-age=0"));
    // Whoever kept the cookie has nothing of it.
    let kept = browser.get("/api/v1/workspaces");
    assert_eq!((kept.status, kept.code().as_str()), (401, "RIA4003"), "{}", kept.body);
    let history = bridge.get("/api/v1/history").json();
    assert_eq!(history["items"][0]["summary"], "signed out of the page");
    let again = Browser::of(&bridge, &sign_in(&bridge, &json!({ "token": bridge.token })));
    assert_eq!(again.get("/api/v1/workspaces").status, 200, "another session is good");
}

#[test]
fn open_streams_of_a_session_end_with_it_at_every_member() {
    let first = Bridge::start();
    let second = first.start_second();
    let browser = Browser::of(&first, &sign_in(&first, &json!({ "token": first.token })));
    let open = |bridge: &Bridge, path: &str, head: &str| {
        let mut stream = BufReader::new(bridge.open("GET", path, head, b""));
        let mut line = String::new();
        stream.read_line(&mut line).expect("a status line");
        assert!(line.contains(" 200 "), "{path}: {line}");
        stream
    };
    let paths = [
        "/api/v1/workspaces?watch=true",
        "/api/v1/namespaces/books/httproutes?watch=true",
        "/api/v1/live?view=overview",
    ];
    let members = [&first, &second];
    let opened = paths.iter().flat_map(|path| members.map(|member| (member, *path)));
    let opened: Vec<_> =
        opened.map(|(member, path)| (path, open(member, path, &browser.cookie))).collect();
    let mut by_token = open(&second, "/api/v1/workspaces?watch=true", &first.authorization());

    let head = format!("{}X-Rialto-CSRF: {}\r\n", browser.cookie, browser.csrf);
    assert_eq!(first.raw("DELETE", "/api/v1/session", &head, b"").status, 204);
    for (path, mut stream) in opened {
        let mut rest = String::new();
        // Fails after a while if the stream goes on.
        stream.read_to_string(&mut rest).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    assert_eq!(first.put(SHOP, "", &workspace("shop", "books")).status, 201);
    let mut line = String::new();
    while !line.contains("event: put") {
        line.clear();
        assert_ne!(by_token.read_line(&mut line).expect("more"), 0, "a token's stream goes on");
    }
}

#[test]
fn a_cookie_that_was_changed_signs_nobody_in() {
    let bridge = Bridge::start();
    let browser = Browser::of(&bridge, &sign_in(&bridge, &json!({ "token": bridge.token })));
    let mut changed = browser.cookie.clone().into_bytes();
    let at = "Cookie: rialto_session=".len() + 40;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).expect("base64");
    let cases = [
        changed,
        "Cookie: rialto_session=\r\n".to_string(),
        format!("Cookie: rialto_session={}\r\n", "A".repeat(4_000)),
        format!("{}Authorization: Bearer wrong\r\n", browser.cookie),
    ];
    for head in cases {
        let answer = bridge.raw("GET", "/api/v1/workspaces", &head, b"");
        assert_eq!((answer.status, answer.code().as_str()), (401, "RIA4003"), "{head}");
    }
}

#[test]
fn what_does_not_sign_in_is_told_so_and_then_must_wait() {
    let bridge = Bridge::start();
    let cases = [
        (json!({}), 422, "RIA6002"),
        (json!({ "token": "a", "code": "b" }), 422, "RIA6002"),
        (json!({ "password": "a" }), 422, "RIA6002"),
        (json!({ "token": "rialto-admin.00" }), 401, "RIA4003"),
        (json!({ "code": "guess" }), 401, "RIA4003"),
    ];
    for (proof, status, code) in cases {
        let answer = sign_in(&bridge, &proof);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{proof}");
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
    }
    let foreign = format!("{JSON}Origin: https://evil.example\r\n");
    let proof = json!({ "token": bridge.token }).to_string();
    let answer = bridge.raw("POST", "/api/v1/session", &foreign, proof.as_bytes());
    assert_eq!(answer.code(), "RIA4004", "{}", answer.body);
    let mut last = sign_in(&bridge, &json!({ "code": "guess" }));
    for _ in 0..30 {
        last = sign_in(&bridge, &json!({ "code": "guess" }));
    }
    assert_eq!((last.status, last.code().as_str()), (429, "RIA4005"), "{}", last.body);
    assert_eq!(bridge.get("/api/v1/workspaces").status, 200, "tokens are not held up");
}

/// As a person does: the link of `rialto ui`, and curl with a cookie jar.
#[test]
fn a_link_signs_in_once() -> anyhow::Result<()> {
    let bridge = Bridge::start();
    let printed = bridge.rialto(&["ui"]);
    let link = String::from_utf8(printed.stdout)?;
    let page = format!("http://{}/#code=", bridge.rest);
    let code = link.trim().strip_prefix(&page).unwrap_or_else(|| panic!("{link}"));
    let (address, jar) = (format!("http://{}", bridge.rest), bridge.file("jar", ""));
    let curl = |path: &str, more: &[&str]| -> anyhow::Result<(String, Value)> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-m", "10", "-w", "\n%{http_code}", "-b"]).arg(&jar).arg("-c").arg(&jar);
        let output = curl.args(more).arg(format!("{address}{path}")).output()?;
        let text = String::from_utf8(output.stdout)?;
        let (body, status) = text.rsplit_once('\n').unwrap_or_default();
        Ok((status.to_string(), serde_json::from_str(body).unwrap_or_default()))
    };
    let proof = json!({ "code": code }).to_string();
    let sign_in = ["-H", "Content-Type: application/json", "-d", &proof];
    let (status, session) = curl("/api/v1/session", &sign_in)?;
    assert_eq!(status, "200", "{session}");
    assert_eq!(curl("/api/v1/workspaces", &[])?.0, "200", "the jar has the cookie");
    assert_eq!(curl("/api/v1/session", &sign_in)?.0, "401", "the code was used");

    let body = workspace("shop", "books");
    let put = ["-X", "PUT", "-H", "Content-Type: application/json", "-d", &body];
    assert_eq!(curl(SHOP, &put)?.0, "403");
    let csrf = format!("X-Rialto-CSRF: {}", session["csrf"].as_str().unwrap_or_default());
    assert_eq!(curl(SHOP, &[&put[..], &["-H", &csrf]].concat())?.0, "201");
    Ok(())
}
