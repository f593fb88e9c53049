//! A registry file that is not good: what is wrong is told, and the last good one is served.

use std::fs;
use std::path::Path;

use rialto_types::id::Role;
use rialto_types::service::AppProtocol;
use serde_json::json;

use super::world::{Home, World, call, echo};
use crate::process::Process;

const LAST_GOOD: &str = "the registry is not good; the last good one stays";

#[test]
fn a_bad_registry_file_is_told_by_line_and_field_and_the_last_good_one_is_served() {
    let (echo, other) = (echo(), echo());
    let [mut home, mut later] = [("shop/echo", &echo), ("shop/later", &other)]
        .map(|(name, workload)| Home::of(name, AppProtocol::Tcp, workload));
    let (address, later_address) = (home.address(), later.address());
    let good = registry(&[("echo", home.port)]);
    let both = registry(&[("echo", home.port), ("later", later.port)]);
    // Only the agent knows where the workloads are.
    for home in [&mut home, &mut later] {
        home.endpoint = "127.0.0.1:1".parse().expect("an address");
    }
    let mut world = World::new(vec![home, later]);
    let file = world.path("fleet.yaml");
    fs::write(&file, &good).expect("the folder takes a file");
    let settings = json!({
        "registry": { "static": file },
        "socket": world.path("agent.sock"),
        "listen": "127.0.0.1:0",
    });
    let (agent, up) = world.start(Role::Agent, &settings, "agent is up");
    world.agent = up["listen"].as_str().expect("where it listens").to_owned();
    // No other gateway has to find it.
    let tunnel = json!({ "listen": "127.0.0.1:0", "advertise": "127.0.0.1:1" });
    let settings = json!({ "tunnel": tunnel, "accessLog": "off" });
    let (gateway, _) = world.start(Role::Gateway, &settings, "gateway is up");
    let answers = |address| move |_: &Process| call(address, "well").is_ok_and(|it| it == "well");
    gateway.until("the agent's word of the workload", answers(address));

    let place = file.display();
    for (text, fault) in bad_files(&good) {
        replace(&file, text.as_bytes());
        let record = agent.until_logged(LAST_GOOD);
        let told = record["fault"].as_str().expect("what is wrong");
        assert_eq!(told, format!("{place}{fault}"));
        agent.until("the word of it", |agent| agent.page("/readyz").contains(told));
        assert_eq!(agent.counted("rialto_agent_registry_readable", &[]), 0);
        assert_eq!(call(address, "well").expect("an answer"), "well", "after {told}");
    }
    let bad = u64::try_from(bad_files(&good).len()).expect("a few");
    agent.until_counted("rialto_agent_registry_reads_total", &["result=\"bad\""], bad);
    assert!(call(later_address, "well").is_err(), "nobody has told of it");

    replace(&file, both.as_bytes());
    gateway.until("the repaired file", answers(later_address));
    assert_eq!(agent.counted("rialto_agent_registry_readable", &[]), 1);
    assert_eq!(call(address, "well").expect("an answer"), "well");
}

/// Each with what is told of it, after the file's name.
fn bad_files(good: &str) -> Vec<(String, &'static str)> {
    let service = "services:\n- namespace: shop\n  name: echo\n";
    vec![
        (
            format!("{service}  prots: [{{port: 80}}]\n"),
            ":4:3: `services[0].prots`: unknown field `prots`, expected one of namespace, name, \
             export, headless, sessionAffinity, labels, ports, check, endpoints",
        ),
        (
            format!("{service}  ports: [{{port: 65536}}]\n"),
            ":4:18: `services[0].ports[0].port`: expected a port number, 1 to 65535",
        ),
        (
            format!("{service}  ports: [{{port: 80}}]\n  endpoints:\n  - address: 10.0.0.256\n"),
            ":6:14: `services[0].endpoints[0].address`: expected an IPv4 or IPv6 address, such as \
             `10.0.0.5`",
        ),
        (
            format!("{good}- namespace: shop\n  name: echo\n  ports: [{{port: 81}}]\n"),
            ":9:9: `services[1].name`: service `shop/echo` is there already; merge the two, a \
             service has one definition",
        ),
        (String::new(), ":1:1: the file is empty; write `services: []` if there are none"),
    ]
}

fn registry(services: &[(&str, u16)]) -> String {
    let mut text = String::from("allowLoopback: true\nservices:\n");
    for (name, port) in services {
        text += &format!(
            "- namespace: shop\n  name: {name}\n  export: true\n  ports: [{{port: {port}}}]\n  \
             endpoints: [{{address: 127.0.0.1}}]\n"
        );
    }
    text
}

/// As the operator's guide says: written aside, and renamed into place.
fn replace(file: &Path, bytes: &[u8]) {
    let aside = file.with_extension("new");
    fs::write(&aside, bytes).expect("the folder takes a file");
    fs::rename(&aside, file).expect("it is there");
}
