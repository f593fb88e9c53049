//! Whether this machine's resolver knows the federated names: one question, as any pod asks it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use rialto_types::limits;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Where Kubernetes tells a pod who resolves names.
pub const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// The name by which a resolver of the MCS specification says that it is there.
const VERSION_NAME: &str = "dns-version.clusterset.local";

/// RFC 1035 sections 3.2 and 4.1.1.
const TYPE_TXT: u16 = 16;
const CLASS_IN: u16 = 1;
const RECURSION_DESIRED: u16 = 0x0100;
const HEADER_BYTES: usize = 12;
const NO_SUCH_NAME: u8 = 3;

/// What the resolver says of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Ours,
    NoSuchName,
    /// With this response code.
    Refused(u8),
}

/// Asks the first resolver that the file names, over UDP, from a new port.
pub async fn ask(resolver_file: &Path) -> Result<Answer, String> {
    let text = tokio::fs::read_to_string(resolver_file).await;
    let text = text.map_err(|error| format!("`{}`: {error}", resolver_file.display()))?;
    let server = first_server(&text)
        .ok_or_else(|| format!("`{}` names no server", resolver_file.display()))?;
    let mut failed = String::new();
    for _ in 0..limits::EXAMINE_ATTEMPTS {
        match timeout(limits::EXAMINE_TIMEOUT, exchange(server)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => failed = format!("{server}: {error}"),
            Err(_) => failed = format!("{server} did not answer in time"),
        }
    }
    Err(failed)
}

async fn exchange(server: SocketAddr) -> std::io::Result<Answer> {
    let own = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(server).await?;
    let id = rand::random::<u16>();
    socket.send(&question(id)).await?;
    let mut buffer = [0; 1_232];
    loop {
        let size = socket.recv(&mut buffer).await?;
        if let Some(answer) = read(id, &buffer[..size]) {
            return Ok(answer);
        }
    }
}

fn first_server(text: &str) -> Option<SocketAddr> {
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let address = servers.filter_map(|rest| rest.trim().parse::<IpAddr>().ok()).next()?;
    Some(SocketAddr::new(address, 53))
}

fn question(id: u16) -> Vec<u8> {
    let mut message = Vec::new();
    for field in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(field.to_be_bytes());
    }
    for label in VERSION_NAME.split('.') {
        message.push(u8::try_from(label.len()).expect("a label is short"));
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(TYPE_TXT.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

/// `None` for what does not answer this question.
fn read(id: u16, message: &[u8]) -> Option<Answer> {
    if message.len() < HEADER_BYTES || !message.starts_with(&id.to_be_bytes()) {
        return None;
    }
    let answers = u16::from_be_bytes([message[6], message[7]]);
    match message[3] & 0x0f {
        0 if answers > 0 => Some(Answer::Ours),
        // The name has no such record: whoever answered is not of our kind.
        0 | NO_SUCH_NAME => Some(Answer::NoSuchName),
        code => Some(Answer::Refused(code)),
    }
}

#[cfg(test)]
mod tests;
