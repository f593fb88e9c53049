//! One agent at a time: whoever holds the Lease reads, reports and writes; another one waits.
//!
//! The holder's own clock counts: a Lease that was not seen to change for its whole duration is
//! free, whatever the times in it say.

use std::time::{Duration, Instant};

use anyhow::Context;
use http::Method;
use rialto_types::id::Timestamp;
use rialto_types::limits;
use rialto_wire::identity::now;
use serde::{Deserialize, Serialize};

use super::api::{Api, Body, Error, Session};

/// The part of `coordination.k8s.io/v1` Lease that decides; the rest belongs to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    metadata: LeaseMetadata,
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseMetadata {
    /// A write on top of another version is refused.
    resource_version: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_time: Option<String>,
}

/// What to do about a Lease as it was just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Take,
    Wait,
}

/// What was seen of a Lease. Pure.
#[derive(Debug)]
struct Watch {
    holder: String,
    /// The version seen last, and since when.
    seen: Option<(String, Instant)>,
}

impl Watch {
    fn handle_read(&mut self, lease: &Lease, now: Instant) -> Step {
        let version = &lease.metadata.resource_version;
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            Some(_) | None => now,
        };
        self.seen = Some((version.clone(), since));
        match &lease.spec.holder_identity {
            None => Step::Take,
            Some(holder) if holder.is_empty() || *holder == self.holder => Step::Take,
            Some(_) => {
                let stated = lease.spec.lease_duration_seconds.map(Duration::from_secs);
                let duration = stated.unwrap_or(limits::KUBERNETES_LEASE);
                if now.duration_since(since) > duration { Step::Take } else { Step::Wait }
            }
        }
    }
}

/// The Lease of this cluster's agent.
#[derive(Debug)]
pub struct Election {
    api: Api,
    path: String,
    watch: Watch,
}

impl Election {
    /// `holder` must be another one for each process: the pod's name.
    pub fn new(api: Api, namespace: &str, name: &str, holder: String) -> Self {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}");
        Self { api, path, watch: Watch { holder, seen: None } }
    }

    /// Waits until the Lease is ours.
    pub async fn win(&mut self) -> anyhow::Result<()> {
        let mut is_told = false;
        loop {
            match self.attempt().await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::info!(lease = self.path, "another agent is at work; waiting");
                    }
                }
                Err(error) if error.is_forbidden() || error.is_absent() => {
                    return Err(error).context("the Lease of the agent cannot be used");
                }
                Err(error) => tracing::warn!(%error, "the Lease cannot be had yet"),
            }
            tokio::time::sleep(limits::KUBERNETES_LEASE_BEAT).await;
        }
    }

    /// Renews until the Lease is lost; then nobody may go on as if it were ours.
    pub async fn hold(mut self) -> String {
        loop {
            tokio::time::sleep(limits::KUBERNETES_LEASE_BEAT).await;
            match self.attempt().await {
                Ok(true) => {}
                Ok(false) => return "another agent took the Lease".into(),
                // With the API server gone nobody else can take it either, and what is served from
                // memory stays right: only a Lease that is seen in another's hands ends us.
                Err(error) => tracing::warn!(%error, "the Lease was not renewed; trying again"),
            }
        }
    }

    async fn attempt(&mut self) -> Result<bool, Error> {
        let session = self.api.connect().await?;
        let lease: Lease = session.get(&self.path).await?;
        match self.watch.handle_read(&lease, Instant::now()) {
            Step::Wait => Ok(false),
            Step::Take => self.take(&session, lease).await,
        }
    }

    async fn take(&self, session: &Session, mut lease: Lease) -> Result<bool, Error> {
        lease.spec.holder_identity = Some(self.watch.holder.clone());
        lease.spec.lease_duration_seconds = Some(limits::KUBERNETES_LEASE.as_secs());
        lease.spec.renew_time = Some(micro_time(now()));
        match session.send::<Lease>(Method::PATCH, &self.path, Body::MergePatch, &lease).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Kubernetes' MicroTime has exactly six digits.
fn micro_time(time: Timestamp) -> String {
    format!("{}000Z", time.to_string().trim_end_matches('Z'))
}

#[cfg(test)]
mod tests;
