//! What people ask: the REST API's `ControlPlane`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use rialto_core::compile::compile;
use rialto_core::explain::explain;
use rialto_core::heard;
use rialto_core::state::command::{Action, Put};
use rialto_core::state::{Command, Done};
use rialto_types::api::{
    ClusterSummary, Convergence, DrainResult, ExplainRequest, Explanation, History, HistoryEntry,
    List, MemberRole, Precondition, ShiftRequest, Status, WatchEvent, Written,
};
use rialto_types::cluster::{
    JoinTokenIssued, JoinTokenRequest, JoinTokenSpec, bridge_trust_domain, trust_domain,
};
use rialto_types::command;
use rialto_types::error::{Code, Problem};
use rialto_types::id::{ClusterName, Namespace, ResourceName, Revision, ServiceName};
use rialto_types::limits;
use rialto_types::object::{Document, Key, Kind, Resource};
use rialto_types::session::{Session, SignIn, SignInCode};
use rialto_types::snapshot::Snapshot;
use rialto_types::token::JoinToken;
use rialto_types::traffic::{self, Traffic};
use rialto_types::view;
use rialto_wire::digest::hex;
use rialto_wire::grpc::{ExplainAnswer, ExplainRelay};
use rialto_wire::identity::{Fingerprint, now, token};
use rialto_wire::rest::{Context, ControlPlane, LiveEvent, Opened, Page, Rendered, Topic};

use super::status::{self, count};
use super::{Answer, Service, authority_problem, unexpected, watch};
use crate::authority::{self, Secret, draw};
use crate::long::long;
use crate::store::Outcome;
use crate::views::{self, Wanted};

/// The REST face of a member.
#[derive(Debug, Clone)]
pub(crate) struct RestService(pub(crate) Arc<Service>);

impl Service {
    async fn write(&self, action: Action, context: Context) -> Answer<Written> {
        if context.dry_run {
            self.catch_up().await?;
            let (actor, reason) = (context.actor, context.reason);
            let applied = self.store.copy().preview(Command { now: now(), actor, reason, action });
            return applied.into_written().map_err(Problem::from);
        }
        let outcome = self.commit(context.actor, context.reason, action).await?;
        let Outcome::Written(written) = outcome else { return Err(unexpected(&outcome)) };
        Ok(*written)
    }

    /// Asks a gateway of the cluster, wherever it is subscribed.
    async fn ask_gateway(&self, request: &ExplainRequest) -> Option<ExplainAnswer> {
        let bytes = bytes::Bytes::from(serde_json::to_vec(request).expect("text keys only"));
        let (cluster, gateway) = (&request.from_cluster, request.gateway.as_ref());
        if let Some(answer) = self.subscribers.explain(cluster, gateway, bytes.clone()).await {
            return Some(answer);
        }
        let gateway = gateway.map(ToString::to_string).unwrap_or_default();
        let relay = ExplainRelay { cluster: cluster.to_string(), gateway, request: bytes };
        self.members.explain(relay).await
    }
}

fn not_found(key: &Key) -> Problem {
    let hint = format!("`rialto get {}` lists what exists", key.kind.plural());
    Problem::new(Code::NotFound, format!("{key} does not exist")).with_subject(key).with_hint(hint)
}

/// A place in a list: the revision that it was read at, and the last key that was sent.
fn encode_continue(revision: Revision, key: &Key) -> String {
    let namespace = key.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(format!("{revision} {namespace} {}", key.name))
}

fn decode_continue(text: &str, kind: Kind) -> Answer<Key> {
    let parsed = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| {
        let text = String::from_utf8(bytes).ok()?;
        let (_, key) = text.split_once(' ')?;
        let (namespace, name) = key.split_once(' ')?;
        let namespace = if namespace.is_empty() { None } else { Some(namespace.parse().ok()?) };
        Some(Key { kind, namespace, name: name.parse().ok()? })
    });
    parsed.ok_or_else(|| {
        Problem::new(Code::BadQuery, "`continue` is not from a page of this list")
            .with_field("continue")
            .with_hint("start again without it")
    })
}

impl ControlPlane for RestService {
    fn authenticate(&self, token: &str) -> Option<String> {
        self.0.actor_of(token)
    }

    fn session(&self, sealed: &str) -> Option<Session> {
        self.0.open_session(sealed, now())
    }

    fn sign_in(&self, proof: &SignIn, from: IpAddr) -> Answer<Opened> {
        self.0.open_new_session(proof, from)
    }

    async fn sign_out(&self, session: &Session) -> Answer<()> {
        self.0.end_session(session).await
    }

