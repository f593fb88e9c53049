//! REST from outside of the demo's networks to whichever bridge is alive.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::limits;

/// Carries connections until the future is dropped, and ends them with it.
pub(crate) async fn forward(listener: TcpListener, bridges: Vec<SocketAddr>) {
    let bridges: Arc<[SocketAddr]> = bridges.into();
    let room = Arc::new(Semaphore::new(limits::FORWARD_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let permit = Arc::clone(&room).acquire_owned().await;
        let Ok((mut outside, _)) = listener.accept().await else {
            // Out of descriptors; those in use will be given back.
            tokio::time::sleep(limits::FORWARD_ACCEPT_DELAY).await;
            continue;
        };
        let bridges = Arc::clone(&bridges);
        connections.spawn(async move {
            let _permit = permit;
            if let Some(mut inside) = first_alive(&bridges).await {
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}

async fn first_alive(bridges: &[SocketAddr]) -> Option<TcpStream> {
    for bridge in bridges {
        let connecting = TcpStream::connect(bridge);
        if let Ok(Ok(stream)) = timeout(limits::FORWARD_CONNECT_TIMEOUT, connecting).await {
            return Some(stream);
        }
    }
    None
}

#[cfg(test)]
mod tests;
