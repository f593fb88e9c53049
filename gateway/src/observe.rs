//! What a flow or request showed: its line in the access log and its counters, when it ends.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use rialto_core::authorize::Caller;
use rialto_core::choose::affinity;
use rialto_types::error::Code;
use rialto_types::id::{ClusterName, ServiceName, Timestamp};
use rialto_wire::identity;
use tokio::time::Instant;

use crate::access_log::{self, HttpRecord, Record};
use crate::metrics::{FlowLabels, Side, SideDirection, SideReason};
use crate::traffic::{self, Counter, Traffic};
use crate::tunnel::header::{Backend, Mode, Open};
use crate::tunnel::pool::PeerId;
use crate::worker::{Chosen, Worker};

/// Payload bytes of a flow, by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) from_client: u64,
    pub(crate) to_client: u64,
}

/// One TCP flow or HTTP request, filled in as it goes.
#[derive(Debug)]
pub(crate) struct Flow {
    side: Side,
    id: u128,
    time: Timestamp,
    started: Instant,
    caller: Caller,
    caller_address: Option<IpAddr>,
    service: ServiceName,
    port: u16,
    pub(crate) route: Option<String>,
    pub(crate) backend: Option<ServiceName>,
    place: Option<Place>,
    failure: Option<(Code, &'static str)>,
    pub(crate) attempts: u32,
    pub(crate) bytes: Bytes,
}

/// Where a flow was served, or last tried.
#[derive(Debug)]
enum Place {
    Peer(PeerId),
    Endpoint(ClusterName, SocketAddr),
}

impl Flow {
    pub(crate) fn near(
        caller: Caller,
        source: IpAddr,
        service: ServiceName,
        port: u16,
        id: u128,
    ) -> Self {
        Self {
            side: Side::Near,
            id,
            time: identity::now(),
            started: Instant::now(),
            caller,
            caller_address: Some(source),
            service,
            port,
            route: None,
            backend: None,
            place: None,
            failure: None,
            attempts: 0,
            bytes: Bytes::default(),
        }
    }

    pub(crate) fn far(caller: Caller, open: &Open) -> Self {
        let unspecified = IpAddr::from([0; 4]);
        Self {
            side: Side::Far,
            caller_address: None,
            backend: open.backend.as_ref().map(|backend| backend.service.clone()),
            ..Self::near(caller, unspecified, open.service.clone(), open.port, open.flow)
        }
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What a peer gateway is told of the flow that it is to serve.
    pub(crate) fn header(&self, mode: Mode, chosen: &Chosen) -> Open {
        let is_routed = chosen.backend != self.service || chosen.port != self.port;
        Open {
            mode,
            service: self.service.clone(),
            port: self.port,
            backend: is_routed
                .then(|| Backend { service: chosen.backend.clone(), port: chosen.port }),
            caller: self.caller.identity.clone(),
            hops: 1,
            flow: self.id,
            offset: 0,
            trace: None,
            deadline_ms: None,
            affinity: chosen.affinity.map(affinity::Key::number),
        }
    }

    pub(crate) fn tries_peer(&mut self, peer: &PeerId) {
        self.attempts += 1;
        self.place = Some(Place::Peer(peer.clone()));
    }

    pub(crate) fn tries_endpoint(&mut self, cluster: &ClusterName, endpoint: SocketAddr) {
        self.attempts += 1;
        self.place = Some(Place::Endpoint(cluster.clone(), endpoint));
    }

    /// The first failure stays: what follows are its consequences.
    pub(crate) fn fail(&mut self, code: Code, reason: &'static str) {
        self.failure.get_or_insert((code, reason));
    }

    /// The flow has ended.
    pub(crate) fn end(self, worker: &Worker) {
        self.end_as("tcp", None, worker);
    }

    /// The request has ended.
    pub(crate) fn end_http(self, http: HttpRecord<'_>, worker: &Worker) {
        self.end_as("http", Some(http), worker);
    }

    fn end_as(self, protocol: &'static str, http: Option<HttpRecord<'_>>, worker: &Worker) {
        let (side, metrics) = (self.side, worker.metrics());
        if side == Side::Near {
            self.count(http.as_ref(), worker.traffic());
        }
        let code = self.failure.map_or_else(|| "ok".into(), |(code, _)| code.to_string());
        metrics.flows.get_or_create(&FlowLabels { side, protocol, code }).inc();
        for (direction, bytes) in
            [("to_service", self.bytes.from_client), ("to_caller", self.bytes.to_client)]
        {
            metrics.bytes.get_or_create(&SideDirection { side, direction }).inc_by(bytes);
        }
        if let Some((_, reason)) = self.failure {
            metrics.refusals.get_or_create(&SideReason { side, reason }).inc();
        }
        let (cluster, gateway, endpoint) = match &self.place {
            Some(Place::Peer(peer)) => (Some(&peer.cluster), Some(&peer.gateway), None),
            Some(Place::Endpoint(cluster, endpoint)) => (Some(cluster), None, Some(*endpoint)),
            None => (None, None, None),
        };
        worker.access_log().write(&Record {
            time: self.time,
            side: match side {
                Side::Near => access_log::Side::Near,
                Side::Far => access_log::Side::Far,
            },
            flow: self.id,
            caller: self.caller.identity.as_ref(),
            caller_cluster: &self.caller.cluster,
            caller_address: self.caller_address,
            service: &self.service,
            port: self.port,
            route: self.route.as_deref(),
            backend: self.backend.as_ref(),
            cluster,
            gateway,
            endpoint,
            http,
            code: self.failure.map(|(code, _)| code),
            reason: self.failure.map(|(_, reason)| reason),
            attempts: self.attempts,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            bytes_from_client: self.bytes.from_client,
            bytes_to_client: self.bytes.to_client,
        });
    }

    /// Where this flow is counted, by where it was placed.
    pub(crate) fn counter(&self, traffic: &Traffic) -> Rc<Counter> {
        let cluster = match &self.place {
            Some(Place::Peer(peer)) => Some(&peer.cluster),
            Some(Place::Endpoint(cluster, _)) => Some(cluster),
            None => None,
        };
        traffic.counter(&traffic::Between {
            service: &self.service,
            backend: self.backend.as_ref(),
            cluster,
            caller: self.caller.identity.as_ref(),
        })
    }

    /// Only near the caller: the far gateway would count the same once more.
    fn count(&self, http: Option<&HttpRecord<'_>>, traffic: &Traffic) {
        let status = http.and_then(|http| http.status);
        let ended = match self.failure {
            Some((code, _)) => traffic::Ended::of(code),
            None if status.is_some_and(|status| status >= 500) => traffic::Ended::Failed,
            None => traffic::Ended::Served,
        };
        let counter = self.counter(traffic);
        match http {
            Some(_) => {
                counter.request_ended(ended, self.started.elapsed());
                counter.passed(self.bytes.from_client, self.bytes.to_client);
            }
            // Its bytes were counted as they passed.
            None => counter.flow_ended(ended),
        }
    }
}
