//! What an agent looks at in its own cluster every now and then, for `rialto check`: what no watch
//! tells, and what a person has to put right.
//!
//! ```text
//! API server, cluster's DNS, a gateway ──▶ Facts ──judge──▶ findings ──▶ bridge
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use http::Method;
use rialto_types::error::Chain;
use rialto_types::finding::Finding;
use rialto_types::id::{ClusterName, InstanceId};
use rialto_types::limits;
use rialto_wire::identity;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::api::{Api, Body, Error, Session};
use super::mcs::Standing;
use crate::config::Mode;

mod event;
mod judge;
pub mod names;
mod source;

use judge::{Facts, Rule};

/// What is needed to look.
#[derive(Debug)]
pub struct Examiner {
    pub api: Api,
    /// Where our own parts run.
    pub namespace: String,
    pub mode: Mode,
    /// `HOST:PORT` of a Service that leads to our gateways' admin listeners.
    pub probe: Option<String>,
    /// The Secret and the Lease that are ours by name.
    pub secret: String,
    pub lease: String,
    /// Gateways that run and whose address other clusters cannot be told.
    pub unaddressed: watch::Receiver<Vec<InstanceId>>,
    /// How the imports stand.
    pub imports: watch::Receiver<Standing>,
    pub findings: watch::Sender<Vec<Finding>>,
}

impl Examiner {
    /// Looks until dropped.
    pub async fn run(mut self) {
        let mut told = Vec::new();
        loop {
            let facts = self.look().await;
            let found = judge::judge(&facts);
            match self.tell(event::news(&told, &found)).await {
                Ok(()) => told = event::keep(told, &found),
                Err(error) => {
                    let error = Chain(&error);
                    tracing::debug!(%error, "an event was not written; it is tried again");
                }
            }
            self.findings.send_if_modified(|held| {
                let differs = *held != found;
                *held = found;
                differs
            });
            tokio::select! {
                () = tokio::time::sleep(limits::EXAMINE_INTERVAL) => {}
                changed = self.unaddressed.changed() => if changed.is_err() { return },
                changed = self.imports.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn tell(&self, news: Vec<&Finding>) -> Result<(), Error> {
        if news.is_empty() {
            return Ok(());
        }
        let session = self.api.connect().await?;
        let path = format!("/api/v1/namespaces/{}/events", self.namespace);
        for finding in news {
            let event = event::manifest(finding, &self.namespace, &self.lease, identity::now());
            session.send::<IgnoredAny>(Method::POST, &path, Body::Object, &event).await?;
        }
        Ok(())
    }

    async fn look(&mut self) -> Facts {
        let asked = async {
            let session = self.api.connect().await?;
            let rules = rules(&session, &self.namespace).await?;
            Ok((rules, exports(&session).await?))
        };
        let asked = asked.await.map_err(|error: Error| Chain(&error).to_string());
        let controls = self.mode == Mode::Control;
        let names = match controls {
            true => Some(names::ask(Path::new(names::RESOLVER_FILE)).await),
            false => None,
        };
        let seen = match self.probe.as_deref().filter(|_| controls) {
            Some(probe) => Some(source::probe(probe).await),
            None => None,
        };
        let imports = self.imports.borrow_and_update().clone();
        let unreached = unreached(&imports.pods).await;
        let (rules, exports) = match asked {
            Ok((rules, exports)) => (Ok(rules), Ok(exports)),
            Err(text) => (Err(text.clone()), Err(text)),
        };
        Facts {
            mode: self.mode,
            secret: self.secret.clone(),
            lease: self.lease.clone(),
            rules,
            exports,
            names,
            seen,
            unaddressed: self.unaddressed.borrow_and_update().clone(),
            imports: controls.then_some(imports),
            unreached,
        }
    }
}

/// One connection to a gateway: from where we called, and from where the gateway saw it come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) own: IpAddr,
    pub(crate) shown: IpAddr,
}

/// The clusters whose pods do not answer ours. One that refuses is reached.
async fn unreached(pods: &BTreeMap<ClusterName, SocketAddr>) -> Vec<(ClusterName, SocketAddr)> {
    let asked = pods.iter().map(async |(cluster, address)| {
        let within = limits::POD_PROBE_TIMEOUT;
        let answer = tokio::time::timeout(within, TcpStream::connect(address)).await;
        let is_reached = match answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            Err(_) => false,
        };
        (!is_reached).then(|| (cluster.clone(), *address))
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

/// What our service account may do, as the API server says it.
async fn rules(session: &Session, namespace: &str) -> Result<Vec<Rule>, Error> {
    #[derive(Deserialize)]
    struct Review {
        status: Status,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        resource_rules: Vec<Rule>,
    }
    const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let request = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let review: Review = session.send(Method::POST, PATH, Body::Object, &request).await?;
    Ok(review.status.resource_rules)
}

/// The versions in which the cluster has the kinds of the MCS API; none where it lacks them.
async fn exports(session: &Session) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Group {
        versions: Vec<Version>,
    }
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    match session.get::<Group>("/apis/multicluster.x-k8s.io").await {
        Ok(group) => Ok(group.versions.into_iter().map(|it| it.version).collect()),
        Err(error) if error.is_absent() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
