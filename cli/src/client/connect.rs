//! Which bridge a verb talks to, and as whom.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rialto_types::cluster::bridge_trust_domain;
use rialto_types::duration;
use rialto_types::id::Role;
use rialto_wire::client::{Client, Server};
use rialto_wire::identity::{Expected, TrustBundle, tls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::failure::Failure;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Where the bridge is; plain HTTP only on loopback
    #[arg(
        long,
        value_name = "URL",
        env = "RIALTO_SERVER",
        default_value = "http://127.0.0.1:7601",
        hide_env_values = true
    )]
    server: String,
    /// A file with the token to show
    #[arg(long, value_name = "FILE", env = "RIALTO_TOKEN_FILE", hide_env_values = true)]
    token_file: Option<PathBuf>,
    /// The certificate of the bridge's issuer, as PEM; needed for `https://`
    #[arg(long, value_name = "FILE", env = "RIALTO_CA_FILE", hide_env_values = true)]
    ca_file: Option<PathBuf>,
    /// Give up on one request after this time
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    timeout: Duration,
}

impl Connection {
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let tls = self.ca_file.as_deref().map(tls_config).transpose()?;
        if self.server.starts_with("https://") && tls.is_none() {
            let text = format!("`{}` needs `--ca-file`, to know the bridge by", self.server);
            return Err(Failure::usage(text)
                .with_hint("take `identity/anchors.pem` from the bridge's data folder"));
        }
        let server = Server::parse(&self.server, tls)?;
        Ok(Client::new(server, self.token()?, self.timeout))
    }

    /// Without a file the token is empty: the bridge's refusal says what to do.
    fn token(&self) -> Result<String, Failure> {
        let Some(path) = &self.token_file else { return Ok(String::new()) };
        let text = read(path, "--token-file")?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let text = format!("`{}` holds no token: expected one line of text", path.display());
            return Err(Failure::usage(text));
        }
        Ok(token.to_string())
    }
}

fn read(path: &Path, option: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read `{}`, given by `{option}`: {error}", path.display()))
    })
}

/// Believes a member of the control plane whose issuer is the file's certificate: members prove a
/// SPIFFE ID, not a host name, so that any address leads to them.
fn tls_config(path: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let text = read(path, "--ca-file")?;
    let domain = bridge_trust_domain();
    let mut bundle = TrustBundle::default();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()).flatten() {
        // A member's `anchors.pem` also holds those of clusters, which do not speak for it.
        let _ = bundle.insert(&domain, &certificate);
    }
    let Some(anchor) = bundle.anchors(&domain).first() else {
        let text = format!("`{}` holds no certificate of a bridge's issuer", path.display());
        return Err(Failure::usage(text)
            .with_hint("take `identity/anchors.pem` from the bridge's data folder"));
    };
    let expected = Expected::Part { domain, role: Role::Member };
    let fingerprint = anchor.fingerprint();
    Ok(Arc::new(tls::pinned_client_config(fingerprint, expected, &[b"http/1.1"])))
}

#[cfg(test)]
mod tests;
