//! Documents by kind and name.

use std::sync::{Mutex, PoisonError};

use drydock_model::design::{Document, HardwarePart, HostPart, Kind, LinkPart, NetworkPart, Part};
use drydock_model::effective::Node;
use drydock_model::finding::DocumentRef;
use drydock_model::ingest::Unread;
use drydock_model::tree::nearest;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use crate::report::{Advice, Place, at, whole};

/// The documents of a design, found by kind and name. Of several documents of one name the first counts.
pub(crate) struct Index<'a> {
    documents: &'a [Document],
    by_name: HashMap<(Kind, &'a str), &'a Document>,
    /// The documents that count, in the order of the sources.
    by_kind: HashMap<Kind, Vec<&'a Document>>,
    /// Heads of documents that could not be read.
    unread: HashSet<(Option<Kind>, Option<&'a str>)>,
    /// Which name was nearest to one that nothing goes by: a profile's is on every node, and all names of a kind are compared.
    nearest: Mutex<HashMap<(Kind, String), Option<&'a str>>>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(documents: &'a [Document], unread: &'a [Unread]) -> Self {
        let mut by_name = HashMap::with_capacity(documents.len());
        let mut by_kind: HashMap<Kind, Vec<&Document>> = HashMap::new();
        for document in documents {
            if let Entry::Vacant(entry) = by_name.entry((document.kind, document.name.as_str())) {
                entry.insert(document);
                by_kind.entry(document.kind).or_default().push(document);
            }
        }
        let heads = unread.iter();
        Index {
            documents,
            by_name,
            by_kind,
            unread: heads
                .map(|head| (head.kind, head.name.as_deref()))
                .collect(),
            nearest: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<&'a Document> {
        self.by_name.get(&(kind, name)).copied()
    }

    /// Whether there is such a document, or one that could not be read may be it.
    pub(crate) fn may_have(&self, kind: Kind, name: &str) -> bool {
        let may_be = |kind, name| self.unread.contains(&(kind, name));
        self.get(kind, name).is_some()
            || may_be(Some(kind), Some(name))
            || may_be(Some(kind), None)
            || may_be(None, Some(name))
            || may_be(None, None)
    }

    /// Whether a document that could not be read may be of this kind.
    pub(crate) fn misses(&self, kind: Kind) -> bool {
        self.unread
            .iter()
            .any(|(other, _)| other.is_none_or(|other| other == kind))
    }

    /// All documents in the order of the sources, those with a taken name included.
    pub(crate) fn all(&self) -> &'a [Document] {
        self.documents
    }

    /// The documents that count, in the order of the sources.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &'a Document> {
        self.by_kind.get(&kind).into_iter().flatten().copied()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (&'a Document, &'a LinkPart)> {
        self.of(Kind::NetworkLink)
            .filter_map(|document| match &document.part {
                Part::NetworkLink(part) => Some((document, part)),
                _ => None,
            })
    }

    pub(crate) fn networks(&self) -> impl Iterator<Item = (&'a Document, &'a NetworkPart)> {
        self.of(Kind::Network)
            .filter_map(|document| match &document.part {
                Part::Network(part) => Some((document, part)),
                _ => None,
            })
    }

    pub(crate) fn hardware(&self, name: &str) -> Option<&'a HardwarePart> {
        match &self.get(Kind::HardwareProfile, name)?.part {
            Part::HardwareProfile(part) => Some(part),
            _ => None,
        }
    }

    pub(crate) fn host(document: &'a Document) -> Option<&'a HostPart> {
        match &document.part {
            Part::HostProfile(part) | Part::BaremetalNode(part) => Some(part),
            _ => None,
        }
    }

    /// How to mend a name that nothing goes by.
    pub(crate) fn advice(&self, kind: Kind, name: &str) -> Advice {
        match self.near(kind, name) {
            Some(near) => Advice::write(
                near,
                name,
                format!("did you mean {near}? Otherwise define a {kind} named {name}"),
            ),
            None => format!("define a {kind} named {name}, or correct the name").into(),
        }
    }

    /// The name of this kind that was probably meant.
    fn near(&self, kind: Kind, name: &str) -> Option<&'a str> {
        let key = (kind, name.to_owned());
        let known = || self.nearest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&key) {
            return *found;
        }
        let names = self.of(kind).map(|document| document.name.as_str());
        let found = nearest(name, names);
        known().insert(key, found);
        found
    }

    /// Where a node gets the value at a path from: its own document, or the nearest profile that has it. Falls back on the longest
    /// part of the path that its own document has; an empty path is the document's name.
    pub(crate) fn locate<S: AsRef<str>>(&self, node: &Node, path: &[S]) -> Place {
        let Some(own) = self.get(Kind::BaremetalNode, &node.name) else {
            return Place::default();
        };
        self.locate_in(own, &node.profiles, path)
    }

    /// As [`Index::locate`], for a document and the profiles it inherits from.
    pub(crate) fn locate_in<S: AsRef<str>>(
        &self,
        own: &Document,
        profiles: &[String],
        path: &[S],
    ) -> Place {
        if path.is_empty() {
            return whole(own);
        }
        if let Some(location) = own.find_location(path) {
            return Place {
                location: Some(location),
                ..whole(own)
            };
        }
        let origin = profiles
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Some((at, self.get(Kind::HostProfile, name)?)))
            .find_map(|(at, profile)| Some((at, profile, profile.find_location(path)?)));
        let Some((last, profile, location)) = origin else {
            return at(own, path);
        };
        let chain = profiles[..=last].iter().map(|name| DocumentRef {
            kind: Kind::HostProfile,
            name: name.clone(),
        });
        Place {
            documents: vec![profile.reference(), own.reference()],
            location: Some(location),
            chain: std::iter::once(own.reference()).chain(chain).collect(),
        }
    }
}
