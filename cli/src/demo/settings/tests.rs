use super::*;

const PLANS: [Plan; 2] =
    [Plan { network: Network::Namespaces }, Plan { network: Network::Loopback }];

#[test]
fn every_server_accepts_its_settings() -> anyhow::Result<()> {
    for plan in PLANS {
        let folder = tempfile::tempdir()?;
        let files = Files::new(folder.path());
        for host in BRIDGE_HOSTS {
            files.write_bridge(plan, host)?;
        }
        files.write_agent(plan, Site::East)?;
        files.write_gateway(plan, Site::East, 11)?;
        files.write_dns(plan, Site::East)?;
        let text = fs::read_to_string(files.settings("bridge-2"))?;
        serde_saphyr::from_str::<rialto_bridge::Config>(&text)?;
        let text = fs::read_to_string(files.settings("east.agent"))?;
        serde_saphyr::from_str::<rialto_agent::Config>(&text)?.check()?;
        let text = fs::read_to_string(files.settings("east.gateway-1"))?;
        serde_saphyr::from_str::<rialto_gateway::Config>(&text)?.check()?;
        let text = fs::read_to_string(files.settings("east.dns"))?;
        serde_saphyr::from_str::<rialto_dns::Config>(&text)?.check()?;
    }
    Ok(())
}

#[test]
fn every_registry_is_accepted_by_the_agent() -> anyhow::Result<()> {
    for plan in PLANS {
        for site in Site::CLUSTERS {
            let text = serde_saphyr::to_string(&registry_of(site, plan))?;
            let read = rialto_agent::provider::static_file::document::parse("registry", &text);
            let registry = read.map_err(|faults| anyhow::anyhow!("{site}: {faults:?}\n{text}"))?;
            assert!(!registry.services.is_empty());
        }
    }
    Ok(())
}
