use axum::body::to_bytes;

use super::*;

fn page() -> WebPage {
    let index = "<html nonce=__RIALTO_NONCE__><meta content=__RIALTO_NONCE__></html>";
    let files = [
        ("assets/app-1a.js", "plain"),
        ("assets/app-1a.js.br", "brotli"),
        ("assets/app-1a.js.gz", "gzip"),
        ("favicon.svg", "<svg/>"),
        ("index.html", index),
    ];
    let list: String = files.iter().map(|(n, text)| format!("{} {n}\n", text.len())).collect();
    let content: String = files.iter().map(|(_, text)| *text).collect();
    WebPage::unpack(format!("{list}\n{content}").into()).expect("whole")
}

fn request(method: &str, path: &str, accepted: &str) -> Request {
    let request = axum::http::Request::builder().method(method).uri(path);
    request.header("accept-encoding", accepted).body(Body::empty()).expect("a request")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn a_document_has_a_nonce_of_its_own_and_a_policy_that_names_it() {
    let mut seen = Vec::new();
    for path in ["/", "/services/books/reviews", "/index.html", "/topology?group=none"] {
        let response = page().answer(&request("GET", path, "br"));
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = header(&response, "content-security-policy").to_string();
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
        let nonce = nonce.expect("a nonce").to_string();
        assert_eq!(nonce.len(), 22, "128 bits");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "content-encoding"), "");
        let body = text(response).await;
        assert_eq!(body, format!("<html nonce={nonce}><meta content={nonce}></html>"));
        assert!(!seen.contains(&nonce), "used twice");
        seen.push(nonce);
    }
}

#[tokio::test]
async fn files_are_sent_as_the_client_takes_them() {
    let cases = [
        ("gzip, deflate, br, zstd", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip", "gzip"),
        ("BR;Q=1.0", "br", "brotli"),
        ("identity", "", "plain"),
        ("", "", "plain"),
        ("br;q=x", "", "plain"),
    ];
    for (accepted, encoding, body) in cases {
        let response = page().answer(&request("GET", "/assets/app-1a.js", accepted));
        assert_eq!(header(&response, "content-encoding"), encoding, "{accepted}");
        assert_eq!(header(&response, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&response, "vary"), "accept-encoding");
        assert_eq!(text(response).await, body, "{accepted}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_a_problem() {
    let cases = [
        ("GET", "/assets/gone.js"),
        ("GET", "/../index.css"),
        ("GET", "/api"),
        ("GET", "/api/v2/services"),
        ("POST", "/"),
        ("PUT", "/services"),
    ];
    for (method, path) in cases {
        let response = page().answer(&request(method, path, ""));
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{path}");
        assert!(text(response).await.contains("RIA6013"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_binary_without_a_page_says_how_to_get_one() {
    let response = WebPage::default().answer(&request("GET", "/services", ""));
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let body = text(response).await;
    assert!(body.contains("make build") && body.lines().count() == 1, "{body}");
}
