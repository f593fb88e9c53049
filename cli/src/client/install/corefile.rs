//! CoreDNS' configuration, with and without our block in it. Pure.
//!
//! The block comes first and is marked, so that taking it out leaves every other byte as it was.

use std::net::IpAddr;

const ZONE: &str = "clusterset.local";
const BEGIN: &str = "# BEGIN rialto: `rialto uninstall dns` takes this block out";
const END: &str = "# END rialto";

/// Why the block cannot be put in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "the configuration has a block for `{ZONE}` already that Rialto did not make: `{0}`; \
         remove it, or let it forward to Rialto"
    )]
    Taken(String),
    #[error("our block has no end: `{END}` is missing; repair the ConfigMap by hand")]
    NoEnd,
}

/// The block alone: what is forwarded is not cached, because names change within seconds.
pub(crate) fn block(port: u16, proxies: IpAddr) -> String {
    format!("{BEGIN}\n{ZONE}:{port} {{\n    errors\n    forward . {proxies}\n}}\n{END}\n")
}

/// The configuration with our block, which leads to `proxies`; the same if it was there.
pub(crate) fn with_block(corefile: &str, proxies: IpAddr) -> Result<String, Error> {
    let rest = without_block(corefile)?;
    if let Some(block) = keys(&rest).find(|line| names(line).any(|name| name == ZONE)) {
        return Err(Error::Taken(block.to_owned()));
    }
    Ok(block(port(&rest), proxies) + &rest)
}

/// The configuration without our block; the same if it was not there.
pub(crate) fn without_block(corefile: &str) -> Result<String, Error> {
    let mut lines = corefile.split_inclusive('\n');
    let mut rest = String::new();
    while let Some(line) = lines.next() {
        if line.trim_end() != BEGIN {
            rest.push_str(line);
            continue;
        }
        if !lines.by_ref().any(|line| line.trim_end() == END) {
            return Err(Error::NoEnd);
        }
    }
    Ok(rest)
}

/// Whether all of it is imported from elsewhere, as platforms do that manage CoreDNS.
pub(crate) fn imports(corefile: &str) -> Option<&str> {
    corefile.lines().map(str::trim).find(|line| line.starts_with("import "))
}

/// Whether CoreDNS takes a change up by itself.
pub(crate) fn reloads(corefile: &str) -> bool {
    corefile.lines().map(str::trim).any(|line| line == "reload" || line.starts_with("reload "))
}

/// The port on which the cluster is answered: that of the block for everything.
fn port(corefile: &str) -> u16 {
    let roots = keys(corefile).flat_map(|line| line.split([' ', ',', '\t']));
    let ports = roots.filter_map(|key| plain(key).strip_prefix(".:")?.parse().ok());
    ports.max().unwrap_or(53)
}

/// The lines that begin a block.
fn keys(corefile: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    corefile.lines().filter_map(move |line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let is_key = depth == 0 && line.ends_with('{');
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        is_key.then(|| line.trim_end_matches('{').trim())
    })
}

/// The zones of a line that begins a block.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', ',', '\t']).map(|key| {
        let key = plain(key);
        let name = key.rsplit_once(':').map_or(key, |(name, _)| name);
        name.trim_end_matches('.')
    })
}

fn plain(key: &str) -> &str {
    key.strip_prefix("dns://").unwrap_or(key)
}

#[cfg(test)]
mod tests;
