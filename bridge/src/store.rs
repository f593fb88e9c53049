//! The applied state behind a lock and a watch: what raft writes and everybody else reads.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rialto_core::state::{Action, Command, Done, State, codec};
use rialto_types::api::{Change, Written};
use rialto_types::cluster::JoinTokenSpec;
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::Revision;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::raft::StateMachine;

/// What a command did, as it travels from the leader to the member that proposed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Written(Box<Written>),
    Redeemed(JoinTokenSpec),
    Reverted {
        revision: Revision,
        changes: Vec<Change>,
    },
    Accepted {
        revision: Revision,
    },
    /// A report built on one that the state does not have.
    NeedsFull,
    Refused(Box<Problem>),
}

/// The state of this member; clones read the same.
#[derive(Debug, Clone)]
pub struct Store {
    state: Arc<RwLock<State>>,
    revision: watch::Receiver<Revision>,
}

/// The writing side, which raft owns.
#[derive(Debug)]
pub struct Machine {
    state: Arc<RwLock<State>>,
    revision: watch::Sender<Revision>,
}

impl Store {
    pub fn new() -> (Store, Machine) {
        let state = Arc::new(RwLock::new(State::default()));
        let (sender, revision) = watch::channel(Revision::default());
        (Store { state: state.clone(), revision }, Machine { state, revision: sender })
    }

    /// The state as it is, for a look: raft waits to write, and everybody else behind it.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state as it is now, for work that takes long: nobody waits for it.
    pub fn copy(&self) -> State {
        self.read().clone()
    }

    /// Changes whenever the revision does.
    pub fn watch(&self) -> watch::Receiver<Revision> {
        self.revision.clone()
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, index: u64, command: &[u8]) -> Vec<u8> {
        let outcome = match Command::decode(command) {
            Ok(command) => {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                apply(&mut state, index, command)
            }
            Err(error) => {
                Outcome::Refused(Box::new(Problem::new(Code::Internal, Chain(&error).to_string())))
            }
        };
        serde_json::to_vec(&outcome).expect("an outcome has text keys only")
    }

    fn snapshot(&self) -> Vec<u8> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner).clone();
        codec::encode(&state)
    }

    fn restore(
        &mut self,
        _index: u64,
        state: &[u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let restored = codec::decode(state)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = restored;
        self.announce();
        Ok(())
    }

    fn batch_applied(&mut self, _index: u64) {
        self.announce();
    }
}

impl Machine {
    fn announce(&self) {
        let revision = self.state.read().unwrap_or_else(PoisonError::into_inner).revision();
        self.revision.send_if_modified(|held| std::mem::replace(held, revision) != revision);
    }
}

fn apply(state: &mut State, index: u64, command: Command) -> Outcome {
    let is_write = matches!(
        command.action,
        Action::Put(_) | Action::Delete { .. } | Action::Shift { .. } | Action::SetDrained { .. }
    );
    let applied = state.apply(index, command);
    let revision = applied.revision;
    match &applied.outcome {
        Err(refused) if refused.needs_full() => Outcome::NeedsFull,
        Err(refused) => Outcome::Refused(Box::new(Problem::from(refused))),
        Ok(Done::Redeemed(spec)) => Outcome::Redeemed(spec.clone()),
        Ok(Done::Reverted(changes)) => Outcome::Reverted { revision, changes: changes.clone() },
        Ok(Done::Written(_) | Done::Accepted) if is_write => match applied.into_written() {
            Ok(written) => Outcome::Written(Box::new(written)),
            Err(refused) => Outcome::Refused(Box::new(Problem::from(refused))),
        },
        Ok(Done::Written(_) | Done::Accepted) => Outcome::Accepted { revision },
    }
}

#[cfg(test)]
mod tests;
