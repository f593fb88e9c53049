//! Long work, on threads of its own: whoever accepts, answers or replicates does not wait for it.

use std::panic::resume_unwind;

/// Runs `work` where it may take its time; a panic in it is one of the caller.
///
/// It must hold no lock that a task of the runtime or the raft thread takes: read a copy of the
/// state (`Store::copy`), not the state.
pub(crate) async fn long<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and with it whoever waits.
            Err(_) => std::future::pending().await,
        },
    }
}
