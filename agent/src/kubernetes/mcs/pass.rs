//! One pass over the cluster: everything is read, and what differs is written. An object that
//! cannot be written keeps no other from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use http::Method;
use rialto_types::error::Chain;
use rialto_types::id::ServiceName;
use rialto_types::limits;
use rialto_wire::identity::now;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::condition::{Claim, has_all, settle};
use super::desired::{self, Desired, Owner};
use super::held::{HeldImport, HeldMetadata, HeldSlice};
use super::slice::{self, SLICE_MANAGED_BY};
use super::{Exports, MANAGER};
use crate::kubernetes::api::{Api, Body, Error, Session, at_once};
use crate::kubernetes::object::{Condition, ListMetadata};

/// Both versions have one shape.
const VERSIONS: [&str; 2] = ["multicluster.x-k8s.io/v1beta1", "multicluster.x-k8s.io/v1alpha1"];

/// We write slices for every import.
const SLICES: &str = "Present";

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Written,
    /// Somebody else makes ServiceImports: nothing was written.
    Foreign(Foreign),
    /// The cluster does not have the kind.
    NoKind,
}

/// A ServiceImport that is not ours, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) manager: String,
    pub(super) namespace: String,
    pub(super) name: String,
    version: &'static str,
    uid: String,
}

/// What was found out of the kind ServiceImport as the cluster has it.
#[derive(Debug, Default)]
pub(super) struct Kind {
    /// Before mcs-api 0.5.2 its status did not say whether there are slices.
    says_no_slices: AtomicBool,
}

pub(super) struct Pass<'a> {
    api: &'a Api,
    owner: Option<&'a str>,
    desired: &'a Desired,
    exports: &'a Exports,
    kind: &'a Kind,
    /// The first object that could not be written.
    failed: Option<Error>,
}

