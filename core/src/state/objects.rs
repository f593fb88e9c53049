//! The objects by kind, namespace and name.

use std::collections::BTreeMap;

use rialto_types::id::{Namespace, ResourceName};
use rialto_types::object::{Key, Kind, Resource};
use serde::{Deserialize, Serialize};

use super::shared::Shared;

type Name = (Option<Namespace>, ResourceName);

/// Every resource that somebody wrote; what the clusters report is not here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Resource>", into = "Vec<Resource>")]
pub(super) struct Objects(BTreeMap<Kind, Shared<BTreeMap<Name, Shared<Resource>>>>);

impl Objects {
    pub(super) fn get(&self, key: &Key) -> Option<&Resource> {
        let of_kind = self.0.get(&key.kind)?;
        of_kind.get(&(key.namespace.clone(), key.name.clone())).map(|resource| &**resource)
    }

    /// In the order of namespace and name.
    pub(super) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Resource> {
        let of_kind = self.0.get(&kind).into_iter();
        of_kind.flat_map(|of_kind| of_kind.values()).map(|resource| &**resource)
    }

    pub(super) fn count(&self, kind: Kind) -> usize {
        self.0.get(&kind).map_or(0, |of_kind| of_kind.len())
    }

    pub(super) fn insert(&mut self, resource: Resource) -> Option<Resource> {
        let Key { kind, namespace, name } = resource.key();
        let replaced = self.0.entry(kind).or_default().insert((namespace, name), resource.into());
        replaced.map(Shared::into_inner)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Resource> {
        let of_kind = self.0.get_mut(&key.kind)?;
        let removed = of_kind.remove(&(key.namespace.clone(), key.name.clone()));
        if of_kind.is_empty() {
            self.0.remove(&key.kind);
        }
        removed.map(Shared::into_inner)
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
        let of_kinds = objects.0.into_values();
        of_kinds.flat_map(|it| it.into_inner().into_values()).map(Shared::into_inner).collect()
    }
}