    fn signed_out(&self, session: Session) -> BoxFuture<'static, ()> {
        self.0.clone().session_ended(session).boxed()
    }

    fn create_code(&self, actor: String) -> Answer<SignInCode> {
        self.0.new_code(actor)
    }

    async fn get(&self, key: Key) -> Answer<Document> {
        self.0.catch_up().await?;
        let found = self.0.store.read().get(&key);
        let mut document = found.ok_or_else(|| not_found(&key))?;
        if status::is_live(key.kind) {
            let gathered = self.0.gather().await;
            self.0.add_status(&mut document, &gathered);
        }
        Ok(document)
    }

    async fn list(&self, kind: Kind, namespace: Option<Namespace>, page: Page) -> Answer<List> {
        self.0.catch_up().await?;
        let after =
            page.continue_token.as_deref().map(|text| decode_continue(text, kind)).transpose()?;
        let (mut items, remaining, revision, last) = {
            let state = self.0.store.copy();
            let mut keys: Vec<Key> = state
                .keys(kind, namespace.as_ref())
                .filter(|key| after.as_ref().is_none_or(|after| key > after))
                .collect();
            keys.sort();
            let remaining = keys.len().saturating_sub(page.limit);
            keys.truncate(page.limit);
            let items: Vec<Document> = keys.iter().filter_map(|key| state.get(key)).collect();
            (items, remaining, state.revision(), keys.pop())
        };
        let mut warnings = Vec::new();
        if status::is_live(kind) {
            let gathered = self.0.gather().await;
            for document in &mut items {
                self.0.add_status(document, &gathered);
            }
            warnings = gathered.warnings;
        }
        let last = last.filter(|_| remaining > 0);
        let continue_token = last.map(|key| encode_continue(revision, &key));
        let remaining = u64::try_from(remaining).unwrap_or(u64::MAX);
        Ok(List { items, revision, continue_token, remaining, warnings })
    }

    async fn put(
        &self,
        resource: Resource,
        precondition: Precondition,
        context: Context,
    ) -> Answer<Written> {
        let key = resource.key();
        let mut fresh_issuer = None;
        if key.kind == Kind::Cluster {
            let name: ClusterName = key.name.as_str().parse().map_err(|error| {
                Problem::new(Code::Invalid, format!("{error}")).with_field("metadata.name")
            })?;
            if self.0.store.read().cluster(&name).is_none() {
                let made = self.0.authority.create_issuer(&trust_domain(&name), now());
                fresh_issuer = Some(made.map_err(|error| authority_problem(&error))?);
            }
        }
        self.0
            .write(Action::Put(Box::new(Put { resource, precondition, fresh_issuer })), context)
            .await
    }

    async fn delete(
        &self,
        key: Key,
        precondition: Precondition,
        context: Context,
    ) -> Answer<Written> {
        self.0.write(Action::Delete { key, precondition }, context).await
    }

    async fn watch(
        &self,
        kind: Kind,
        namespace: Option<Namespace>,
        since: Option<Revision>,
    ) -> Answer<BoxStream<'static, WatchEvent>> {
        self.0.catch_up().await?;
        let permit = self.0.metrics.watch_opened();
        let Some(permit) = permit else {
            let text = format!("{} watches are open already", limits::REST_WATCHES_MAX);
            return Err(Problem::new(Code::Overloaded, text));
        };
        let events = watch::events(self.0.clone(), kind, namespace, since);
        Ok(events
            .map(move |event| {
                let _held_while_the_watch_lives = &permit;
                event
            })
            .boxed())
    }

    async fn history(&self, count: usize) -> Answer<History> {
        self.0.catch_up().await?;
        Ok(self.0.store.read().history(count))
    }

    async fn revert(&self, to: Revision, context: Context) -> Answer<HistoryEntry> {
        let summary = format!("revert to {to}");
        let (actor, reason) = (context.actor.clone(), context.reason.clone());
        let entry = |revision, changes| HistoryEntry {
            revision,
            time: now(),
            actor,
            reason,
            summary,
            changes,
            refused: None,
        };
        let action = Action::Revert { to };
        if context.dry_run {
            self.0.catch_up().await?;
            let (actor, reason) = (context.actor, context.reason);
            let applied =
                self.0.store.read().preview(Command { now: now(), actor, reason, action });
            let changes = match applied.outcome.map_err(Problem::from)? {
                Done::Reverted(changes) => changes,
                Done::Written(_) | Done::Redeemed(_) | Done::Accepted => Vec::new(),
            };
            return Ok(entry(applied.revision, changes));
        }
        let outcome = self.0.commit(context.actor, context.reason, action).await?;
        let Outcome::Reverted { revision, changes } = outcome else {
            return Err(unexpected(&outcome));
        };
        Ok(entry(revision, changes))
    }

    async fn create_token(
        &self,
        request: JoinTokenRequest,
        context: Context,
    ) -> Answer<JoinTokenIssued> {
        self.0.catch_up().await?;
        let problem = |error: authority::Error| authority_problem(&error);
        let secret = Secret::of_join_token(draw().map_err(problem)?);
        let suffix = hex(&draw::<4>().map_err(problem)?);
        let whom = request.cluster.as_ref().map_or("bridge", ClusterName::as_str);
        let name: ResourceName = format!("{}-{suffix}", whom.chars().take(50).collect::<String>())
            .parse()
            .map_err(|error| Problem::new(Code::Internal, format!("{error}")))?;
        let expires_at = now().plus(request.ttl);
        let spec = JoinTokenSpec {
            role: request.role,
            cluster: request.cluster.clone(),
            secret_hash: secret.hash(),
            expires_at,
            used_at: None,
        };
        let anchor = {
            let state = self.0.store.read();
            let federation = state.federation().ok_or_else(super::not_bootstrapped)?;
            let domain = bridge_trust_domain();
            authority::anchor(&domain, &federation.issuer).map_err(problem)?
        };
        let install = self.0.install_command(&request)?;
        let action = Action::CreateToken { name: name.clone(), spec };
        self.0.commit(context.actor, context.reason, action).await?;
        let text = token::encode(&JoinToken {
            name,
            secret: secret.reveal().to_string(),
            role: request.role,
            cluster: request.cluster,
            bridges: self.0.members.all().into_iter().map(|known| known.address).collect(),
            fingerprint: Fingerprint::of(&anchor).to_string(),
        });
        let command = install.with_token(&text);
        Ok(JoinTokenIssued { token: text, expires_at, command })
    }

    async fn drain(
        &self,
        cluster: ClusterName,
        drained: bool,
        context: Context,
    ) -> Answer<DrainResult> {
        let command = command::drain(&cluster, drained, context.reason.as_deref());
        let written =
            self.0.write(Action::SetDrained { cluster: cluster.clone(), drained }, context).await?;
        let (moved, kept) = self.0.store.copy().drain_effect(&cluster);
        Ok(DrainResult { cluster, drained, revision: written.revision, moved, kept, command })
    }

    async fn shift(
        &self,
        parent: ServiceName,
        request: ShiftRequest,
        context: Context,
    ) -> Answer<Written> {
        self.0.write(Action::Shift { parent, weights: request.weights }, context).await
    }

    async fn status(&self) -> Answer<Status> {
        // Answers without a leader, too: that is when it is needed most.
        let gathered = self.0.gather().await;
        let members = heard::member_statuses(&self.0.members.all(), &gathered.members);
        let mut warnings = gathered.warnings.clone();
        if !members.iter().any(|member| member.role == MemberRole::Leader) {
            warnings.push("no member says that it is the leader: nothing can be changed".into());
        }
        let state = self.0.store.read();
        let clusters = state.clusters().map(|view| ClusterSummary {
            name: view.name.clone(),
            drained: view.spec.drained,
            agent: gathered.merged.agent(view.name),
            gateways: count(view.gateways.len()),
            gateways_live: count(gathered.merged.gateways_live(view.name)),
            services: count(view.services),
            exports: count(state.export_count(view.name)),
        });
        Ok(Status {
            revision: state.revision(),
            members,
            clusters: clusters.collect(),
            subscribers: gathered.merged.subscribers.clone(),
            warnings,
        })
    }

    async fn convergence(&self, revision: Option<Revision>) -> Answer<Convergence> {
        let revision = revision.unwrap_or_else(|| self.0.store.read().revision());
        let gathered = self.0.gather().await;
        Ok(heard::convergence(revision, &gathered.merged.subscribers, gathered.warnings))
    }

    async fn view(&self, query: view::Query) -> Answer<Arc<Rendered>> {
        self.0.render(&query, Wanted::Current).await
    }

    fn live(&self, topics: Vec<Topic>) -> Answer<BoxStream<'static, LiveEvent>> {
        views::live(self.0.clone(), topics)
    }

    async fn explain(&self, request: ExplainRequest) -> Answer<Explanation> {
        if self.0.store.read().cluster(&request.from_cluster).is_none() {
            let text = format!("no cluster `{}`", request.from_cluster);
            return Err(Problem::new(Code::ClusterUnknown, text).with_field("fromCluster"));
        }
        if let Some(answer) = self.0.ask_gateway(&request).await {
            let unreadable = |error: serde_json::Error| {
                Problem::new(Code::Internal, format!("the gateway's answer: {error}"))
            };
            if answer.failed {
                let problem: Problem =
                    serde_json::from_slice(&answer.answer).map_err(unreadable)?;
                return Err(problem);
            }
            return serde_json::from_slice(&answer.answer).map_err(unreadable);
        }
        if let Some(gateway) = &request.gateway {
            let text = format!("gateway `{gateway}` of {} does not answer", request.from_cluster);
            return Err(Problem::new(Code::GatewaySilent, text));
        }
        let state = self.0.store.copy();
        let (entries, _) = compile(&state, &request.from_cluster);
        let snapshot = Snapshot::from_entries(state.revision(), entries);
        Ok(explain(&snapshot, None, &request, Instant::now(), rand::random()))
    }

    async fn traffic(&self, query: traffic::Query) -> Answer<Traffic> {
        // Answers without a leader, too, as the status does.
        let over = query.over()?;
        let window = self.0.traffic().await;
        Ok(long(move || window.answer(&query, over)).await)
    }
}
