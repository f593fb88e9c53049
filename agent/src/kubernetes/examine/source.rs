//! From where a gateway sees this pod's connections come: the platform must not translate the
//! source addresses of pods, by which callers are known.

use std::net::IpAddr;

use rialto_types::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Seen;

/// Asks behind `probe`, the `HOST:PORT` of a Service, several times: it spreads over gateways.
pub(super) async fn probe(probe: &str) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    for _ in 0..limits::EXAMINE_PROBES {
        let asked = timeout(limits::EXAMINE_TIMEOUT, ask(probe)).await;
        let asked = asked.unwrap_or_else(|_| Err("no answer in time".into()));
        seen.push(asked.map_err(|why| format!("a gateway behind `{probe}`: {why}"))?);
    }
    Ok(seen)
}

async fn ask(probe: &str) -> Result<Seen, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(probe).await.map_err(text)?;
    let own = stream.local_addr().map_err(text)?.ip().to_canonical();
    let request = format!("GET /source HTTP/1.0\r\nHost: {probe}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(text)?;
    let mut answer = Vec::new();
    let mut bounded = stream.take(limits::EXAMINE_ANSWER_BYTES_MAX);
    bounded.read_to_end(&mut answer).await.map_err(text)?;
    let shown = read(&answer).ok_or("its answer is not an address; is it of another release?")?;
    Ok(Seen { own, shown })
}

/// The address in the body of an HTTP answer.
fn read(answer: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let is_good = head.starts_with("HTTP/1.") && head.split(' ').nth(1) == Some("200");
    let address: IpAddr = body.trim().parse().ok().filter(|_| is_good)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests;
