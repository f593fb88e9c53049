//! The web page: files that the binary carries, compressed where the build did so, with a content
//! security policy and a nonce of its own in every answer.
//!
//! `index.html` answers every path that names no file, because the page keeps its state in the
//! URL. What is under `assets/` has a hash in its name and is kept for good.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rialto_types::error::{Code, Problem};

use super::answer::Refused;

/// Stands in `index.html` wherever the nonce belongs.
const NONCE_PLACE: &str = "__RIALTO_NONCE__";

const INDEX: &str = "index.html";

const NOT_BUILT: &str = "This binary has no page: run `make build`, which builds ui/ first, and \
                         start the bridge again. The API is under /api/v1.\n";

/// The page's files.
#[derive(Debug, Clone, Default)]
pub struct WebPage {
    files: BTreeMap<String, Bytes>,
}

/// Why packed files cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("the list of files is cut")]
    List,
    #[error("`{0}` is not a line of the list of files, expected `LENGTH PATH`")]
    Line(String),
    #[error("the bytes of the files are {found}, expected {expected}")]
    Length { found: usize, expected: usize },
}

impl WebPage {
    /// Reads lines of `LENGTH PATH`, an empty line, and the bytes of those files.
    pub fn unpack(pack: Bytes) -> Result<Self, PageError> {
        // The list ends at the first empty line: a path is never empty.
        let end = match pack.first() {
            Some(b'\n') => 0,
            _ => pack.windows(2).position(|pair| pair == b"\n\n").ok_or(PageError::List)? + 1,
        };
        let list = std::str::from_utf8(&pack[..end]).map_err(|_| PageError::List)?;
        let mut content = pack.slice(end + 1..);
        let parse = |line: &str| {
            let (length, path) = line.split_once(' ')?;
            Some((length.parse::<usize>().ok()?, path.to_string()))
        };
        let listed: Result<Vec<_>, _> =
            list.lines().map(|line| parse(line).ok_or(PageError::Line(line.into()))).collect();
        let listed = listed?;
        let expected = listed.iter().map(|(length, _)| length).sum();
        if content.len() != expected {
            return Err(PageError::Length { found: content.len(), expected });
        }
        let files = listed.into_iter().map(|(length, path)| (path, content.split_to(length)));
        Ok(Self { files: files.collect() })
    }

    /// Paths and bytes, in the order of paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_ref()))
    }

    /// What a request that no route of the API takes gets.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path();
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read || path == "/api" || path.starts_with("/api/") {
            return unknown(path, "the paths stand in /api/openapi.json");
        }
        if self.files.is_empty() {
            return (StatusCode::NOT_FOUND, NOT_BUILT).into_response();
        }
        let name = path.trim_start_matches('/');
        let is_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
        match (self.files.get(name), self.files.get(INDEX)) {
            (Some(bytes), _) if name != INDEX => self.file(name, bytes, request.headers()),
            (_, Some(index)) if name == INDEX || !is_file => document(index),
            _ => unknown(path, "the page has no such file; open `/`"),
        }
    }

    fn file(&self, name: &str, bytes: &Bytes, headers: &HeaderMap) -> Response {
        let variant = ["br", "gzip"].into_iter().find_map(|encoding| {
            let ending = if encoding == "gzip" { "gz" } else { encoding };
            let variant = self.files.get(&format!("{name}.{ending}"))?;
            accepts(headers, encoding).then_some((encoding, variant))
        });
        let body = variant.map_or(bytes, |(_, variant)| variant).clone();
        let mut response = Response::new(Body::from(body));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        let kept = match name.starts_with("assets/") {
            true => "public, max-age=31536000, immutable",
            false => "public, max-age=3600",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
        if let Some((encoding, _)) = variant {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

fn unknown(path: &str, hint: &str) -> Response {
    let detail = format!("`{path}` is not a path of this API");
    Refused(Problem::new(Code::PathUnknown, detail).with_hint(hint)).into_response()
}

/// The page's document with a nonce that was never used before, so that a script that an attacker
/// brings in does not run.
fn document(index: &Bytes) -> Response {
    let mut random = [0; 16];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        let problem = Problem::new(Code::Internal, "the system gives no random bytes");
        return Refused(problem).into_response();
    }
    let nonce = URL_SAFE_NO_PAD.encode(random);
    let text = String::from_utf8_lossy(index).replace(NONCE_PLACE, &nonce);
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(INDEX)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let policy = HeaderValue::from_str(&policy).expect("base64 is valid in a header");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Whether `Accept-Encoding` takes an encoding (RFC 9110, 12.5.3); a weight of 0 means no.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let mut parameters = part.split(';').map(str::trim);
        let is_named = parameters.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parameters.find_map(|p| p.strip_prefix("q=").or(p.strip_prefix("Q=")));
        is_named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|q| q > 0.0))
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
