//! The objects by kind, namespace and name.

use std::collections::BTreeMap;

use rialto_types::id::{Namespace, ResourceName};
use rialto_types::object::{Key, Kind, Resource};
use serde::{Deserialize, Serialize};

type Name = (Option<Namespace>, ResourceName);

/// Every resource that somebody wrote; what the clusters report is not here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Resource>", into = "Vec<Resource>")]
pub(super) struct Objects(BTreeMap<Kind, BTreeMap<Name, Resource>>);

impl Objects {
    pub(super) fn get(&self, key: &Key) -> Option<&Resource> {
        self.0.get(&key.kind)?.get(&(key.namespace.clone(), key.name.clone()))
    }

    /// In the order of namespace and name.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        self.0.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.0.get(&kind).map_or(0, BTreeMap::len)
    }

    pub(super) fn insert(&mut self, resource: Resource) -> Option<Resource> {
        let Key { kind, namespace, name } = resource.key();
        self.0.entry(kind).or_default().insert((namespace, name), resource)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Resource> {
        let of_kind = self.0.get_mut(&key.kind)?;
        let removed = of_kind.remove(&(key.namespace.clone(), key.name.clone()));
        if of_kind.is_empty() {
            self.0.remove(&key.kind);
        }
        removed
    }
}

impl From<Vec<Resource>> for Objects {
    fn from(resources: Vec<Resource>) -> Self {
        let mut objects = Self::default();
        for resource in resources {
            objects.insert(resource);
        }
        objects
    }
}

impl From<Objects> for Vec<Resource> {
    fn from(objects: Objects) -> Self {
        objects.0.into_values().flat_map(BTreeMap::into_values).collect()
    }
}
