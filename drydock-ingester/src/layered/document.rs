//! One document as the renderer sees it.

use std::fmt;

use drydock_model::design::Kind;
use drydock_model::finding::DocumentRef;
use drydock_model::tree::{Entry, Position, Tree, Value};

/// Schemas whose data is a secret.
const SECRETS: [&str; 4] = [
    "deckhand/Passphrase/",
    "deckhand/CertificateKey/",
    "deckhand/CertificateAuthorityKey/",
    "deckhand/PrivateKey/",
];

/// A document of a tree, of any schema. It shows itself as `schema name`.
pub(super) struct Doc {
    /// The text that it stands in.
    pub(super) text: usize,
    /// All of it but its data.
    head: Tree,
    /// Its `data` as written.
    pub(super) data: Option<Tree>,
}

impl fmt::Display for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.schema(), self.name())
    }
}

impl Doc {
    /// Takes the data out of the document.
    pub(super) fn new(text: usize, mut head: Tree) -> Self {
        let mut data = None;
        if let Value::Mapping(entries) = &mut head.value
            && let Some(at) = entries.iter().position(|entry| &*entry.key == "data")
        {
            data = Some(entries.remove(at).value);
        }
        Doc { text, head, data }
    }

    /// The document again, with other data; `None`: that which it had.
    pub(super) fn into_tree(self, data: Option<Tree>) -> Tree {
        let mut tree = self.head;
        if let (Value::Mapping(entries), Some(value)) = (&mut tree.value, data.or(self.data)) {
            entries.push(Entry {
                key: "data".into(),
                key_position: value.position,
                value,
            });
        }
        tree
    }

    /// Empty when there is none.
    pub(super) fn schema(&self) -> &str {
        text(self.head.get("schema"))
    }

    /// Empty when there is none.
    pub(super) fn name(&self) -> &str {
        text(self.metadata("name"))
    }

    /// A value of the metadata.
    pub(super) fn metadata(&self, key: &str) -> Option<&Tree> {
        self.head.get("metadata")?.get(key)
    }

    /// The keys of the metadata.
    pub(super) fn metadata_entries(&self) -> &[Entry] {
        self.head.get("metadata").map_or(&[], Tree::entries)
    }

    /// A value of the layering definition; a null is none.
    pub(super) fn layering(&self, key: &str) -> Option<&Tree> {
        self.metadata("layeringDefinition")?
            .get(key)
            .filter(|value| !value.is_null())
    }

    pub(super) fn layer(&self) -> Option<&str> {
        self.layering("layer")?.as_text()
    }

    pub(super) fn selector(&self) -> &[Entry] {
        self.layering("parentSelector").map_or(&[], Tree::entries)
    }

    pub(super) fn labels(&self) -> &[Entry] {
        self.metadata("labels").map_or(&[], Tree::entries)
    }

    pub(super) fn is_abstract(&self) -> bool {
        is_true(self.layering("abstract"))
    }

    pub(super) fn is_replacement(&self) -> bool {
        is_true(self.metadata("replacement"))
    }

    pub(super) fn is_policy(&self) -> bool {
        self.schema().starts_with("deckhand/LayeringPolicy/")
    }

    /// One of those that are rendered for their own sake.
    pub(super) fn is_drydock(&self) -> bool {
        self.schema().starts_with("drydock/") && !self.name().is_empty()
    }

    /// Whether its data is a secret, of which not even the place is told: who shows a place shows its line, too.
    pub(super) fn is_secret(&self) -> bool {
        SECRETS
            .iter()
            .any(|schema| self.schema().starts_with(schema))
            || text(self.metadata("storagePolicy")) == "encrypted"
    }

    /// The place to name when nothing nearer is known.
    pub(super) fn position(&self) -> Position {
        self.metadata("name")
            .map_or(self.head.position, |name| name.position)
    }

    /// For a finding.
    pub(super) fn reference(&self) -> Option<DocumentRef> {
        let kind = self.schema().strip_prefix("drydock/")?.split('/').next()?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        Some(DocumentRef {
            kind,
            name: self.name().to_owned(),
        })
    }
}

fn text(tree: Option<&Tree>) -> &str {
    tree.and_then(Tree::as_text).unwrap_or_default()
}

fn is_true(tree: Option<&Tree>) -> bool {
    tree.is_some_and(|tree| tree.value == Value::Bool(true))
}

/// Says of every value of a tree which text it stands in.
pub(super) fn stamp(tree: &mut Tree, origin: u16) {
    replace_positions(tree, &|position| position.in_text(origin));
}

/// Puts every value of a tree at one place.
pub(super) fn put_at(tree: &mut Tree, place: Position) {
    replace_positions(tree, &|_| place);
}

fn replace_positions(tree: &mut Tree, by: &impl Fn(Position) -> Position) {
    tree.position = by(tree.position);
    match &mut tree.value {
        Value::Sequence(items) => items
            .iter_mut()
            .for_each(|item| replace_positions(item, by)),
        Value::Mapping(entries) => {
            for entry in entries {
                entry.key_position = by(entry.key_position);
                replace_positions(&mut entry.value, by);
            }
        }
        _ => {}
    }
}
