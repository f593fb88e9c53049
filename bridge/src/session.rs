//! Sessions of browsers: cookies that every member can open, and one-use codes to sign in with.
//!
//! A session is nowhere but in its cookie, sealed by a key that comes from the members' seal key
//! and the administrator's token: every member opens it, and a new token ends all sessions. Signing
//! out is a command of the log, so that no member takes the cookie again.

mod attempts;
mod codes;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rialto_core::state::command::Action;
use rialto_types::error::{Code, Problem};
use rialto_types::id::Timestamp;
use rialto_types::limits;
use rialto_types::session::{Session, SignIn, SignInCode};
use rialto_wire::identity::now;
use rialto_wire::rest::Opened;
use serde::{Deserialize, Serialize};

use crate::authority::{SealKey, Secret, draw};
use crate::service::Service;
use attempts::Attempts;
use codes::Codes;

/// What one cookie holds.
#[derive(Serialize, Deserialize)]
struct Content {
    actor: String,
    expires: Timestamp,
    csrf: String,
}

/// What this member keeps in memory for signing in.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    attempts: Mutex<Attempts>,
    codes: Mutex<Codes>,
}

/// Bound into what is sealed, so that nothing else that is sealed passes for a session.
const CONTEXT: &str = "session";

impl Service {
    /// The actor that an API token stands for.
    pub(crate) fn actor_of(&self, token: &str) -> Option<String> {
        let state = self.store.read();
        let known = &state.federation()?.admin_token_hash;
        Secret::is(token, known).then(|| "token:admin".to_string())
    }

    fn session_key(&self) -> Option<SealKey> {
        let state = self.store.read();
        let token_hash = &state.federation()?.admin_token_hash;
        Some(self.authority.seal_key().derive(&format!("{CONTEXT} {token_hash}")))
    }

    pub(crate) fn open_session(&self, sealed: &str, now: Timestamp) -> Option<Session> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let content = self.session_key()?.open(&sealed, CONTEXT).ok()?;
        let content: Content = serde_json::from_slice(&content).ok()?;
        let id = id_of(&content.csrf);
        let is_good =
            now < content.expires && !self.store.read().is_session_ended(&id, content.expires);
        is_good.then(|| self.describe(content))
    }

    /// Ends the session at every member.
    pub(crate) async fn end_session(&self, session: &Session) -> Result<(), Problem> {
        let (id, expires) = (id_of(&session.csrf), session.expires_at);
        let action = Action::EndSession { id, expires };
        self.commit(session.actor.clone(), None, action).await.map(drop)
    }

    /// Resolves when the session was ended, at whatever member.
    pub(crate) async fn session_ended(self: Arc<Self>, session: Session) {
        let id = id_of(&session.csrf);
        let mut revision = self.store.watch();
        while !self.store.read().is_session_ended(&id, session.expires_at)
            && revision.changed().await.is_ok()
        {}
    }

    fn describe(&self, content: Content) -> Session {
        let Content { actor, expires, csrf } = content;
        let state = self.store.read();
        let federation = state.federation().map(|held| held.id.clone()).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION").to_string();
        Session { actor, expires_at: expires, csrf, federation, version }
    }

    pub(crate) fn open_new_session(&self, proof: &SignIn, from: IpAddr) -> Result<Opened, Problem> {
        let moment = Instant::now();
        self.sessions.attempts().check(from, moment).map_err(|wait| {
            let detail = format!("{from} tried to sign in too often; wait {} s", wait.as_secs());
            Problem::new(Code::SignInsExhausted, detail)
        })?;
        let actor = match (&proof.token, &proof.code) {
            (Some(token), None) => self.actor_of(token.trim()),
            (None, Some(code)) => self.sessions.codes().redeem(code, moment),
            (None, None) | (Some(_), Some(_)) => {
                let problem = Problem::new(Code::Invalid, "`token` or `code` is needed to sign in");
                return Err(problem.with_expected("one of the two"));
            }
        };
        let Some(actor) = actor else {
            self.sessions.attempts().failed(from, moment);
            let problem = Problem::new(Code::Unauthenticated, "this does not sign anybody in");
            return Err(problem.with_hint(
                "a code is good once, for 10 minutes, at the member that made it: `rialto ui` \
                 makes another",
            ));
        };
        let internal = |error: &dyn std::error::Error| {
            Problem::new(Code::Internal, format!("cannot make a session: {error}"))
        };
        let random: [u8; 32] = draw().map_err(|error| internal(&error))?;
        let expires = now().plus(limits::SESSION_TTL);
        let content = Content { actor, expires, csrf: URL_SAFE_NO_PAD.encode(random) };
        let bytes = serde_json::to_vec(&content).expect("text keys only");
        let key = self.session_key();
        let key = key.ok_or_else(|| Problem::new(Code::NoLeader, "not bootstrapped yet"))?;
        let sealed = key.seal(&bytes, CONTEXT).map_err(|error| internal(&error))?;
        let sealed = URL_SAFE_NO_PAD.encode(sealed);
        Ok(Opened { session: self.describe(content), sealed })
    }

    pub(crate) fn new_code(&self, actor: String) -> Result<SignInCode, Problem> {
        let random: [u8; 32] = draw().map_err(|error| {
            Problem::new(Code::Internal, format!("cannot make a code: {error}"))
        })?;
        let code = URL_SAFE_NO_PAD.encode(random);
        self.sessions.codes().add(&code, actor, Instant::now());
        let fragment = format!("#code={code}");
        Ok(SignInCode { code, expires_at: now().plus(limits::SIGN_IN_CODE_TTL), fragment })
    }
}

/// What tells a session from every other, without being of use to whoever learns it.
fn id_of(csrf: &str) -> String {
    Secret::hash_of(csrf)
}

impl Sessions {
    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn codes(&self) -> std::sync::MutexGuard<'_, Codes> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
