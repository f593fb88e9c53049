//! The text form of a join token: `rialto1.` and base64url of its JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rialto_types::cluster::Joiner;
use rialto_types::limits;
use rialto_types::token::JoinToken;

use super::Fingerprint;

const PREFIX: &str = "rialto1.";

/// Why a text is not a join token. The text itself is a secret and never repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a join token has at most {} characters", limits::JOIN_TOKEN_CHARS_MAX)]
    TooLong,
    #[error("a join token starts with `rialto1.`: was it cut off when it was copied?")]
    Prefix,
    #[error("the join token is not base64url: was it cut off when it was copied?")]
    Base64,
    #[error("the join token is damaged or of another version of Rialto")]
    Json,
    #[error("the join token's field `{field}` must be {expected}")]
    Field { field: &'static str, expected: &'static str },
}

/// The text of `token`. A secret: shown once, to who asked for it.
pub fn encode(token: &JoinToken) -> String {
    let json = serde_json::to_vec(token).expect("a token has no map and no failing field");
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
}

/// Reads a token as it was pasted; surrounding white space is ignored.
pub fn decode(text: &str) -> Result<JoinToken, Error> {
    let text = text.trim();
    if text.len() > limits::JOIN_TOKEN_CHARS_MAX {
        return Err(Error::TooLong);
    }
    let encoded = text.strip_prefix(PREFIX).ok_or(Error::Prefix)?;
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Error::Base64)?;
    let token: JoinToken = serde_json::from_slice(&json).map_err(|_| Error::Json)?;
    check(&token)?;
    Ok(token)
}

fn check(token: &JoinToken) -> Result<(), Error> {
    let field = |field, expected| Err(Error::Field { field, expected });
    let is_sha256 = |text: &str| text.parse::<Fingerprint>().is_ok();
    if !is_sha256(&token.secret) {
        return field("secret", "32 bytes in hex");
    }
    if !is_sha256(&token.fingerprint) {
        return field("fingerprint", "a SHA-256 in hex");
    }
    if token.cluster.is_none() != (token.role == Joiner::Member) {
        return field("cluster", "given, unless the role is `member`");
    }
    let is_address = |text: &String| {
        let port = text.rsplit_once(':').map(|(host, port)| (host.is_empty(), port.parse::<u16>()));
        matches!(port, Some((false, Ok(1..))))
    };
    if token.bridges.is_empty() || !token.bridges.iter().all(is_address) {
        return field("bridges", "a list of `HOST:PORT`");
    }
    Ok(())
}