/// What is left to do about what was asked.
enum Progress<T> {
    Done(T),
    /// This object could not be written; others may be.
    Skipped,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        api: &'a Api,
        owner: Option<&'a str>,
        desired: &'a Desired,
        exports: &'a Exports,
        kind: &'a Kind,
    ) -> Self {
        Self { api, owner, desired, exports, kind, failed: None }
    }

    pub(super) async fn run(mut self) -> Result<Outcome, Error> {
        let session = self.api.connect().await?;
        let Some((version, held)) = list_imports(&session).await? else {
            return Ok(Outcome::NoKind);
        };
        if let Some(foreign) = held.iter().find(|import| !import.metadata.is_ours()) {
            let manager = foreign.metadata.manager();
            let HeldMetadata { namespace, name, uid, .. } = foreign.metadata.clone();
            return Ok(Outcome::Foreign(Foreign { manager, namespace, name, version, uid }));
        }
        let owner = self.owner(&session).await?;
        let written = self.imports(&session, version, held, owner.as_ref()).await?;
        self.slices(&session, version, &written).await?;
        self.statuses_of_exports(&session, version).await?;
        match self.failed {
            None => Ok(Outcome::Written),
            Some(error) => Err(error),
        }
    }

    /// A refusal is about one object; everything else ends the pass.
    fn progress<T>(&mut self, what: &str, done: Result<T, Error>) -> Result<Progress<T>, Error> {
        match done {
            Ok(done) => Ok(Progress::Done(done)),
            Err(error) if error.is_about_object() => {
                let text = Chain(&error).to_string();
                tracing::debug!(object = what, error = text, "an object was not written");
                self.failed.get_or_insert(error);
                Ok(Progress::Skipped)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the imports as they are now.
    async fn imports(
        &mut self,
        session: &Session,
        version: &str,
        held: Vec<HeldImport>,
        owner: Option<&Owner>,
    ) -> Result<BTreeMap<ServiceName, HeldImport>, Error> {
        let mut known: BTreeMap<(String, String), HeldImport> =
            held.into_iter().map(|import| (import.metadata.key(), import)).collect();
        let desired = self.desired;
        let mut steps = Vec::new();
        for (name, import) in &desired.imports {
            let key = (name.namespace.to_string(), name.name.to_string());
            let manifest = desired::manifest(version, name, import, owner);
            let path = import_path(version, &key);
            let change = match known.remove(&key) {
                Some(held) if held.is_as(&manifest) => Change::None(held.into()),
                before => Change::Apply { manifest, is_ours: before.is_some() },
            };
            let (clusters, ready) = (import.clusters.clone(), import.ready.clone());
            let status = ImportStatus { clusters, ready };
            steps.push(ImportStep { path, name: name.clone(), change, status });
        }
        let kind = self.kind;
        let mut written = BTreeMap::new();
        let mut steps = at_once(steps.into_iter().map(|step| step.take(session, version, kind)));
        while let Some((name, path, done)) = steps.next().await {
            let Progress::Done((held, told)) = self.progress(&path, done)? else { continue };
            self.progress(&path, told)?;
            written.insert(name, held);
        }
        let steps = known.into_values().map(|import| {
            let path = import_path(version, &import.metadata.key());
            delete(session, path, import.metadata)
        });
        for path in self.deletions(steps).await? {
            tracing::info!(path, "ServiceImport removed");
        }
        Ok(written)
    }

    async fn slices(
        &mut self,
        session: &Session,
        version: &str,
        imports: &BTreeMap<ServiceName, HeldImport>,
    ) -> Result<(), Error> {
        let path = format!(
            "/apis/discovery.k8s.io/v1/endpointslices?labelSelector={SLICE_MANAGED_BY}%3D{MANAGER}"
        );
        let held: Vec<HeldSlice> = list(session, &path).await?;
        let mut known: BTreeMap<(String, String), HeldSlice> =
            held.into_iter().map(|slice| (slice.metadata.key(), slice)).collect();
        let path = |(namespace, name): &(String, String)| {
            format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}")
        };
        let mut differing = Vec::new();
        for (key, slice) in &self.desired.slices {
            let held = known.remove(key);
            let Some(import) = imports.get(&slice.service) else { continue };
            let owner = Owner {
                api_version: version.into(),
                kind: "ServiceImport",
                name: import.metadata.name.clone(),
                uid: import.metadata.uid.clone(),
            };
            let manifest = slice::manifest(&key.1, slice, &owner);
            if !held.as_ref().is_some_and(|held| held.is_as(&manifest)) {
                differing.push((path(key), held.is_some(), manifest));
            }
        }
        let steps = differing.into_iter();
        let mut steps = at_once(
            steps.map(|(path, is_ours, manifest)| put_slice(session, path, is_ours, manifest)),
        );
        while let Some((path, done)) = steps.next().await {
            self.progress(&path, done)?;
        }
        let steps =
            known.into_iter().map(|(key, slice)| delete(session, path(&key), slice.metadata));
        self.deletions(steps).await?;
        Ok(())
    }

    /// Gives the paths of what is gone.
    async fn deletions<F>(
        &mut self,
        steps: impl IntoIterator<Item = F>,
    ) -> Result<Vec<String>, Error>
    where
        F: Future<Output = (String, Result<(), Error>)>,
    {
        let mut gone = Vec::new();
        let mut steps = at_once(steps);
        while let Some((path, done)) = steps.next().await {
            if let Progress::Done(()) = self.progress(&path, done)? {
                gone.push(path);
            }
        }
        Ok(gone)
    }

    async fn statuses_of_exports(&mut self, session: &Session, version: &str) -> Result<(), Error> {
        let (desired, exports) = (self.desired, self.exports);
        let mut untold = Vec::new();
        for (service, claims) in &desired.exports {
            let Some(state) = exports.get(service) else { continue };
            let wanted = settle(claims, &state.conditions, state.generation, now());
            if !has_all(&state.conditions, &wanted) {
                untold.push((service.clone(), wanted));
            }
        }
        let steps = untold.into_iter();
        let mut steps = at_once(
            steps.map(|(service, wanted)| status_of_export(session, version, service, wanted)),
        );
        while let Some((path, told)) = steps.next().await {
            self.progress(&path, told)?;
        }
        Ok(())
    }

    async fn owner(&self, session: &Session) -> Result<Option<Owner>, Error> {
        #[derive(Deserialize)]
        struct Role {
            metadata: HeldMetadata,
        }
        const VERSION: &str = "rbac.authorization.k8s.io/v1";
        let Some(name) = self.owner else { return Ok(None) };
        let role: Role = session.get(&format!("/apis/{VERSION}/clusterroles/{name}")).await?;
        let (name, uid) = (name.to_owned(), role.metadata.uid);
        Ok(Some(Owner { api_version: VERSION.into(), kind: "ClusterRole", name, uid }))
    }
}

/// Tells the people of the cluster on the object itself.
pub(super) async fn tell(api: &Api, foreign: &Foreign, message: &str) -> Result<(), Error> {
    let Foreign { namespace, name, version, uid, .. } = foreign;
    let time = super::condition::seconds(now());
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "rialto-", "namespace": namespace},
        "involvedObject": {
            "apiVersion": version,
            "kind": "ServiceImport",
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "type": "Warning",
        "reason": "AnotherController",
        "message": message,
        "source": {"component": MANAGER},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    });
    let path = format!("/api/v1/namespaces/{namespace}/events");
    let session = api.connect().await?;
    session.send::<Value>(Method::POST, &path, Body::Object, &event).await.map(drop)
}

