//! The only conversions between protobuf messages and the types.

use rialto_types::error::{Chain, Code, Problem};
use rialto_types::snapshot::Entry as SnapshotEntry;
use rialto_types::{id, local};

use super::{Entry, Revision, TablePosition};
use crate::digest::sha256;
use crate::transport;

/// Why a received message is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("entry `{0}` does not have the hash that was announced")]
    Hash(String),
    #[error("entry `{name}` cannot be read")]
    Entry { name: String, source: serde_json::Error },
    #[error("entry `{name}` names itself `{inner}`")]
    Name { name: String, inner: String },
    #[error("the local table cannot be read")]
    Table(#[source] serde_json::Error),
    #[error("the change is not one of the local table that is held, {held:?}")]
    Base { held: (u64, u64) },
}

impl From<id::Revision> for Revision {
    fn from(revision: id::Revision) -> Self {
        Self { epoch: revision.epoch, index: revision.index }
    }
}

impl From<Revision> for id::Revision {
    fn from(revision: Revision) -> Self {
        Self { epoch: revision.epoch, index: revision.index }
    }
}

/// Encodes an entry once; its hash is over exactly these bytes.
pub fn delta_entry(entry: &SnapshotEntry) -> Entry {
    let bytes = serde_json::to_vec(entry).expect("an entry has text keys only");
    Entry { name: entry.name(), hash: sha256(&bytes).to_vec().into(), bytes: bytes.into() }
}

impl Entry {
    /// Checks the hash over the received bytes; to be called before anything is decoded.
    pub fn verify(&self) -> Result<(), Fault> {
        if sha256(&self.bytes)[..] == self.hash[..] {
            Ok(())
        } else {
            Err(Fault::Hash(self.name.clone()))
        }
    }

    /// The entry itself; its name must be the one that was announced.
    pub fn open(&self) -> Result<SnapshotEntry, Fault> {
        let entry: SnapshotEntry = serde_json::from_slice(&self.bytes)
            .map_err(|source| Fault::Entry { name: self.name.clone(), source })?;
        if entry.name() != self.name {
            return Err(Fault::Name { name: self.name.clone(), inner: entry.name() });
        }
        Ok(entry)
    }
}

impl super::Table {
    pub fn of(table: &local::LocalTable) -> Self {
        let bytes = serde_json::to_vec(table).expect("a table has text keys only");
        Self {
            position: Some(position(table)),
            hash: sha256(&bytes).to_vec().into(),
            bytes: bytes.into(),
        }
    }

    /// Checks the hash, then decodes.
    pub fn open(&self) -> Result<local::LocalTable, Fault> {
        if sha256(&self.bytes)[..] != self.hash[..] {
            return Err(Fault::Hash("local table".into()));
        }
        serde_json::from_slice(&self.bytes).map_err(Fault::Table)
    }
}

impl super::TableChange {
    pub fn between(before: &local::LocalTable, after: &local::LocalTable) -> Self {
        let change = local::LocalChange::between(before, after);
        let bytes = serde_json::to_vec(&change).expect("a change has text keys only");
        Self {
            base: Some(position(before)),
            position: Some(position(after)),
            hash: sha256(&bytes).to_vec().into(),
            bytes: bytes.into(),
        }
    }

    /// Checks the hash and that it changes this table, then makes the next one of it.
    pub fn apply(&self, held: &local::LocalTable) -> Result<local::LocalTable, Fault> {
        if sha256(&self.bytes)[..] != self.hash[..] {
            return Err(Fault::Hash("change of the local table".into()));
        }
        let next = self.position.filter(|next| next.epoch == held.epoch);
        let (Some(next), true) = (next, self.base == Some(position(held))) else {
            return Err(Fault::Base { held: (held.epoch, held.revision) });
        };
        let change: local::LocalChange =
            serde_json::from_slice(&self.bytes).map_err(Fault::Table)?;
        Ok(change.apply(held, next.revision))
    }
}

/// Where a table stands.
pub fn position(table: &local::LocalTable) -> TablePosition {
    TablePosition { epoch: table.epoch, revision: table.revision }
}

/// The gRPC status of a problem; the whole problem travels in the details.
pub fn problem_status(problem: &Problem) -> tonic::Status {
    let code = match problem.status {
        400 | 413 | 415 | 422 | 431 => tonic::Code::InvalidArgument,
        401 => tonic::Code::Unauthenticated,
        403 => tonic::Code::PermissionDenied,
        404 | 410 => tonic::Code::NotFound,
        409 | 412 => tonic::Code::FailedPrecondition,
        429 => tonic::Code::ResourceExhausted,
        503 => tonic::Code::Unavailable,
        504 => tonic::Code::DeadlineExceeded,
        _ => tonic::Code::Internal,
    };
    let details = serde_json::to_vec(problem).expect("a problem has text keys only");
    tonic::Status::with_details(code, problem.to_string(), details.into())
}

/// The problem in a gRPC status, or what comes nearest.
pub fn status_problem(status: &tonic::Status) -> Problem {
    if let Some(error) = transport::Error::find(status) {
        return Problem::new(Code::MemberUnreachable, Chain(error).to_string());
    }
    serde_json::from_slice(status.details()).unwrap_or_else(|_| {
        let code = match status.code() {
            tonic::Code::Unavailable => Code::MemberUnreachable,
            tonic::Code::DeadlineExceeded => Code::CommitTimeout,
            tonic::Code::Unauthenticated => Code::Unauthenticated,
            tonic::Code::PermissionDenied => Code::IdentityRefused,
            tonic::Code::Ok
            | tonic::Code::Cancelled
            | tonic::Code::Unknown
            | tonic::Code::InvalidArgument
            | tonic::Code::NotFound
            | tonic::Code::AlreadyExists
            | tonic::Code::ResourceExhausted
            | tonic::Code::FailedPrecondition
            | tonic::Code::Aborted
            | tonic::Code::OutOfRange
            | tonic::Code::Unimplemented
            | tonic::Code::Internal
            | tonic::Code::DataLoss => Code::Internal,
        };
        Problem::new(code, format!("{:?}: {}", status.code(), status.message()))
    })
}
