//! The text of a join token: all that a machine needs to find the bridge and to trust it.

use serde::{Deserialize, Serialize};

use crate::cluster::Joiner;
use crate::id::{ClusterName, ResourceName};

/// What a join token carries. Its text is `rialto1.` and the JSON of this in base64url.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinToken {
    /// The JoinToken object.
    pub name: ResourceName,
    /// 32 random bytes in hex; the bridge stores only their SHA-256.
    pub secret: String,
    pub role: Joiner,
    pub cluster: Option<ClusterName>,
    /// `HOST:PORT` of the bridge members' gRPC listeners.
    pub bridges: Vec<String>,
    /// SHA-256 of the bridge's issuer certificate (DER), in hex: the server is authenticated by it.
    pub fingerprint: String,
}

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinToken").field("name", &self.name).finish_non_exhaustive()
    }
}
