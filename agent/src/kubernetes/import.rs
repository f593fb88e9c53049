//! The Services by which pods reach what other clusters export: one per imported service, in our
//! own namespace, whose cluster IP is the service's virtual IP here. It leads to the gateways, to
//! the port that the bridge gave to the service.
//!
//! ```text
//! snapshot ──▶ wanted ─┐
//! list     ──▶ held   ─┴─▶ plan ─▶ apply (server-side, our own field manager), delete
//! ```
//!
//! Our own Services are known by their label; others are never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use futures::StreamExt;
use http::Method;
use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::ServiceName;
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::report::VirtualIps;
use rialto_types::snapshot::{ServiceEntry, Snapshot};
use rialto_wire::digest::{hex, sha256};
use rialto_wire::subscribe::{Backoff, Receiver};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::api::{Api, Body, Error, Session, at_once};
use super::mcs::MANAGER;

/// The label of the Services that are ours to make and to delete.
pub const IMPORT: &str = "rialto.dev/import";

/// Who owns what we write: it goes when this goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    name: String,
    uid: String,
}

/// A Service of ours: as it shall be, or as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Derived {
    service: ServiceName,
    selector: BTreeMap<String, String>,
    /// By number: name and target.
    ports: BTreeMap<u16, (Option<String>, u16)>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Apply { name: String, derived: Derived, addresses: Vec<IpAddr> },
    Delete { name: String },
}

/// What the snapshot asks for, by the names of the Services.
fn wanted(snapshot: &Snapshot, selector: &BTreeMap<String, String>) -> BTreeMap<String, Derived> {
    let derive = |entry: &ServiceEntry| {
        let port = |port: &rialto_types::service::ServicePort| {
            let number = port.port.get();
            let target = *entry.gateway_ports.get(&number)?;
            // Two clusters may each have one port without a name; a Service names all of several.
            let made_up = || (entry.ports.len() > 1).then(|| format!("port-{number}"));
            let name = port.name.as_ref().map(ToString::to_string).or_else(made_up);
            Some((number, (name, target)))
        };
        let ports: BTreeMap<_, _> = entry.ports.iter().filter_map(port).collect();
        let derived = Derived { service: entry.name.clone(), selector: selector.clone(), ports };
        (!derived.ports.is_empty()).then(|| (object_name(&entry.name), derived))
    };
    let named = snapshot.services.values().filter(|entry| entry.headless.is_none());
    named.filter_map(derive).collect()
}

/// Readable, and unique where two names are alike in what fits.
fn object_name(service: &ServiceName) -> String {
    let hash = hex(&sha256(service.to_string().as_bytes()));
    let readable: String = service.name.as_str().chars().take(40).collect();
    format!("import-{readable}-{}", &hash[..8])
}

/// `known` are the addresses that services had: a Service that was deleted gets them back. The
/// steps of a group may be taken at once: first what frees addresses, then what needs a certain
/// one, then what takes any.
fn plan(
    wanted: &BTreeMap<String, Derived>,
    held: &BTreeMap<String, Option<Derived>>,
    known: &VirtualIps,
) -> [Vec<Step>; 3] {
    let unwanted = held.keys().filter(|name| !wanted.contains_key(*name));
    let deletes = unwanted.map(|name| Step::Delete { name: name.clone() });
    let applies = wanted.iter().filter_map(|(name, derived)| {
        let held = held.get(name);
        if held.and_then(Option::as_ref) == Some(derived) {
            return None;
        }
        let addresses = match held {
            Some(_) => Vec::new(),
            None => known.get(&derived.service).cloned().unwrap_or_default(),
        };
        Some(Step::Apply { name: name.clone(), derived: derived.clone(), addresses })
    });
    let takes_any = |step: &Step| {
        matches!(step, Step::Apply { name, addresses, .. }
            if addresses.is_empty() && !held.contains_key(name))
    };
    let (any, own) = applies.partition(takes_any);
    [deletes.collect(), own, any]
}

