//! Certificates that live half a minute, in a federation of one bridge and two nodes: connections
//! and names go on when the first ones have expired.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, ensure};
use rialto_types::id::Timestamp;
use rialto_wire::identity::now;
use serde_json::{Value, json};

use crate::demo::{Ended, demo, demo_output, wait_until};
use crate::federation::{ByHand, ECHO_PORT};

/// Half of it is left to a machine that is busy.
const LIFETIME: &str = "30s";

#[test]
fn certificates_are_renewed_under_an_open_flow() -> anyhow::Result<()> {
    let by_hand = ByHand::begin()?;

    let _bridge = by_hand.start_bridge(&json!({ "certificateLifetime": LIFETIME }))?;
    let _east = by_hand.start_node("east", 1)?;
    let first = certificates(&by_hand, "east")?;
    let _west = by_hand.start_node("west", 2)?;
    let first: BTreeMap<_, _> = first.into_iter().chain(certificates(&by_hand, "west")?).collect();
    let _page = by_hand.serve_page("west")?;
    let _echo = by_hand.serve("west", &[], &["python3", "-c", SERVER, &ECHO_PORT.to_string()])?;
    by_hand.until_page("east", "west")?;
    let mut flow = None;
    wait_until("a flow across clusters", || {
        flow = Flow::open(&by_hand, "east", "west").ok();
        Ok(flow.is_some())
    })?;
    let mut flow = flow.context("it was opened")?;

    let mut said = 0;
    wait_until("the first certificates have expired", || {
        said += 1;
        flow.say(&format!("line {said}"))?;
        Ok(first.values().all(|until| *until < now()))
    })?;
    for cluster in ["east", "west"] {
        for (part, until) in certificates(&by_hand, cluster)? {
            ensure!(until > now(), "the certificate of {part} is still the one until {until}");
            ensure!(Some(&until) != first.get(&part), "{part} has no new certificate");
        }
    }
    flow.say("well")?;
    Flow::open(&by_hand, "east", "west")?.say("well")?;
    by_hand.until_page("east", "west")?;
    for cluster in ["east", "west"] {
        let gateway = page(&by_hand, cluster, GATEWAY, "metrics")?;
        ensure!(!gateway.contains("reason=\"expired\""), "{cluster}: {gateway}");
        wait_until("old connections end, but for the one that the flow holds", || {
            let page = page(&by_hand, cluster, GATEWAY, "debug/snapshot")?;
            let debug: Value = serde_json::from_str(&page)?;
            // A worker that is busy does not say.
            let Some(connections) = debug["worker"]["connections"].as_array() else {
                return Ok(false);
            };
            let retired = connections.iter().filter(|connection| connection["retired"] == true);
            Ok(retired.count() == 1)
        })?;
    }
    flow.say("still well")
}

const AGENT: u16 = 9902;
const GATEWAY: u16 = 9903;
const DNS: u16 = 9904;

/// Until when the certificate of each part of a node is good.
fn certificates(by_hand: &ByHand, cluster: &str) -> anyhow::Result<BTreeMap<String, Timestamp>> {
    let mut certificates = BTreeMap::new();
    for port in [AGENT, GATEWAY, DNS] {
        let debug: Value = serde_json::from_str(&page(by_hand, cluster, port, "debug/snapshot")?)?;
        let until = debug["certificateUntil"].as_str().context("a time")?.parse()?;
        certificates.insert(debug["identity"].to_string(), until);
    }
    Ok(certificates)
}

/// An admin page of a node.
fn page(by_hand: &ByHand, cluster: &str, port: u16, path: &str) -> anyhow::Result<String> {
    let url = format!("http://127.0.0.1:{port}/{path}");
    let curl = ["exec", cluster, "--as", "node", "--", "curl", "-sS", "-m", "5", &url];
    let output = demo_output(&by_hand.folder, &curl)?;
    ensure!(output.status.success(), "{url} of {cluster}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// A TCP connection of a workload that knows nothing of Rialto, held open between two lines.
struct Flow {
    _client: Ended,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Flow {
    fn open(by_hand: &ByHand, caller: &str, home: &str) -> anyhow::Result<Self> {
        let name = format!("echo-{home}.pages.svc.clusterset.local");
        let port = ECHO_PORT.to_string();
        let exec = ["exec", caller, "--", "python3", "-c", CLIENT, &name, &port];
        let mut command = demo(&by_hand.folder, &exec);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = Ended(command.spawn()?);
        let input = client.0.stdin.take().context("it is piped")?;
        let output = BufReader::new(client.0.stdout.take().context("it is piped")?);
        let mut flow = Self { _client: client, input, output };
        flow.say("hello")?;
        Ok(flow)
    }

    /// Sends a line, and sees it come back.
    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.input, "{text}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.trim_end() == text, "{line:?} came back for {text:?}");
        Ok(())
    }
}

const CLIENT: &str = "
import socket, sys
flow = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20).makefile('rw')
for line in sys.stdin:
    flow.write(line)
    flow.flush()
    print(flow.readline(), end='', flush=True)
";

const SERVER: &str = "
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(('', int(sys.argv[1])), Echo).serve_forever()
";
