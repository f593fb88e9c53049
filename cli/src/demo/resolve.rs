//! A name to an IPv4 address: by the system's resolver, or by one question to a given server.
//!
//! The second way is for machines without namespaces, where `/etc/resolv.conf` cannot name a port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::limits;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the server did not answer in time")]
    Timeout,
    #[error("the name has no address (response code {0})")]
    Unknown(u8),
    #[error("the answer could not be had or read")]
    Broken(#[source] std::io::Error),
}

/// RFC 1035 section 3.2.2.
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;

pub(crate) async fn resolve(host: &str, server: Option<SocketAddr>) -> Result<IpAddr, Error> {
    let Some(server) = server else {
        let mut addresses =
            tokio::net::lookup_host((host, 0)).await.map_err(|_| Error::Unknown(3))?;
        return addresses
            .find(SocketAddr::is_ipv4)
            .map(|address| address.ip())
            .ok_or(Error::Unknown(0));
    };
    for _ in 0..limits::RESOLVE_ATTEMPTS {
        match timeout(limits::RESOLVE_TIMEOUT, ask(host, server)).await {
            Ok(answer) => return answer.map(IpAddr::V4),
            Err(_) => continue,
        }
    }
    Err(Error::Timeout)
}

async fn ask(host: &str, server: SocketAddr) -> Result<Ipv4Addr, Error> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await.map_err(Error::Broken)?;
    socket.connect(server).await.map_err(Error::Broken)?;
    let id = rand::random::<u16>();
    socket.send(&question(id, host)).await.map_err(Error::Broken)?;
    let mut buffer = [0; 1_232];
    loop {
        let size = socket.recv(&mut buffer).await.map_err(Error::Broken)?;
        if buffer[..size].starts_with(&id.to_be_bytes()) {
            return first_address(&buffer[..size]);
        }
    }
}

fn question(id: u16, host: &str) -> Vec<u8> {
    const RECURSION_DESIRED: u16 = 0x0100;
    let mut message = Vec::new();
    for field in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend(field.to_be_bytes());
    }
    for label in host.trim_end_matches('.').split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(TYPE_A.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

fn first_address(message: &[u8]) -> Result<Ipv4Addr, Error> {
    let broken = || Error::Broken(std::io::ErrorKind::InvalidData.into());
    let byte = |at: usize| message.get(at).copied().ok_or_else(broken);
    let pair = |at: usize| Ok::<_, Error>(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
    let code = byte(3)? & 0x0f;
    let answers = pair(6)?;
    if code != 0 || answers == 0 {
        return Err(Error::Unknown(code));
    }
    let mut at = skip_name(message, 12).ok_or_else(broken)? + 4;
    for _ in 0..answers {
        at = skip_name(message, at).ok_or_else(broken)?;
        let size = usize::from(pair(at + 8)?);
        if pair(at)? == TYPE_A && size == 4 {
            let octet = |index: usize| byte(at + 10 + index);
            return Ok(Ipv4Addr::new(octet(0)?, octet(1)?, octet(2)?, octet(3)?));
        }
        at += 10 + size;
    }
    Err(Error::Unknown(code))
}

/// Where the name at `at` ends; a pointer ends it (RFC 1035 section 4.1.4).
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests;