fn manifest(
    name: &str,
    namespace: &str,
    derived: &Derived,
    addresses: &[IpAddr],
    owner: &Owner,
) -> Value {
    let ports = derived.ports.iter().map(|(number, (name, target))| {
        let mut port = json!({"port": number, "targetPort": target, "protocol": "TCP"});
        if let Some(name) = name {
            port["name"] = json!(name);
        }
        port
    });
    let mut spec = json!({
        "type": "ClusterIP",
        "selector": derived.selector,
        "ports": ports.collect::<Vec<_>>(),
    });
    if let Some(first) = addresses.first() {
        spec["clusterIP"] = json!(first);
        spec["clusterIPs"] = json!(addresses);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {IMPORT: "", "app.kubernetes.io/managed-by": MANAGER},
            "annotations": {"rialto.dev/service": derived.service.to_string()},
            "ownerReferences": [{
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "name": owner.name,
                "uid": owner.uid,
            }],
        },
        "spec": spec,
    })
}

#[derive(Deserialize)]
struct HeldList {
    items: Vec<HeldObject>,
}

#[derive(Deserialize)]
struct HeldObject {
    metadata: HeldMetadata,
    spec: HeldSpec,
}

#[derive(Deserialize)]
struct HeldMetadata {
    name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeldSpec {
    #[serde(default)]
    selector: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<HeldPort>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeldPort {
    #[serde(default)]
    name: Option<String>,
    port: u16,
    /// A number in what we write.
    #[serde(default)]
    target_port: Value,
}

impl HeldObject {
    /// `None` where it is not as we write, and has to be written again.
    fn derived(&self) -> Option<Derived> {
        let service = self.metadata.annotations.get("rialto.dev/service")?.parse().ok()?;
        let port = |port: &HeldPort| {
            let target = port.target_port.as_u64().and_then(|target| target.try_into().ok())?;
            Some((port.port, (port.name.clone(), target)))
        };
        let ports: Option<BTreeMap<_, _>> = self.spec.ports.iter().map(port).collect();
        Some(Derived { service, selector: self.spec.selector.clone(), ports: ports? })
    }
}

/// Hands on what the bridge says that other clusters export.
#[derive(Debug)]
pub struct Imports {
    pub snapshot: watch::Sender<Option<Arc<Snapshot>>>,
}

impl Receiver for Imports {
    async fn apply(&self, snapshot: Arc<Snapshot>) -> Result<(), String> {
        self.snapshot.send_replace(Some(snapshot));
        Ok(())
    }

    async fn apply_table(&self, _: Arc<LocalTable>) {}

    async fn explain(&self, _: ExplainRequest) -> Result<Explanation, Problem> {
        Err(Problem::new(Code::NotSupported, "an agent does not choose; ask a gateway"))
    }
}

/// Writes the Services.
#[derive(Debug)]
pub struct Writer {
    pub api: Api,
    pub namespace: String,
    pub selector: BTreeMap<String, String>,
    /// The Lease that owns what is written.
    pub lease: String,
    pub snapshot: watch::Receiver<Option<Arc<Snapshot>>>,
    /// The addresses as the provider sees them; a change may be a Service that somebody deleted.
    pub virtual_ips: watch::Receiver<VirtualIps>,
}

impl Writer {
    /// Writes until dropped.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut known = VirtualIps::new();
        loop {
            for (service, addresses) in self.virtual_ips.borrow_and_update().iter() {
                known.insert(service.clone(), addresses.clone());
            }
            let snapshot = self.snapshot.borrow_and_update().clone();
            let Some(snapshot) = snapshot else {
                if self.snapshot.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let wanted = wanted(&snapshot, &self.selector);
            let services: BTreeSet<&ServiceName> = wanted.values().map(|it| &it.service).collect();
            known.retain(|service, _| services.contains(service));
            let wait = match self.write(&wanted, &known).await {
                Ok(()) => {
                    backoff.reset();
                    limits::KUBERNETES_REWRITE
                }
                Err(error) => {
                    let text = Chain(&error).to_string();
                    tracing::warn!(error = text, "imports are not written yet; trying again");
                    let wanted = error.retry_after().unwrap_or_default();
                    backoff.next(rand::random()).max(wanted).min(limits::KUBERNETES_WAIT_MAX)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.snapshot.changed() => if changed.is_err() { return },
                changed = self.virtual_ips.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn write(
        &self,
        wanted: &BTreeMap<String, Derived>,
        known: &VirtualIps,
    ) -> Result<(), Error> {
        let session = self.api.connect().await?;
        let owner = self.owner(&session).await?;
        let base = format!("/api/v1/namespaces/{}/services", self.namespace);
        let list: HeldList = session.get(&format!("{base}?labelSelector={IMPORT}")).await?;
        let held = list.items.iter().map(|it| (it.metadata.name.clone(), it.derived()));
        // One that cannot be written keeps no other from it.
        let mut failed = None;
        let mut again = Vec::new();
        for mut steps in plan(wanted, &held.collect(), known) {
            steps.append(&mut again);
            let steps = steps.into_iter().map(|step| self.take(&session, &base, step, &owner));
            let mut steps = at_once(steps);
            while let Some(done) = steps.next().await {
                match done {
                    Err(error) if error.is_about_object() => {
                        failed.get_or_insert(error);
                    }
                    done => again.extend(done?),
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Gives what is to be done yet.
    async fn take(
        &self,
        session: &Session,
        base: &str,
        step: Step,
        owner: &Owner,
    ) -> Result<Option<Step>, Error> {
        match step {
            Step::Delete { name } => {
                let path = format!("{base}/{name}");
                let options = json!({});
                let deleted: Result<Value, Error> =
                    session.send(Method::DELETE, &path, Body::Object, &options).await;
                match deleted {
                    Err(error) if !error.is_absent() => return Err(error),
                    Ok(_) | Err(_) => tracing::info!(name, "derived Service removed"),
                }
            }
            Step::Apply { name, derived, addresses } => {
                match self.apply(session, &name, &derived, &addresses, owner).await {
                    Err(error) if error.is_invalid() && !addresses.is_empty() => {
                        tracing::warn!(%error, name, "its old address is taken; taking another");
                        return Ok(Some(Step::Apply { name, derived, addresses: Vec::new() }));
                    }
                    applied => applied?,
                }
                tracing::info!(service = %derived.service, name, "derived Service written");
            }
        }
        Ok(None)
    }

    /// Asks for certain addresses more than once.
    async fn apply(
        &self,
        session: &Session,
        name: &str,
        derived: &Derived,
        addresses: &[IpAddr],
        owner: &Owner,
    ) -> Result<(), Error> {
        let path = format!(
            "/api/v1/namespaces/{}/services/{name}?fieldManager={MANAGER}&force=true",
            self.namespace
        );
        let object = manifest(name, &self.namespace, derived, addresses, owner);
        let mut left = if addresses.is_empty() { 1 } else { limits::KUBERNETES_ADDRESS_TRIES };
        loop {
            left -= 1;
            match session.send::<Value>(Method::PATCH, &path, Body::Apply, &object).await {
                Err(error) if error.is_invalid() && left > 0 => {
                    tracing::debug!(%error, name, "its old address is not free yet");
                    tokio::time::sleep(limits::KUBERNETES_ADDRESS_PAUSE).await;
                }
                applied => return applied.map(drop),
            }
        }
    }

    async fn owner(&self, session: &Session) -> Result<Owner, Error> {
        #[derive(Deserialize)]
        struct Lease {
            metadata: LeaseMetadata,
        }
        #[derive(Deserialize)]
        struct LeaseMetadata {
            uid: String,
        }
        let (namespace, name) = (&self.namespace, self.lease.clone());
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}");
        let lease: Lease = session.get(&path).await?;
        Ok(Owner { name, uid: lease.metadata.uid })
    }
}

#[cfg(test)]
mod tests;
