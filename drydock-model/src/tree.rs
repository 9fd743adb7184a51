//! A YAML value that remembers where each of its parts stands in the text.
//!
//! An ingester makes it; typed parts are read from it ([`Tree::read`]) with errors that point at the offending value, and rules
//! look places up in it ([`Tree::find`]) long after reading.

mod misfit;
mod nearest;
mod position;
mod read;
mod url;

use std::fmt;
use std::sync::Arc;

pub use misfit::{Ignored, ReadError};
pub use nearest::nearest;
pub use position::Position;
pub use url::{mask_urls, told_json, url_secrets, without_secret_parameters, without_url_secrets};

/// A value and where it begins.
#[derive(Clone, PartialEq)]
pub struct Tree {
    /// Where the value begins.
    pub position: Position,
    /// The value.
    pub value: Value,
}

/// A YAML value. Numbers keep their spelling, so that `0644` or `3.10` can be read as the text they are.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Integer {
        /// The number.
        value: i64,
        /// As written.
        text: Arc<str>,
    },
    /// A number with a fraction or an exponent, or one too large for 64 bits.
    Float {
        /// The number.
        value: f64,
        /// As written.
        text: Arc<str>,
    },
    /// Text.
    String {
        /// The text, after escapes and folding.
        text: Arc<str>,
        /// Whether it was written plain: neither quoted nor as a block.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Tree>),
    /// A map in the order of the text. Its reader has refused duplicate keys.
    Mapping(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, PartialEq)]
pub struct Entry {
    /// The key; a number or a boolean as written.
    pub key: Arc<str>,
    /// Where the key begins.
    pub key_position: Position,
    /// The value.
    pub value: Tree,
}

impl Tree {
    /// A value at a place.
    #[must_use]
    pub fn new(position: Position, value: Value) -> Self {
        Tree { position, value }
    }

    /// What the value is, in a user's words.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing (null)",
            Value::Bool(_) => "a boolean",
            Value::Integer { .. } => "a whole number",
            Value::Float { .. } => "a number",
            Value::String { .. } => "a text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a map",
        }
    }

    /// Whether there is nothing here.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The scalar as written; `None` for null, a list and a map.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Bool(true) => Some("true"),
            Value::Bool(false) => Some("false"),
            Value::Integer { text, .. }
            | Value::Float { text, .. }
            | Value::String { text, .. } => Some(text),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Tree] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entry of this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value at a path. A segment is a key of a map; in a list it is an item's text, or an item's `name`, `network`, `path` or
    /// `tag`, or its index from 0.
    #[must_use]
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Tree> {
        path.iter()
            .try_fold(self, |tree, segment| tree.step(segment.as_ref()))
    }

    /// The deepest value on a path that is there, and how many segments of the path lead to it.
    #[must_use]
    pub fn find_deepest<S: AsRef<str>>(&self, path: &[S]) -> (&Tree, usize) {
        let mut tree = self;
        for (depth, segment) in path.iter().enumerate() {
            match tree.step(segment.as_ref()) {
                Some(next) => tree = next,
                None => return (tree, depth),
            }
        }
        (tree, path.len())
    }

    fn step(&self, segment: &str) -> Option<&Tree> {
        match &self.value {
            Value::Mapping(_) => self.get(segment),
            Value::Sequence(items) => items
                .iter()
                .find(|item| item.as_text() == Some(segment) || item.goes_by(segment))
                .or_else(|| {
                    segment
                        .parse::<usize>()
                        .ok()
                        .and_then(|index| items.get(index))
                }),
            _ => None,
        }
    }

    fn goes_by(&self, name: &str) -> bool {
        ["name", "network", "path", "tag"].iter().any(|key| {
            self.get(key)
                .is_some_and(|value| value.as_text() == Some(name))
        })
    }

    /// The value without its positions. A float that JSON cannot write becomes its text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Integer { value, .. } => Json::from(*value),
            Value::Float { value, text } => serde_json::Number::from_f64(*value)
                .map_or_else(|| Json::String(text.to_string()), Json::Number),
            Value::String { text, .. } => Json::String(text.to_string()),
            Value::Sequence(items) => Json::Array(items.iter().map(Tree::to_json).collect()),
            Value::Mapping(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value, f)
    }
}

/// Shows the value without positions, and never what stands under a key that names a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => fmt::Debug::fmt(value, f),
            Value::Integer { text, .. } | Value::Float { text, .. } => f.write_str(text),
            Value::String { text, .. } => fmt::Debug::fmt(text, f),
            Value::Sequence(items) => f.debug_list().entries(items).finish(),
            Value::Mapping(entries) => {
                let mut map = f.debug_map();
                for entry in entries {
                    if is_secret_key(&entry.key) {
                        map.entry(&entry.key, &REDACTED);
                    } else {
                        map.entry(&entry.key, &entry.value);
                    }
                }
                map.finish()
            }
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_secret_key(&self.key) {
            write!(f, "{}: {REDACTED}", self.key)
        } else {
            write!(f, "{}: {:?}", self.key, self.value)
        }
    }
}

/// What stands in place of a secret.
pub const REDACTED: &str = "********";

/// Whether the value under this key of a document is a secret.
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    let key = key.trim_start_matches('!').to_ascii_lowercase();
    [
        "credential",
        "password",
        "passphrase",
        "secret",
        "private_key",
        "token",
    ]
    .iter()
    .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Tree {
        Tree::new(
            Position::default(),
            Value::String {
                text: text.into(),
                plain: true,
            },
        )
    }

    fn map(entries: Vec<(&str, Tree)>) -> Tree {
        let entry = |(key, value): (&str, Tree)| Entry {
            key: key.into(),
            key_position: Position::default(),
            value,
        };
        Tree::new(
            Position::default(),
            Value::Mapping(entries.into_iter().map(entry).collect()),
        )
    }

    fn list(items: Vec<Tree>) -> Tree {
        Tree::new(Position::default(), Value::Sequence(items))
    }

    #[test]
    fn paths_lead_through_maps_and_lists() {
        let tree = map(vec![
            ("plain", list(vec![text("a"), text("b")])),
            (
                "named",
                list(vec![map(vec![("name", text("x")), ("size", text("1g"))])]),
            ),
        ]);
        assert_eq!(tree.find(&["plain", "b"]), Some(&text("b")));
        assert_eq!(tree.find(&["plain", "1"]), Some(&text("b")));
        assert_eq!(tree.find(&["named", "x", "size"]), Some(&text("1g")));
        assert_eq!(tree.find(&["named", "0", "size"]), Some(&text("1g")));
        assert_eq!(tree.find(&["named", "y", "size"]), None);
        assert_eq!(
            tree.find_deepest(&["named", "x", "filesystem", "fstype"]).1,
            2
        );
        assert_eq!(tree.find_deepest(&["nothing"]).1, 0);
    }

    #[test]
    fn debug_shows_no_secret() {
        let tree = map(vec![(
            "oob",
            map(vec![
                ("account", text("root")),
                ("credential", text("hush")),
            ]),
        )]);
        let shown = format!("{tree:?} {:?}", tree.entries()[0]);
        assert!(shown.contains("root") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn json_has_values_without_places() {
        let float = Value::Float {
            value: f64::NAN,
            text: ".nan".into(),
        };
        let tree = map(vec![
            ("f", Tree::new(Position::default(), float)),
            ("n", list(vec![text("1")])),
        ]);
        assert_eq!(tree.to_json().to_string(), r#"{"f":".nan","n":["1"]}"#);
    }
}
