//! The one command that makes a part join, to paste where it will run.

use rialto_types::cluster::{JoinTokenRequest, Joiner, Platform, trust_domain};
use rialto_types::error::{Code, Problem};
use rialto_types::id::ClusterName;
use rialto_wire::identity::Fingerprint;

use super::{Answer, Service};

/// A command that lacks only the token.
#[derive(Debug)]
pub(super) enum Install {
    /// The binary, with the name of its verb.
    Machine(&'static str),
    /// The chart. Its gateways and DNS proxies know the agent by the cluster's anchor.
    Kubernetes { cluster: ClusterName, anchor: Fingerprint },
}

impl Install {
    pub(super) fn with_token(&self, token: &str) -> String {
        match self {
            Self::Machine(part) => format!(
                "(umask 077; echo '{token}' > join.token) && \\\n  \
                 rialto {part} --config {part}.yaml --token-file join.token"
            ),
            Self::Kubernetes { cluster, anchor } => format!(
                "helm install rialto deploy/helm/rialto \\\n  \
                 --namespace rialto --create-namespace \\\n  \
                 --set-string cluster={cluster} \\\n  \
                 --set-string anchor={anchor} \\\n  \
                 --set-string joinToken={token}"
            ),
        }
    }
}

impl Service {
    /// Fails where there is no such command, before a token is made for it.
    pub(super) fn install_command(&self, request: &JoinTokenRequest) -> Answer<Install> {
        match (request.platform, request.role, &request.cluster) {
            (Platform::Machine, Joiner::Member, _) => Ok(Install::Machine("bridge")),
            (Platform::Machine, Joiner::Agent, _) => Ok(Install::Machine("agent")),
            (Platform::Kubernetes, Joiner::Agent, Some(cluster)) => {
                let domain = trust_domain(cluster);
                let state = self.store.read();
                let unknown = || {
                    Problem::new(Code::ClusterUnknown, format!("no cluster `{cluster}`"))
                        .with_hint("apply a Cluster of this name first")
                };
                let issuer = state.cluster(cluster).ok_or_else(unknown)?.issuer;
                let opened = self.authority.open_issuer(&domain, issuer);
                let opened =
                    opened.map_err(|error| Problem::new(error.code(), error.to_string()))?;
                let anchor = Fingerprint::of(opened.certificate());
                Ok(Install::Kubernetes { cluster: cluster.clone(), anchor })
            }
            (Platform::Kubernetes, role, _) => {
                let detail = format!("`platform` is `kubernetes`, where no {role} joins by token");
                let problem = Problem::new(Code::Invalid, detail).with_field("platform");
                Err(problem.with_hint("ask for `role: agent` with a cluster, or another platform"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
