//! The Service API: `sessionAffinity: ClientIP` makes sure that connections of one client are
//! passed to the same endpoint each time. Across clusters, with the processes that do it.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::demo::{demo_output, wait_until};
use crate::federation::ByHand;

const NAME: &str = "cart.shop.svc.clusterset.local";
const PORT: u16 = 8100;
/// Where the endpoints of the service listen, all on one host.
const ENDPOINTS: [u16; 4] = [8101, 8102, 8103, 8104];
/// So many that a draw among two of the endpoints would not fall on one each time.
const CALLS: &str = "60";

#[test]
fn a_caller_is_passed_to_the_same_endpoint_each_time_as_long_as_that_serves() -> anyhow::Result<()>
{
    let by_hand = ByHand::begin()?;
    let _bridge = by_hand.start_bridge(&json!({}))?;
    let east = by_hand.start_node("east", 1)?;
    let west = by_hand.start_node("west", 2)?;
    let serve = |port: u16| {
        let port = port.to_string();
        by_hand.serve("west", &[], &["python3", "-c", SERVER, &port])
    };
    let mut servers = Vec::new();
    for port in ENDPOINTS {
        servers.push((port, serve(port)?));
    }

    by_hand.write("west.registry.yaml", &registry("None"))?;
    until_told(&by_hand, "without affinity all endpoints serve", |told| {
        told.len() == ENDPOINTS.len()
    })?;
    by_hand.write("west.registry.yaml", &registry("ClientIP"))?;
    let told = until_told(&by_hand, "with affinity one endpoint serves", |told| told.len() == 1)?;
    let first = *told.first().context("somebody served")?;

    // Nobody remembers the caller: other processes come to the same.
    drop((east, west));
    let _nodes = (by_hand.start_node_again("east")?, by_hand.start_node_again("west")?);
    until_told(&by_hand, "the new processes choose the same", |told| *told == [first].into())?;

    let at = servers.iter().position(|(port, _)| *port == first).context("one of ours")?;
    drop(servers.remove(at));
    until_told(&by_hand, "another endpoint serves, and no other", |told| {
        told.len() == 1 && !told.contains(&first)
    })?;

    servers.push((first, serve(first)?));
    until_told(&by_hand, "the first endpoint serves again", |told| *told == [first].into())?;
    Ok(())
}

fn registry(affinity: &str) -> Value {
    let endpoint = |port: &u16| json!({ "address": "10.89.2.9", "ports": { "8100": port } });
    json!({ "services": [{
        "namespace": "shop",
        "name": "cart",
        "export": true,
        "sessionAffinity": affinity,
        "ports": [{ "port": PORT, "protocol": "tcp" }],
        "endpoints": ENDPOINTS.iter().map(endpoint).collect::<Vec<_>>(),
    }]})
}

fn until_told(
    by_hand: &ByHand,
    what: &str,
    is_wanted: impl Fn(&BTreeSet<u16>) -> bool,
) -> anyhow::Result<BTreeSet<u16>> {
    let mut told = Ok(BTreeSet::new());
    let waited = wait_until(what, || {
        told = calls(by_hand);
        Ok(told.as_ref().is_ok_and(&is_wanted))
    });
    waited.with_context(|| format!("{told:?}"))?;
    told
}

/// Which endpoints answer the calls of east's workload, if all are answered.
fn calls(by_hand: &ByHand) -> anyhow::Result<BTreeSet<u16>> {
    let port = PORT.to_string();
    let exec = ["exec", "east", "--", "python3", "-c", CLIENT, NAME, &port, CALLS];
    let output = demo_output(&by_hand.folder, &exec)?;
    ensure!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout)?;
    told.split_whitespace().map(|port| port.parse().context("a port")).collect()
}

const CLIENT: &str = "
import socket, sys
for _ in range(int(sys.argv[3])):
    told = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).makefile().read()
    sys.exit('no answer') if not told else print(told)
";

const SERVER: &str = "
import socketserver, sys
class Tell(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(sys.argv[1].encode())
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
Server(('', int(sys.argv[1])), Tell).serve_forever()
";