/// Of the version that the cluster has; `None` if it has neither.
async fn list_imports(session: &Session) -> Result<Option<(&'static str, Vec<HeldImport>)>, Error> {
    for version in VERSIONS {
        match list(session, &format!("/apis/{version}/serviceimports")).await {
            Ok(held) => return Ok(Some((version, held))),
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Everything, in pages.
async fn list<T: DeserializeOwned>(session: &Session, path: &str) -> Result<Vec<T>, Error> {
    #[derive(Deserialize)]
    struct Page<T> {
        metadata: ListMetadata,
        items: Vec<T>,
    }
    let mut items = Vec::new();
    let mut next = String::new();
    let separator = if path.contains('?') { '&' } else { '?' };
    loop {
        let limit = limits::KUBERNETES_PAGE_OBJECTS;
        let mut page_path = format!("{path}{separator}limit={limit}");
        if !next.is_empty() {
            page_path = format!("{page_path}&continue={next}");
        }
        let page: Page<T> = session.get(&page_path).await?;
        items.extend(page.items);
        let max = limits::KUBERNETES_OBJECTS_MAX;
        if items.len() > max {
            return Err(Error::TooMany { path: path.into(), max });
        }
        next = page.metadata.continue_token;
        if next.is_empty() {
            return Ok(items);
        }
    }
}

fn import_path(version: &str, (namespace, name): &(String, String)) -> String {
    format!("/apis/{version}/namespaces/{namespace}/serviceimports/{name}")
}

/// What was not there is not forced: somebody else may have made it just now.
async fn apply<T: DeserializeOwned>(
    session: &Session,
    path: &str,
    is_ours: bool,
    manifest: &Value,
) -> Result<T, Error> {
    let path = format!("{path}?fieldManager={MANAGER}&force={is_ours}");
    session.send(Method::PATCH, &path, Body::Apply, manifest).await
}

/// That very object, not another one of its name.
async fn delete(
    session: &Session,
    path: String,
    held: HeldMetadata,
) -> (String, Result<(), Error>) {
    let options = json!({"preconditions": {"uid": held.uid}});
    let done = match session.send::<Value>(Method::DELETE, &path, Body::Object, &options).await {
        Err(error) if !error.is_absent() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    };
    (path, done)
}

/// An import that is to be as desired, its status too.
struct ImportStep {
    path: String,
    name: ServiceName,
    change: Change,
    status: ImportStatus,
}

struct ImportStatus {
    clusters: Vec<String>,
    ready: Claim,
}

enum Change {
    None(Box<HeldImport>),
    Apply { manifest: Value, is_ours: bool },
}

/// The object as it is now, and what became of its status.
type Written = (HeldImport, Result<(), Error>);

impl ImportStep {
    async fn take(
        self,
        session: &Session,
        version: &str,
        kind: &Kind,
    ) -> (ServiceName, String, Result<Written, Error>) {
        let Self { path, name, change, status } = self;
        let held = match change {
            Change::None(held) => Ok(*held),
            Change::Apply { manifest, is_ours } => {
                let applied = apply(session, &path, is_ours, &manifest).await;
                applied.inspect(|_| tracing::info!(service = %name, "ServiceImport written"))
            }
        };
        let done = match held {
            Ok(held) => {
                let told = status.tell(session, version, kind, &path, &held).await;
                Ok((held, told))
            }
            Err(error) => Err(error),
        };
        (name, path, done)
    }
}

impl ImportStatus {
    async fn tell(
        &self,
        session: &Session,
        version: &str,
        kind: &Kind,
        path: &str,
        held: &HeldImport,
    ) -> Result<(), Error> {
        let metadata = &held.metadata;
        let claims = std::slice::from_ref(&self.ready);
        let wanted = settle(claims, &held.status.conditions, metadata.generation, now());
        let clusters = held.status.clusters.iter().map(|it| &it.cluster);
        let says_no_slices = kind.says_no_slices.load(Ordering::Relaxed);
        let has_slices = says_no_slices || held.status.endpoint_slice_objects == SLICES;
        let is_same = clusters.eq(&self.clusters) && has_slices;
        if is_same && has_all(&held.status.conditions, &wanted) {
            return Ok(());
        }
        let clusters: Vec<Value> = self.clusters.iter().map(|it| json!({"cluster": it})).collect();
        let status = json!({
            "apiVersion": version,
            "kind": "ServiceImport",
            "metadata": {"name": metadata.name, "namespace": metadata.namespace},
            "status": {"clusters": clusters, "conditions": wanted},
        });
        let path = format!("{path}/status?fieldManager={MANAGER}&force=true");
        if !says_no_slices {
            let mut whole = status.clone();
            whole["status"]["endpointSliceObjects"] = json!(SLICES);
            match session.send::<Value>(Method::PATCH, &path, Body::Apply, &whole).await {
                Err(error) if error.is_undeclared() => {
                    kind.says_no_slices.store(true, Ordering::Relaxed);
                }
                told => return told.map(drop),
            }
        }
        session.send::<Value>(Method::PATCH, &path, Body::Apply, &status).await.map(drop)
    }
}

async fn put_slice(
    session: &Session,
    path: String,
    is_ours: bool,
    manifest: Value,
) -> (String, Result<(), Error>) {
    let applied = apply::<Value>(session, &path, is_ours, &manifest).await;
    (path, applied.map(drop))
}

async fn status_of_export(
    session: &Session,
    version: &str,
    service: ServiceName,
    conditions: Vec<Condition>,
) -> (String, Result<(), Error>) {
    let (namespace, name) = (&service.namespace, &service.name);
    let status = json!({
        "apiVersion": version,
        "kind": "ServiceExport",
        "metadata": {"name": name, "namespace": namespace},
        "status": {"conditions": conditions},
    });
    // Without force: a condition that another controller keeps is its own.
    let path = format!(
        "/apis/{version}/namespaces/{namespace}/serviceexports/{name}/status?fieldManager={MANAGER}"
    );
    let told = match session.send::<Value>(Method::PATCH, &path, Body::Apply, &status).await {
        Err(error) if !error.is_absent() => Err(error),
        // It may have been deleted meanwhile.
        Ok(_) | Err(_) => Ok(()),
    };
    (path, told)
}
