//! The admin endpoints that every part has: `/livez`, `/readyz`, `/metrics`, `/debug/snapshot`,
//! `/source`.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::identity::Identity;

/// What a part tells of itself.
pub trait Admin: Send + Sync + 'static {
    /// What is not ready yet, each with what it waits for; empty means ready.
    fn pending(&self) -> Vec<String>;

    /// All metrics in OpenMetrics text form.
    fn metrics(&self) -> String;

    /// What the part serves, for people who debug; without secrets.
    fn debug(&self) -> Value;
}

/// Encodes a registry as OpenMetrics text.
pub fn encode_metrics(registry: &prometheus_client::registry::Registry) -> String {
    let mut text = String::new();
    if let Err(error) = prometheus_client::encoding::text::encode(&mut text, registry) {
        let _ = write!(text, "# metrics could not be encoded: {error}\n# EOF\n");
    }
    text
}

/// Peers that an identity refused since the start, by reason, as a counter `peers_refused`.
#[derive(Debug)]
pub struct PeersRefused(pub Identity);

impl Collector for PeersRefused {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Peers refused by what their connection proved, by reason";
        let mut metric =
            encoder.encode_descriptor("peers_refused", help, None, MetricType::Counter)?;
        for (reason, count) in self.0.refusals() {
            ConstCounter::new(count).encode(metric.encode_family(&[("reason", reason)])?)?;
        }
        Ok(())
    }
}

/// Serves the admin endpoints until the future is dropped.
pub async fn serve<A: Admin>(listener: TcpListener, admin: Arc<A>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready::<A>))
        .route("/metrics", get(metrics::<A>))
        .route("/debug/snapshot", get(debug::<A>))
        .route("/source", get(source))
        .with_state(admin);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}

/// From where we see the caller: whether the network translates addresses on the way.
async fn source(ConnectInfo(caller): ConnectInfo<SocketAddr>) -> String {
    format!("{}\n", caller.ip().to_canonical())
}

async fn ready<A: Admin>(State(admin): State<Arc<A>>) -> Response {
    let pending = admin.pending();
    if pending.is_empty() {
        return "ok\n".into_response();
    }
    let mut text = String::from("not ready; waiting for:\n");
    for what in pending {
        let _ = writeln!(text, "- {what}");
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn metrics<A: Admin>(State(admin): State<Arc<A>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(axum::http::header::CONTENT_TYPE, kind)], admin.metrics()).into_response()
}

async fn debug<A: Admin>(State(admin): State<Arc<A>>) -> Json<Value> {
    Json(admin.debug())
}
