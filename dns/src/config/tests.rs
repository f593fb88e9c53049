use super::*;

const LEAST: &str = "{id: one, dataFolder: /d, agentSocket: /s";

fn config(more: &str) -> Config {
    serde_saphyr::from_str(&format!("{LEAST}{more}}}")).expect("a configuration")
}

#[test]
fn defaults_are_closed() {
    let config = config("");
    assert!(config.check().is_ok());
    assert!(config.listen.iter().all(|listen| listen.ip().is_loopback()));
    let answers = |address: &str| {
        let address: IpAddr = address.parse().expect("an address");
        config.clients.iter().any(|range| range.contains(&address))
    };
    for workload in ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.7.7", "fd00::7"] {
        assert!(answers(workload), "{workload}");
    }
    for stranger in ["8.8.8.8", "172.32.0.1", "100.64.0.1", "169.254.1.1", "2001:db8::1"] {
        assert!(!answers(stranger), "{stranger}");
    }
}

#[test]
fn what_cannot_work_is_refused() {
    for (more, expected) in [
        (", listen: []", "`listen` is empty"),
        (", clients: []", "`clients` is empty"),
        (", clients: [0.0.0.0/0]", "open resolver"),
        (", clients: [\"::/0\"]", "open resolver"),
        (", upstreams: [1.1.1.1:53, 1.1.1.2:53, 1.1.1.3:53, 1.1.1.4:53]", "4 addresses"),
    ] {
        let error = config(more).check().expect_err(more).to_string();
        assert!(error.contains(expected), "{more}: {error}");
    }
    let unknown = format!("{LEAST}, listn: []}}");
    assert!(serde_saphyr::from_str::<Config>(&unknown).is_err());
}

#[test]
fn the_system_s_resolvers_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("resolv.conf");
    let text = "# comment\nsearch example.com\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \n\
                nameserver nonsense\noptions ndots:5\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
    std::fs::write(&path, text).expect("a file");
    let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"];
    let expected = expected.map(|address| address.parse().expect("an address"));
    assert_eq!(system_resolvers(&path), expected);
    assert!(system_resolvers(&folder.path().join("none")).is_empty());
}
