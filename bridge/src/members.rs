//! The other members: how to reach them, and what they hear.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::future::join_all;
use rialto_core::heard::{self, MemberReport, Report};
use rialto_core::state::trust::Member;
use rialto_types::cluster::bridge_trust_domain;
use rialto_types::id::{Role, SpiffeId};
use rialto_types::limits;
use rialto_wire::grpc::members_client::MembersClient;
use rialto_wire::grpc::{
    ExplainAnswer, ExplainRelay, ObservedRequest, TrafficReply, TrafficRequest,
};
use rialto_wire::identity::{Expected, Identity};
use rialto_wire::transport;
use tonic::transport::Channel;

use crate::raft::MemberId;
use crate::store::Store;

/// The address book of the members, and the calls to them.
#[derive(Debug)]
pub struct Members {
    own: MemberId,
    identity: Identity,
    store: Store,
    /// What a joining member was told: used until the state itself is here.
    told: Vec<Member>,
    channels: Mutex<BTreeMap<MemberId, (String, Channel)>>,
    silent_since: Mutex<BTreeMap<MemberId, Instant>>,
}

/// What all members hear, and who of them did not answer.
#[derive(Debug, Default)]
pub struct Gathered {
    pub merged: Report,
    pub members: Vec<MemberReport>,
    /// Members that are silent, or started again, for less than a lease: what only they heard may
    /// be missing.
    pub warnings: Vec<String>,
}

impl Members {
    pub fn new(own: MemberId, identity: Identity, store: Store, told: Vec<Member>) -> Self {
        let (channels, silent_since) = (Mutex::default(), Mutex::default());
        Self { own, identity, store, told, channels, silent_since }
    }

    /// Every member, from the state or, before it is here, from what we were told.
    pub fn all(&self) -> Vec<Member> {
        let known: Vec<Member> = self.store.read().members().cloned().collect();
        if known.is_empty() { self.told.clone() } else { known }
    }

    /// Which member an identity is.
    pub fn identify(&self, id: &SpiffeId) -> Option<MemberId> {
        let (role, name) = id.as_part()?;
        if role != Role::Member || id.trust_domain() != bridge_trust_domain() {
            return None;
        }
        let known = self.all().into_iter().find(|known| known.name == name)?;
        MemberId::new(known.raft_id)
    }

    /// A channel to the member; `None` while its address is not known.
    pub fn dial(&self, member: MemberId) -> Option<Channel> {
        let known = self.all().into_iter().find(|known| known.raft_id == member.get())?;
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, channel)) = channels.get(&member)
            && *address == known.address
        {
            return Some(channel.clone());
        }
        let id = SpiffeId::part(&bridge_trust_domain(), Role::Member, &known.name);
        let addresses = vec![known.address.clone()];
        let channel = transport::connect(addresses, &self.identity, Expected::Exactly(id));
        channels.insert(member, (known.address, channel.clone()));
        Some(channel)
    }

    fn client(&self, member: MemberId) -> Option<MembersClient<Channel>> {
        let client = MembersClient::new(self.dial(member)?);
        Some(client.max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX))
    }

    /// Asks every member what it hears.
    pub async fn gather(&self, own: Report) -> Gathered {
        let others = self.all().into_iter().filter(|known| known.raft_id != self.own.get());
        let asked = others.map(async |known| {
            let member = MemberId::new(known.raft_id);
            let report = match member {
                Some(member) => self.ask(member).await,
                None => None,
            };
            (known, report)
        });
        let mut gathered = Gathered::default();
        let mut reports = vec![own];
        for (known, report) in join_all(asked).await {
            match report {
                Some(report) => reports.push(report),
                None if self.is_newly_silent(&known) => {
                    gathered.warnings.push(format!("member {} does not answer", known.name));
                }
                None => {}
            }
        }
        gathered.members = reports.iter().filter_map(|report| report.member.clone()).collect();
        gathered.warnings.extend(heard::unsettled(&self.all(), &gathered.members));
        gathered.merged = heard::merge(&reports);
        gathered
    }

    async fn ask(&self, member: MemberId) -> Option<Report> {
        let mut client = self.client(member)?;
        let call = client.observed(ObservedRequest {});
        let answered = tokio::time::timeout(limits::MEMBER_ANSWER_TIMEOUT, call).await;
        let reply = answered.ok().and_then(Result::ok)?;
        let report = serde_json::from_slice(&reply.into_inner().observed).ok()?;
        self.silent_since.lock().unwrap_or_else(PoisonError::into_inner).remove(&member);
        Some(report)
    }

    fn is_newly_silent(&self, known: &Member) -> bool {
        let Some(member) = MemberId::new(known.raft_id) else { return true };
        let mut silent = self.silent_since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *silent.entry(member).or_insert_with(Instant::now);
        since.elapsed() <= limits::LEASE
    }

    /// Asks the gateways that are subscribed at other members; the first answer counts.
    pub async fn explain(&self, relay: ExplainRelay) -> Option<ExplainAnswer> {
        for known in self.all() {
            let member = MemberId::new(known.raft_id).filter(|member| *member != self.own);
            let Some(mut client) = member.and_then(|member| self.client(member)) else { continue };
            let call = client.explain(relay.clone());
            if let Ok(Ok(answer)) = tokio::time::timeout(limits::EXPLAIN_RELAY_TIMEOUT, call).await
            {
                return Some(answer.into_inner());
            }
        }
        None
    }

    /// All members but this one.
    pub fn others(&self) -> Vec<(MemberId, Member)> {
        let numbered = |known: Member| Some((MemberId::new(known.raft_id)?, known));
        self.all().into_iter().filter_map(numbered).filter(|(id, _)| *id != self.own).collect()
    }

    /// What a member was told of traffic; `None` if it does not answer in time.
    pub async fn traffic(&self, member: MemberId, request: TrafficRequest) -> Option<TrafficReply> {
        let mut client = self.client(member)?;
        let call = client.traffic(request);
        let answered = tokio::time::timeout(limits::MEMBER_ANSWER_TIMEOUT, call).await;
        Some(answered.ok()?.ok()?.into_inner())
    }

    /// Notices who is silent, so that a write need not wait a lease for a member long gone.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::LEASE_BEAT).await;
            self.gather(Report::default()).await;
        }
    }
}
