//! How long the server takes for each view while the federation changes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bridge::Bridge;
use super::plan::Plan;

/// A table of the views, each asked `count` times, far enough apart that each answer is made anew.
pub(crate) async fn run(bridge: &Bridge, plan: &Plan, count: usize) -> anyhow::Result<String> {
    let (service, _) = plan.clusters[0].services.first().context("a service")?;
    let (namespace, name) = (&service.namespace, &service.name);
    let views = [
        "overview".to_string(),
        "services?sort=errors".into(),
        "services?search=team-001+service".into(),
        format!("namespaces/{namespace}/services/{name}"),
        "clusters".into(),
        format!("clusters/{}", plan.clusters[0].name),
        "topology".into(),
        "topology?group=none".into(),
        "changes".into(),
    ];
    let mut table = format!("{:<52} {:>9} {:>9} {:>9}\n", "view", "p50 ms", "p95 ms", "KiB");
    let mut tick = tokio::time::interval(Duration::from_millis(1_050));
    for view in views {
        let (mut took, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            tick.tick().await;
            let started = Instant::now();
            bytes = get(bridge, &format!("/api/v1/views/{view}")).await?;
            took.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
        let (p50, p95, size) = (at(0.5), at(0.95), bytes as f64 / 1024.0);
        table.push_str(&format!("{view:<52} {p50:>9.1} {p95:>9.1} {size:>9.1}\n"));
    }
    Ok(table)
}

/// The bytes of the answer; a connection of its own, as the first request of a page.
async fn get(bridge: &Bridge, path: &str) -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect(&bridge.rest).await?;
    let (host, token) = (&bridge.rest, &bridge.token);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    Ok(answer.len())
}
