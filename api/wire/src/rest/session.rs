//! Sessions of browsers: the sealed cookie, what a write by it must show, signing in and out.
//!
//! A cookie goes with every request, wherever that came from. So a write must also show what only
//! the page knows (`X-Rialto-CSRF`), and must not come from a page of another origin.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Extension, State};
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use rialto_types::error::{Code, Problem};
use rialto_types::limits;
use rialto_types::session::{Session, SignIn};

use super::ControlPlane;
use super::actions::Body;
use super::answer::{Caller, Proof, Refused};
use super::objects::json;
use super::query::{Checked, NoQuery};

const COOKIE_NAME: &str = "rialto_session";
const CSRF_HEADER: &str = "x-rialto-csrf";

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: IpAddr,
    /// Whether the connection is encrypted; a plain one is on loopback.
    pub is_encrypted: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { address: Ipv4Addr::UNSPECIFIED.into(), is_encrypted: false }
    }
}

/// A session that was just opened.
#[derive(Debug, Clone)]
pub struct Opened {
    pub session: Session,
    /// The cookie's value. A secret.
    pub sealed: String,
}

/// The value of the session's cookie.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';'));
    let value = pairs.filter_map(|pair| pair.trim().split_once('='));
    let mut sealed = value.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, sealed)| sealed);
    sealed.next().filter(|sealed| sealed.len() <= limits::SESSION_COOKIE_BYTES_MAX)
}

/// Refuses a write by cookie that the page itself did not make.
pub(super) fn check_origin(
    session: &Session,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        let hint = "reload the page; programs use `Authorization: Bearer` and no cookie";
        Err(Problem::new(Code::CrossSite, detail).with_hint(hint))
    };
    let shown = headers.get(CSRF_HEADER).map_or(&[][..], HeaderValue::as_bytes);
    if verify_slices_are_equal(shown, session.csrf.as_bytes()).is_err() {
        return refuse("the header `X-Rialto-CSRF` is not the session's");
    }
    if !is_own_origin(headers, uri) {
        return refuse("the request comes from a page of another origin");
    }
    Ok(())
}

/// Whether `Origin`, if the browser sends it, is this server as the browser knows it.
fn is_own_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    match (origin, host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        (None, _) | (_, None) => false,
    }
}

pub(super) async fn sign_in<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    peer: Option<Extension<Peer>>,
    Checked(NoQuery {}): Checked<NoQuery>,
    uri: Uri,
    headers: HeaderMap,
    body: Body<SignIn>,
) -> Result<Response, Refused> {
    let Extension(peer) = peer.unwrap_or_default();
    if !is_own_origin(&headers, &uri) {
        let detail = "a page of another origin cannot sign anybody in";
        return Err(Refused(Problem::new(Code::CrossSite, detail)));
    }
    let opened = control_plane.sign_in(&json(body)?, peer.address)?;
    let value = cookie_text(&opened.sealed, limits::SESSION_TTL.as_secs(), peer);
    let mut response = Json(opened.session).into_response();
    let value = HeaderValue::from_str(&value).expect("base64 is valid in a header");
    response.headers_mut().insert(SET_COOKIE, value);
    Ok(response)
}

pub(super) async fn get(
    caller: Caller,
    Checked(NoQuery {}): Checked<NoQuery>,
) -> Result<Json<Session>, Refused> {
    match caller.proof {
        Proof::Session(session) => Ok(Json(session)),
        Proof::Token => {
            let detail = "a token needs no session; this one has none";
            Err(Refused(Problem::new(Code::NotFound, detail)))
        }
    }
}

/// The cookie goes from this browser even if the members cannot be told now; then the answer is
/// the problem.
pub(super) async fn sign_out<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    caller: Caller,
    peer: Option<Extension<Peer>>,
    Checked(NoQuery {}): Checked<NoQuery>,
) -> Response {
    let Extension(peer) = peer.unwrap_or_default();
    let ended = match &caller.proof {
        Proof::Session(session) => control_plane.sign_out(session).await,
        Proof::Token => Ok(()),
    };
    let mut response = match ended {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => Refused(problem).into_response(),
    };
    let value = HeaderValue::from_str(&cookie_text("", 0, peer)).expect("plain text");
    response.headers_mut().insert(SET_COOKIE, value);
    response
}

pub(super) async fn create_code<C: ControlPlane>(
    State(control_plane): State<Arc<C>>,
    caller: Caller,
    Checked(NoQuery {}): Checked<NoQuery>,
) -> Result<Response, Refused> {
    let Proof::Token = caller.proof else {
        let detail = "a session makes no sign-in codes; only a token does";
        return Err(Refused(Problem::new(Code::CrossSite, detail)));
    };
    let code = control_plane.create_code(caller.actor)?;
    Ok((StatusCode::CREATED, Json(code)).into_response())
}

/// Not `Secure` on a plain connection: browsers would not keep it, and it stays on the machine.
fn cookie_text(sealed: &str, seconds: u64, peer: Peer) -> String {
    let secure = if peer.is_encrypted { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={sealed}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}

#[cfg(test)]
mod tests;
