//! How a part gets its identity, keeps it on disk, and renews it.
//!
//! ```text
//! agent, member ── redeem(token) ──▶ bridge          the server is known by the token's fingerprint
//! gateway, dns ── first ──▶ agent ──▶ bridge         the client is known to the kernel (Unix socket),
//!                                                     or by a service account's token (Kubernetes)
//! later: keep_renewed, over mutual TLS, at half of each certificate's life
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use rialto_types::cluster::{bridge_trust_domain, trust_domain};
use rialto_types::error::{Chain, Code, Problem};
use rialto_types::id::{ClusterName, InstanceId, Role, SpiffeId};
use rialto_types::limits;
use rialto_types::token::JoinToken;
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;

use crate::grpc::join_client::JoinClient;
use crate::grpc::local_client::LocalClient;
use crate::grpc::local_join_client::LocalJoinClient;
use crate::grpc::{
    Credentials, FirstRequest, IssueRequest, MemberSecrets, RedeemRequest, problem_status,
    status_problem,
};
use crate::identity::{
    self, Expected, Fingerprint, Identity, KeyRequest, Svid, TrustBundle, bundle, file, key, svid,
};
use crate::subscribe::Backoff;
use crate::transport;

/// Why an identity could not be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the certificate request was refused")]
    Refused(#[source] Box<Problem>),
    #[error("no new key could be made")]
    Key(#[source] key::Error),
    #[error("the certificate that came is not one for our key")]
    Svid(#[source] svid::Error),
    #[error("an anchor that came is not valid")]
    Anchor(#[source] bundle::Error),
    #[error("`{0}` is not an identity that we may have")]
    Foreign(String),
    #[error("the folder of the identity cannot be used; is it ours, and the disk not full?")]
    Folder(#[source] file::Error),
    #[error("`{0}` is damaged; remove the folder and join again")]
    Damaged(PathBuf),
    #[error("the agent's `anchor` is {0:?}; expected the 64 hex digits of its cluster's anchor")]
    Pin(String),
}

/// Why settings do not say where the first certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("set either `agentSocket` or `agent`: the first certificate comes from there")]
pub struct NoAgent;

/// The agent of a cluster, by the network: in Kubernetes, where parts do not share a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentService {
    pub cluster: ClusterName,
    /// `HOST:PORT` of the agent's TLS listener.
    pub address: String,
    /// SHA-256 of the cluster's issuer certificate, in hex: the agent is known by it.
    pub anchor: String,
    /// A projected token of this part's service account, for the audience `rialto`.
    pub token_file: PathBuf,
}

/// Where a part that has no certificate asks for its first one.
#[derive(Debug, Clone, Copy)]
pub enum Introducer<'a> {
    Socket(&'a Path),
    Service(&'a AgentService),
}

impl<'a> Introducer<'a> {
    /// From the settings of a part, of which exactly one is set.
    pub fn of(
        socket: Option<&'a PathBuf>,
        service: Option<&'a AgentService>,
    ) -> Result<Self, NoAgent> {
        match (socket, service) {
            (Some(path), None) => Ok(Self::Socket(path)),
            (None, Some(service)) => Ok(Self::Service(service)),
            (None, None) | (Some(_), Some(_)) => Err(NoAgent),
        }
    }

    fn channel(self) -> Result<Channel, Error> {
        match self {
            Self::Socket(path) => Ok(transport::connect_local(path.to_owned())),
            Self::Service(service) => {
                let pin = service.anchor.parse::<Fingerprint>();
                let pin = pin.map_err(|_| Error::Pin(service.anchor.clone()))?;
                let domain = trust_domain(&service.cluster);
                let agent = Expected::Part { domain, role: Role::Agent };
                Ok(transport::connect_pinned(vec![service.address.clone()], pin, agent))
            }
        }
    }

    /// Read at each attempt: the platform replaces the token long before it expires.
    fn token(self) -> Result<String, Problem> {
        let Self::Service(service) = self else { return Ok(String::new()) };
        let path = &service.token_file;
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problem::new(Code::AgentSilent, format!("`{}`: {error}", path.display()))
        })?;
        Ok(text.trim().to_owned())
    }
}

/// Where a part's counterparts are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contacts {
    /// `None` for members of the control plane.
    pub cluster: Option<ClusterName>,
    /// `HOST:PORT` of the bridge's gRPC listeners.
    pub bridges: Vec<String>,
    /// `HOST:PORT` of the agent's mutual TLS listener, for gateways and DNS proxies.
    pub agent: Option<String>,
}

/// An identity, whom it believes, and where its counterparts are.
#[derive(Debug)]
pub struct Enrolled {
    pub svid: Svid,
    pub bundle: TrustBundle,
    pub contacts: Contacts,
}

/// The folder in which a part keeps its identity: `identity.pem`, `anchors.pem`, `contacts.json`.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// What was kept; `None` before the part has joined.
    pub fn load(&self) -> Result<Option<Enrolled>, Error> {
        let svid = match Svid::load(&self.file("identity.pem")) {
            Err(error) if error.is_absent() => return Ok(None),
            svid => svid.map_err(Error::Svid)?,
        };
        let bundle = TrustBundle::load(&self.file("anchors.pem")).map_err(Error::Anchor)?;
        let path = self.file("contacts.json");
        let bytes = file::read_private(&path, limits::CONTACTS_FILE_BYTES_MAX);
        let contacts = serde_json::from_slice(&bytes.map_err(Error::Folder)?);
        let contacts = contacts.map_err(|_| Error::Damaged(path))?;
        Ok(Some(Enrolled { svid, bundle, contacts }))
    }

    /// Keeps an identity; the certificate comes last, because its presence says that all is there.
    pub fn store(&self, enrolled: &Enrolled) -> Result<(), Error> {
        let make = |source| file::Error::Write { path: self.path.clone(), source };
        std::fs::create_dir_all(&self.path).map_err(make).map_err(Error::Folder)?;
        self.store_contacts(&enrolled.contacts)?;
        enrolled.bundle.store(&self.file("anchors.pem")).map_err(Error::Anchor)?;
        enrolled.svid.store(&self.file("identity.pem")).map_err(Error::Svid)
    }

    /// Keeps where the counterparts are.
    pub fn store_contacts(&self, contacts: &Contacts) -> Result<(), Error> {
        let contacts = serde_json::to_vec(contacts).expect("text keys only");
        file::write_private(&self.file("contacts.json"), &contacts).map_err(Error::Folder)
    }

    /// The identity as named contents, to keep it elsewhere as well; `None` before there is one.
    pub fn contents(&self) -> Result<Option<BTreeMap<String, Vec<u8>>>, Error> {
        let mut contents = BTreeMap::new();
        for name in FILES {
            match file::read_private(&self.file(name), limits::REST_BODY_BYTES_MAX as u64) {
                Ok(bytes) => contents.insert(name.to_owned(), bytes),
                Err(error) if error.is_absent() => return Ok(None),
                Err(error) => return Err(Error::Folder(error)),
            };
        }
        Ok(Some(contents))
    }

    /// Puts back what [`contents`](Self::contents) gave; `false` if there is no whole identity.
    pub fn restore(&self, contents: &BTreeMap<String, Vec<u8>>) -> Result<bool, Error> {
        if FILES.iter().any(|name| !contents.contains_key(*name)) {
            return Ok(false);
        }
        let make = |source| file::Error::Write { path: self.path.clone(), source };
        std::fs::create_dir_all(&self.path).map_err(make).map_err(Error::Folder)?;
        for name in FILES {
            file::write_private(&self.file(name), &contents[name]).map_err(Error::Folder)?;
        }
        Ok(true)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The certificate comes last, because its presence says that all is there.
const FILES: [&str; 3] = ["contacts.json", "anchors.pem", "identity.pem"];

/// Redeems a join token at the bridge; `id` is the instance id that the part wants, `address` a new
/// member's gRPC address (empty for others). Waits while no bridge answers.
pub async fn redeem(
    token: &JoinToken,
    id: &InstanceId,
    address: &str,
) -> Result<(Enrolled, Option<MemberSecrets>), Error> {
    let malformed = || {
        Error::Refused(Box::new(Problem::new(Code::TokenMalformed, "its fingerprint is not one")))
    };
    let fingerprint: Fingerprint = token.fingerprint.parse().map_err(|_| malformed())?;
    let member = Expected::Part { domain: bridge_trust_domain(), role: Role::Member };
    let request = KeyRequest::new().map_err(Error::Key)?;
    let client =
        JoinClient::new(transport::connect_pinned(token.bridges.clone(), fingerprint, member));
    let message = RedeemRequest {
        token_name: token.name.to_string(),
        secret: token.secret.clone(),
        certificate_request: request.csr().to_vec().into(),
        id: id.to_string(),
        address: address.to_owned(),
    };
    let mut credentials = persist(|| {
        let (mut client, message) = (client.clone(), message.clone());
        async move { client.redeem(message).await }
    })
    .await?;
    let member = credentials.member.take();
    let domain = token.cluster.as_ref().map_or_else(bridge_trust_domain, trust_domain);
    let contacts =
        Contacts { cluster: token.cluster.clone(), bridges: token.bridges.clone(), agent: None };
    let enrolled = enroll(request, credentials, contacts)?;
    let is_ours = enrolled.svid.id().trust_domain() == domain
        && enrolled.svid.id().as_part().is_some_and(|(role, _)| role == token.role.role());
    if !is_ours {
        return Err(Error::Foreign(enrolled.svid.id().to_string()));
    }
    Ok((enrolled, member))
}

/// A gateway's or DNS proxy's first certificate, from its agent. Waits while the agent does not
/// answer.
pub async fn first(
    introducer: Introducer<'_>,
    role: Role,
    id: &InstanceId,
) -> Result<Enrolled, Error> {
    let request = KeyRequest::new().map_err(Error::Key)?;
    let client = LocalJoinClient::new(introducer.channel()?);
    let message = FirstRequest {
        role: role.to_string(),
        id: id.to_string(),
        certificate_request: request.csr().to_vec().into(),
        service_account_token: String::new(),
    };
    let local = persist(|| {
        let (mut client, mut message) = (client.clone(), message.clone());
        async move {
            message.service_account_token =
                introducer.token().map_err(|problem| problem_status(&problem))?;
            client.first(message).await
        }
    })
    .await?;
    let foreign = || Error::Foreign(local.cluster.clone());
    let cluster: ClusterName = local.cluster.parse().map_err(|_| foreign())?;
    let expected = SpiffeId::part(&trust_domain(&cluster), role, id);
    let contacts = Contacts {
        cluster: Some(cluster),
        bridges: Vec::new(),
        agent: Some(local.agent.clone()).filter(|agent| !agent.is_empty()),
    };
    let enrolled = enroll(request, local.credentials.unwrap_or_default(), contacts)?;
    if *enrolled.svid.id() != expected {
        return Err(Error::Foreign(enrolled.svid.id().to_string()));
    }
    Ok(enrolled)
}

/// The identity kept in `folder`, or the first one from the agent; an expired one is replaced there
/// too.
pub async fn through_agent(
    folder: &Folder,
    introducer: Introducer<'_>,
    role: Role,
    id: &InstanceId,
) -> Result<Enrolled, Error> {
    if let Some(kept) = folder.load()? {
        let is_same = kept.svid.id().as_part() == Some((role, id.clone()));
        if is_same && !kept.svid.is_expired(identity::now()) {
            return Ok(kept);
        }
    }
    let enrolled = first(introducer, role, id).await?;
    folder.store(&enrolled)?;
    Ok(enrolled)
}

/// One renewal through the agent.
pub async fn renew_at_agent(channel: Channel, csr: Vec<u8>) -> Result<Credentials, Problem> {
    let request = IssueRequest { certificate_request: csr.into(), ..IssueRequest::default() };
    let renewed = LocalClient::new(channel).renew(request).await;
    renewed.map(tonic::Response::into_inner).map_err(|status| status_problem(&status))
}

/// Renews at half of each certificate's life until dropped; `issue` sends one certificate request.
/// What fails is tried again with backoff: half a life is left for it.
pub async fn keep_renewed<I, F>(identity: Identity, folder: Folder, contacts: Contacts, issue: I)
where
    I: Fn(Vec<u8>) -> F,
    F: Future<Output = Result<Credentials, Problem>>,
{
    let mut backoff = Backoff::default();
    loop {
        let wait = identity::now().age(identity.svid().renew_at());
        if !wait.is_zero() {
            // In steps, so that a machine that slept or whose clock was set is not late for long.
            tokio::time::sleep(wait.min(limits::RENEWAL_LOOK)).await;
            continue;
        }
        match renew(&identity, &folder, &contacts, &issue).await {
            Ok(()) => {
                backoff.reset();
                tracing::info!(not_after = %identity.svid().not_after(), "certificate renewed");
                tokio::time::sleep(limits::RENEWAL_PAUSE).await;
            }
            Err(error) => {
                let not_after = identity.svid().not_after();
                let error = Chain(&error).to_string();
                tracing::warn!(error, %not_after, "certificate not renewed; trying again");
                tokio::time::sleep(backoff.next(rand::random())).await;
            }
        }
    }
}

async fn renew<I, F>(
    identity: &Identity,
    folder: &Folder,
    contacts: &Contacts,
    issue: &I,
) -> Result<(), Error>
where
    I: Fn(Vec<u8>) -> F,
    F: Future<Output = Result<Credentials, Problem>>,
{
    let request = KeyRequest::new().map_err(Error::Key)?;
    let credentials =
        issue(request.csr().to_vec()).await.map_err(|problem| Error::Refused(Box::new(problem)))?;
    let enrolled = enroll(request, credentials, contacts.clone())?;
    if *enrolled.svid.id() != identity.id() {
        return Err(Error::Foreign(enrolled.svid.id().to_string()));
    }
    folder.store(&enrolled)?;
    identity.set_bundle(enrolled.bundle);
    identity.rotate(enrolled.svid);
    Ok(())
}

/// Joins a key with what was issued for it.
fn enroll(
    request: KeyRequest,
    credentials: Credentials,
    mut contacts: Contacts,
) -> Result<Enrolled, Error> {
    let chain = credentials.chain.iter().map(|der| der.to_vec()).collect();
    let svid = request.into_svid(chain).map_err(Error::Svid)?;
    let mut bundle = TrustBundle::default();
    for anchor in &credentials.anchors {
        let domain = anchor.trust_domain.parse();
        let domain = domain.map_err(|_| Error::Foreign(anchor.trust_domain.clone()))?;
        bundle.insert(&domain, &anchor.certificate).map_err(Error::Anchor)?;
    }
    if !credentials.bridges.is_empty() {
        contacts.bridges = credentials.bridges;
    }
    Ok(Enrolled { svid, bundle, contacts })
}

/// Calls until there is an answer that more calls would not change.
async fn persist<T, F>(mut call: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    let mut backoff = Backoff::default();
    let mut is_told = false;
    loop {
        let problem = match call().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status_problem(&status),
        };
        if !problem.code.is_retryable() {
            return Err(Error::Refused(Box::new(problem)));
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::warn!(%problem, "no certificate yet; trying until there is one");
        }
        tokio::time::sleep(backoff.next(rand::random())).await;
    }
}

#[cfg(test)]
mod tests;
