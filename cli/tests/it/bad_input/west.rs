//! A gateway of cluster `west` that the test plays, towards the real one of `east`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rialto_gateway::tunnel::header::{self, Answer};
use rialto_gateway::tunnel::message::{self, PeerMessage, Reader};
use rialto_gateway::tunnel::quic::{Endpoint, Settings, Tls};
use rialto_gateway::tunnel::{Connection, ConnectionLost, RecvStream, SendStream};
use rialto_types::id::Role;
use rialto_types::service::AppProtocol;
use rialto_wire::identity::{Clients, Expected, Identity, now};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use serde_json::json;

use super::world::{Home, World, echo};
use crate::process::Process;

/// The service that `east` has; its endpoint sends back what it gets.
pub(super) const SERVICE: &str = "shop/echo";

/// The real gateway of `east`, and what the test knows of it.
pub(super) struct East {
    pub(super) gateway: Process,
    pub(super) tunnel: SocketAddr,
    /// Of [`SERVICE`].
    pub(super) port: u16,
    pub(super) world: World,
}

impl East {
    pub(super) fn start() -> Self {
        let home = Home::of(SERVICE, AppProtocol::Tcp, &echo());
        let port = home.port;
        let world = World::new(vec![home]);
        let settings = json!({
            "tunnel": { "listen": "127.0.0.1:0" },
            "capture": "off",
            "accessLog": "off",
        });
        let (gateway, up) = world.start(Role::Gateway, &settings, "gateway is up");
        let tunnel = up["address"].as_str().expect("where it listens");
        let tunnel = tunnel.parse().expect("an address");
        gateway.until("its documents", |gateway| gateway.page("/readyz") == "ok\n");
        Self { gateway, tunnel, port, world }
    }

    /// Connections that were refused, by the reason that the gateway counts.
    pub(super) fn refused(&self, reason: &str) -> u64 {
        let reason = format!("reason=\"{reason}\"");
        let labels = ["event=\"refused\"", reason.as_str()];
        self.gateway.counted("rialto_gateway_peer_events_total", &labels)
    }

    /// The whole way, as a good gateway of `west` goes it: greeting, header, bytes there and back.
    pub(super) async fn check_goes_on(&self) {
        let west = Peer::good(self).await;
        assert_eq!(west.call(&open(self.port, &[])).await, "well");
        assert_eq!(self.gateway.counted("rialto_gateway_panics_total", &[]), 0);
    }
}

/// What a gateway of `west` shows in the handshake.
pub(super) enum Shows {
    Nothing,
    Certificate(CertifiedKey),
}

/// Dials `east`; the connection stands before the other side has looked at the certificate.
pub(super) async fn dial(east: &East, shows: Shows) -> Result<(Endpoint, Connection), String> {
    let svid = east.world.svid(&east.world.west, Role::Gateway, "good", now());
    let identity = Identity::new(svid, east.world.bundle());
    let mut client = identity.client_config(Expected::Role(Role::Gateway), &[]);
    match shows {
        Shows::Nothing => client.client_auth_cert_resolver = Arc::new(NoCertificate),
        Shows::Certificate(key) => {
            client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key));
        }
    }
    let clients = Clients::Required(Expected::Role(Role::Gateway));
    let tls =
        Tls { client: Arc::new(client), server: Arc::new(identity.server_config(clients, &[])) };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = Endpoint::bind(&Settings::new(any), &tls).expect("a socket");
    let dialled = endpoint.dial(east.tunnel, "east.rialto").await;
    dialled.map(|connection| (endpoint, connection)).map_err(|error| format!("{error:?}"))
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A gateway of `west` that was greeted.
pub(super) struct Peer {
    connection: Connection,
    _endpoint: Endpoint,
    _control: SendStream,
    _messages: Reader,
}

impl Peer {
    /// With the certificate that the bridge would have given it.
    pub(super) async fn good(east: &East) -> Self {
        let svid = east.world.svid(&east.world.west, Role::Gateway, "good", now());
        let shows = Shows::Certificate(super::certificates::certified(&svid));
        let (endpoint, connection) = dial(east, shows).await.expect("a connection");
        let hello = PeerMessage::Hello { gateway: "good".parse().expect("a label") };
        let mut control = connection.open_control().await.expect("a stream");
        message::write(&mut control, &hello).await.expect("sent");
        let mut messages = Reader::new(connection.accept_control().await.expect("a stream"));
        let greeting = messages.next().await.expect("a message");
        assert!(matches!(greeting, Some(PeerMessage::Hello { .. })), "{greeting:?}");
        Self { connection, _endpoint: endpoint, _control: control, _messages: messages }
    }

    pub(super) async fn open_stream(&self) -> (SendStream, RecvStream) {
        self.connection.open().await.expect("a stream")
    }

    /// Opens a flow, and gives what the service sends back, or the code of the refusal.
    pub(super) async fn call(&self, header: &[u8]) -> String {
        let (mut send, mut recv) = self.open_stream().await;
        send.write_chunk(Bytes::copy_from_slice(header)).await.expect("sent");
        match header::read_answer(&mut recv).await.expect("an answer") {
            Answer::Accepted => {}
            Answer::Refused(refusal) => return refusal.code.label().to_owned(),
        }
        send.write_chunk("well".into()).await.expect("sent");
        send.finish().expect("an end");
        read(&mut recv).await
    }
}

/// What comes until the end.
async fn read(recv: &mut RecvStream) -> String {
    let mut bytes = Vec::new();
    while let Some(chunk) = recv.read_chunk().await.expect("bytes") {
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).expect("text")
}

/// Waits until the other side has cut a connection, and gives its reason.
pub(super) async fn cut(connection: &Connection) -> ConnectionLost {
    connection.closed().await
}

// The header of a stream, written from its description: a rewrite of the product's own writer must
// not change what the test sends.

pub(super) const MODE: u8 = 0x81;
pub(super) const SERVICE_NAME: u8 = 0x82;
pub(super) const PORT: u8 = 0x83;
pub(super) const BACKEND: u8 = 0x84;
pub(super) const CALLER: u8 = 0x85;
pub(super) const HOPS: u8 = 0x86;
pub(super) const OFFSET: u8 = 0x87;
pub(super) const FLOW: u8 = 8;
pub(super) const TRACE: u8 = 9;
pub(super) const DEADLINE: u8 = 10;
pub(super) const AFFINITY: u8 = 11;

/// A field's number and its bytes.
pub(super) type Field<'a> = (u8, &'a [u8]);

/// An open header for [`SERVICE`] on `port`, with more fields, or others in place of the same.
pub(super) fn open(port: u16, fields: &[Field<'_>]) -> Vec<u8> {
    let port = port.to_be_bytes();
    let least: [Field<'_>; 3] = [(MODE, &[1]), (SERVICE_NAME, SERVICE.as_bytes()), (PORT, &port)];
    let replaced = |field: u8| fields.iter().any(|(number, _)| *number == field);
    let kept = least.into_iter().filter(|(field, _)| !replaced(*field));
    frame(1, &kept.chain(fields.iter().copied()).collect::<Vec<_>>())
}

/// A header of any kind, of these fields.
pub(super) fn frame(kind: u8, fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        let length = u16::try_from(value.len()).expect("short");
        body.push(*field);
        body.extend(length.to_be_bytes());
        body.extend_from_slice(value);
    }
    let length = u16::try_from(body.len()).expect("short");
    [&[kind][..], &length.to_be_bytes(), &body].concat()
}
