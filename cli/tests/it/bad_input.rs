//! Bad input, against real processes and real sockets: each gets a clear error or a counted refusal,
//! and everything else goes on. `docs/testing.md` has the table.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

mod certificates;
mod dns;
mod registry;
mod rest;
mod settings;
mod slow_client;
mod tunnel;
mod west;
mod world;

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends one byte after each silence of this time.
const DRIP: Duration = Duration::from_millis(250);

/// Drips `bytes` until the other side ends the connection, and gives what it said.
fn drip(mut stream: TcpStream, bytes: impl IntoIterator<Item = u8>) -> String {
    stream.set_read_timeout(Some(DRIP)).expect("a time limit");
    let mut said = Vec::new();
    for byte in bytes {
        match stream.read_to_end(&mut said) {
            Ok(_) => return String::from_utf8(said).expect("text"),
            Err(error) if is_silence(&error) => {}
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&said)),
        }
        // Whoever has given up may have closed already; what it said is still to be read.
        let _ = stream.write_all(&[byte]);
    }
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.read_to_end(&mut said).expect("all was sent, and is answered");
    String::from_utf8(said).expect("text")
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
