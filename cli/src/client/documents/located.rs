//! YAML (and so JSON) as a tree in which every value knows its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned, UserMessageFormatter};

/// A line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A value, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) place: Place,
    node: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Scalar(Value),
    List(Vec<Located>),
    Fields(Vec<Field>),
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    place: Place,
    value: Located,
}

/// All documents of a text, or where it cannot be read and why.
pub(super) fn parse(text: &str) -> Result<Vec<Located>, (Option<Place>, String)> {
    // Resources need no aliases, so that the smallest bomb is already too large.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        with_snippet: false,
        strict_booleans: true,
    };
    serde_saphyr::from_multiple_with_options::<Spanned<Node>>(text, options)
        .map(|documents| documents.into_iter().map(Located::from).collect())
        .map_err(|error| {
            let message = error.render_with_formatter(&UserMessageFormatter);
            let message = message.split(" at line ").next().unwrap_or_default().trim().to_string();
            let message =
                match ["Anchors", "Aliases", "MergeKeys"].map(|what| message.contains(what)) {
                    [false, false, false] => message,
                    _ => "anchors, aliases and merge keys are refused; write the values out"
                        .to_string(),
                };
            (error.location().map(Place::from), message)
        })
}

impl From<Spanned<Node>> for Located {
    fn from(spanned: Spanned<Node>) -> Self {
        Self { place: spanned.referenced.into(), node: spanned.value }
    }
}

impl Located {
    /// The items of a list as the API prints it, or the document itself.
    pub(super) fn items(&self) -> Vec<&Located> {
        match self.field("items").map(|field| &field.value.node) {
            Some(Node::List(items)) if self.field("kind").is_none() => items.iter().collect(),
            _ => vec![self],
        }
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.node {
            Node::Scalar(value) => value.clone(),
            Node::List(items) => Value::Array(items.iter().map(Located::to_json).collect()),
            Node::Fields(fields) => {
                let pairs = fields.iter().map(|field| (field.name.clone(), field.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The place of the value at a path such as `spec.rules[0].name`, as deep as it exists.
    pub(super) fn place_of(&self, path: &str) -> Place {
        self.at(path).place
    }

    /// The place of a key of the mapping at a path.
    pub(super) fn place_of_key(&self, path: &str, name: &str) -> Place {
        let inside = self.at(path);
        inside.field(name).map_or(inside.place, |field| field.place)
    }

    fn at(&self, path: &str) -> &Located {
        let mut here = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match (&here.node, step.strip_suffix(']')) {
                (Node::List(items), Some(index)) => {
                    index.parse().ok().and_then(|index: usize| items.get(index))
                }
                (Node::Fields(_), None) => here.field(step).map(|field| &field.value),
                _ => None,
            };
            let Some(next) = next else { return here };
            here = next;
        }
        here
    }

    fn field(&self, name: &str) -> Option<&Field> {
        match &self.node {
            Node::Fields(fields) => fields.iter().find(|field| field.name == name),
            Node::Scalar(_) | Node::List(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Spanned<Node>>()? {
            items.push(item.into());
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value: Located = map.next_value::<Spanned<Node>>()?.into();
            let place = match Place::from(key.referenced) {
                Place { line: 0, .. } => value.place,
                place => place,
            };
            fields.push(Field { name: key.value, place, value });
        }
        Ok(Node::Fields(fields))
    }
}
