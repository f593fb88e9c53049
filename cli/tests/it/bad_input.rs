//! Bad input, against real processes and real sockets: each gets a clear error or a counted refusal,
//! and everything else goes on. `docs/testing.md` has the table.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

mod dns;
mod rest;
mod world;

/// Sends one byte after each silence of this time.
const DRIP: Duration = Duration::from_millis(250);

/// Drips `bytes` until the other side ends the connection, and gives what it said.
fn drip(mut stream: TcpStream, bytes: impl IntoIterator<Item = u8>) -> String {
    stream.set_read_timeout(Some(DRIP)).expect("a time limit");
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    for byte in bytes {
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return String::from_utf8(said).expect("text"),
                Ok(read) => said.extend_from_slice(&buffer[..read]),
                Err(error) if is_silence(&error) => break,
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&said)),
            }
        }
        // Whoever has given up may have closed already; what it said is still to be read.
        let _ = stream.write_all(&[byte]);
    }
    panic!("nobody minded the dripping; said so far: {}", String::from_utf8_lossy(&said));
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
