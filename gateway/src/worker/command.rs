//! The worker's thread, and what the control side asks of it.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rialto_types::api::{ExplainRequest, Explanation};
use rialto_types::id::InstanceId;
use rialto_types::limits;
use rialto_types::local::LocalTable;
use rialto_types::snapshot::Snapshot;
use rialto_types::traffic::Report;
use rialto_wire::identity::Identity;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::{Parts, Tables, Worker};
use crate::access_log::AccessLog;
use crate::config::Capture;
use crate::ingress::Listeners;
use crate::metrics::Metrics;
use crate::tunnel::quic::{BindError, Settings};

/// What the control side asks of a worker.
#[derive(Debug)]
pub enum Command {
    /// Serve this snapshot; answered when every new flow is decided by it.
    Snapshot {
        snapshot: Arc<Snapshot>,
        done: oneshot::Sender<()>,
    },
    /// The same for the local table.
    Table {
        table: Arc<LocalTable>,
        done: oneshot::Sender<()>,
    },
    /// The gateway has a new certificate.
    Renew,
    /// The anchors have changed.
    Recheck,
    Explain {
        request: ExplainRequest,
        answer: oneshot::Sender<Explanation>,
    },
    /// What was counted since the last report.
    Traffic {
        answer: oneshot::Sender<Report>,
    },
    /// What the worker has, for people who debug.
    Inspect {
        answer: std::sync::mpsc::SyncSender<serde_json::Value>,
    },
    /// Take nothing new, end what is open within the bound, then stop.
    Stop {
        within: Duration,
    },
}

/// The control side's end of a worker.
#[derive(Debug)]
pub struct Handle {
    pub commands: mpsc::Sender<Command>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Handle {
    /// Waits for the thread; the worker must have been told to stop.
    pub async fn ended(mut self) {
        let Some(thread) = self.thread.take() else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the worker's thread panicked");
        }
    }
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the tunnel cannot start")]
    Bind(#[source] BindError),
    #[error("the worker's thread cannot start")]
    Thread(#[source] io::Error),
    #[error("the worker's thread ended at once")]
    Ended,
}

/// What the control side hands to a new worker.
#[derive(Debug)]
pub struct Start {
    pub gateway: InstanceId,
    pub identity: Identity,
    pub carrier: Settings,
    pub capture: Capture,
    pub tables: Tables,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLog,
}

/// Starts the worker's thread and waits until its tunnel is bound.
pub async fn start(start: Start) -> Result<(Handle, std::net::SocketAddr), StartError> {
    let (commands, received) = mpsc::channel(limits::WORKER_COMMANDS_MAX);
    let (ready, bound) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("worker-0".into())
        .spawn(move || run_thread(start, received, ready))
        .map_err(StartError::Thread)?;
    let address = bound.await.map_err(|_| StartError::Ended)??;
    Ok((Handle { commands, thread: Some(thread) }, address))
}

type Ready = oneshot::Sender<Result<std::net::SocketAddr, StartError>>;

fn run_thread(start: Start, commands: mpsc::Receiver<Command>, ready: Ready) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(StartError::Thread(error)));
            return;
        }
    };
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let parts = Parts {
            gateway: start.gateway,
            identity: start.identity,
            carrier: start.carrier,
            tables: start.tables,
            metrics: start.metrics,
            access_log: start.access_log,
            listeners: Listeners::new(start.capture),
        };
        let worker = match Worker::new(parts) {
            Ok(worker) => worker,
            Err(error) => {
                // The starter waits for this answer.
                let _ = ready.send(Err(StartError::Bind(error)));
                return;
            }
        };
        let address = worker.inner.pool.endpoint().local_address();
        let _ = ready.send(address.map_err(StartError::Thread));
        worker.run(commands).await;
    });
}
