//! The bytes of the whole state, for Raft snapshots: a version byte, then JSON.
//!
//! A member reads its own version only; the bytes carry no checksum, their file does.

use super::State;

const VERSION: u8 = 1;

/// Why bytes are not a state.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("a state of no bytes")]
    Empty,
    #[error(
        "a state of version {0}, but this member reads version {VERSION}; run the release that \
         wrote it"
    )]
    Version(u8),
    #[error("a state that cannot be read")]
    Body(#[source] serde_json::Error),
}

pub fn encode(state: &State) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, state).expect("a state has text keys only");
    bytes
}

pub fn decode(bytes: &[u8]) -> Result<State, DecodeError> {
    let body = match bytes.split_first() {
        None => return Err(DecodeError::Empty),
        Some((&VERSION, body)) => body,
        Some((&version, _)) => return Err(DecodeError::Version(version)),
    };
    let mut state: State = serde_json::from_slice(body).map_err(DecodeError::Body)?;
    state.rebuild();
    Ok(state)
}
