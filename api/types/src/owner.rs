//! Who may change an object.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{self, ClusterName};

/// Who may change an object.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Owner {
    /// Written through the API.
    #[default]
    Bridge,
    /// Stated by a cluster's own registry; change it there.
    Agent(ClusterName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Bridge => f.write_str("bridge"),
            Owner::Agent(cluster) => write!(f, "agent:{cluster}"),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = id::Error;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix("agent:") {
            Some(cluster) => Ok(Owner::Agent(cluster.parse()?)),
            None if text == "bridge" => Ok(Owner::Bridge),
            None => Err(id::Error::Invalid {
                what: "owner",
                text,
                expected: "`bridge` or `agent:CLUSTER`",
            }),
        }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> String {
        owner.to_string()
    }
}
