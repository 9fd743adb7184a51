//! Builds trees from the parser's events, on an explicit stack, and keeps to the limits.

use std::collections::HashMap;
use std::sync::Arc;

use drydock_model::tree::{Entry, Position, Tree, Value};

use super::words::Words;
use super::{Fault, Limits};

/// How much of the stream a fault spoils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The rest of the document; the next can be read.
    Document,
    /// All the rest.
    Stream,
}

/// A value that aliases may repeat, and what that costs.
struct Anchored {
    tree: Tree,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

enum Open {
    Sequence(Vec<Tree>),
    Mapping {
        entries: Vec<Entry>,
        seen: Seen,
        key: Option<(Arc<str>, Position)>,
        merged: Vec<Tree>,
    },
}

/// Keys of a map by hash, once it has so many that looking through them takes longer. Most maps of a design have a handful.
#[derive(Default)]
struct Seen {
    keys: HashMap<Arc<str>, Position>,
}

impl Seen {
    const FEW: usize = 16;

    fn find(&self, entries: &[Entry], key: &str) -> Option<Position> {
        if entries.len() <= Self::FEW {
            let entry = entries.iter().find(|entry| &*entry.key == key);
            return entry.map(|entry| entry.key_position);
        }
        self.keys.get(key).copied()
    }

    fn push(&mut self, entries: &mut Vec<Entry>, entry: Entry) {
        if entries.len() >= Self::FEW {
            let unknown = &entries[self.keys.len()..];
            let unknown = unknown.iter().chain([&entry]);
            self.keys
                .extend(unknown.map(|entry| (Arc::clone(&entry.key), entry.key_position)));
        }
        entries.push(entry);
    }
}

/// What a stream cost.
pub(super) struct Cost {
    pub(super) nodes: usize,
    pub(super) repeated_nodes: usize,
    pub(super) repeated_bytes: usize,
}

struct Frame {
    position: Position,
    anchor: usize,
    open: Open,
}

/// The state of one stream.
pub(super) struct Builder<'a> {
    limits: &'a Limits,
    stack: Vec<Frame>,
    root: Option<Tree>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    repeated_nodes: usize,
    repeated_bytes: usize,
    faults_before: usize,
    words: Words,
}

impl<'a> Builder<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Builder {
            limits,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            nodes: 0,
            repeated_nodes: 0,
            repeated_bytes: 0,
            faults_before: 0,
            words: Words::default(),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        Cost {
            nodes: self.nodes,
            repeated_nodes: self.repeated_nodes,
            repeated_bytes: self.repeated_bytes,
        }
    }

    pub(super) fn start(&mut self, faults: &[Fault]) {
        self.abandon();
        self.faults_before = faults.len();
    }

    /// The document, unless something in it was at fault.
    pub(super) fn finish(&mut self, faults: &[Fault]) -> Option<Tree> {
        let root = self.root.take();
        self.abandon();
        if faults.len() == self.faults_before {
            root
        } else {
            None
        }
    }

    pub(super) fn abandon(&mut self) {
        self.stack.clear();
        self.root = None;
        self.anchors.clear();
    }

    /// Takes a plain scalar without tag and anchor as a key, when a key is to come and it has been read before. `false`: it is for
    /// [`Builder::leaf`].
    pub(super) fn known_key(
        &mut self,
        text: &str,
        position: Position,
        faults: &mut Vec<Fault>,
    ) -> Result<bool, Halt> {
        let Some(Frame {
            open: Open::Mapping {
                key: key @ None, ..
            },
            ..
        }) = self.stack.last_mut()
        else {
            return Ok(false);
        };
        let Some(known) = self.words.known(text) else {
            return Ok(false);
        };
        *key = Some((known, position));
        self.count(1, position, faults)?;
        Ok(true)
    }

    pub(super) fn leaf(
        &mut self,
        value: Value,
        position: Position,
        anchor: usize,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        self.count(1, position, faults)?;
        let tree = Tree::new(position, value);
        self.remember(anchor, &tree);
        self.place(tree, faults)
    }

    pub(super) fn alias(
        &mut self,
        anchor: usize,
        position: Position,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            faults.push(Fault {
                position: Some(position),
                message: "this alias stands for a value that contains it".into(),
                advice: "write the inner value out".into(),
            });
            return Err(Halt::Document);
        };
        let (nodes, bytes, depth) = (anchored.nodes, anchored.bytes, anchored.depth);
        let tree = Tree::new(position, anchored.tree.value.clone());
        self.repeat(nodes, bytes, position, faults)?;
        if self.stack.len() + depth > self.limits.depth {
            return Err(self.too_deep(position, faults));
        }
        self.place(tree, faults)
    }

    pub(super) fn open_sequence(
        &mut self,
        position: Position,
        anchor: usize,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        self.push(position, anchor, Open::Sequence(Vec::new()), faults)
    }

    pub(super) fn open_mapping(
        &mut self,
        position: Position,
        anchor: usize,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        let open = Open::Mapping {
            entries: Vec::new(),
            seen: Seen::default(),
            key: None,
            merged: Vec::new(),
        };
        self.push(position, anchor, open, faults)
    }

    pub(super) fn close(&mut self, faults: &mut Vec<Fault>) -> Result<(), Halt> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let value = match frame.open {
            Open::Sequence(mut items) => {
                items.shrink_to_fit();
                Value::Sequence(items)
            }
            Open::Mapping {
                mut entries,
                mut seen,
                merged,
                ..
            } => {
                for tree in merged {
                    self.merge(&mut entries, &mut seen, tree, faults)?;
                }
                // Most maps have two or three keys, and room for four.
                entries.shrink_to_fit();
                Value::Mapping(entries)
            }
        };
        let tree = Tree::new(frame.position, value);
        self.remember(frame.anchor, &tree);
        self.place(tree, faults)
    }

    fn push(
        &mut self,
        position: Position,
        anchor: usize,
        open: Open,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        self.count(1, position, faults)?;
        if self.stack.len() >= self.limits.depth {
            return Err(self.too_deep(position, faults));
        }
        if let Some(Frame {
            open: Open::Mapping { key: None, .. },
            ..
        }) = self.stack.last()
        {
            faults.push(key_fault(position));
            return Err(Halt::Document);
        }
        self.stack.push(Frame {
            position,
            anchor,
            open,
        });
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, tree: Tree, faults: &mut Vec<Fault>) -> Result<(), Halt> {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(tree);
            return Ok(());
        };
        match &mut frame.open {
            Open::Sequence(items) => items.push(tree),
            Open::Mapping {
                entries,
                seen,
                key,
                merged,
            } => {
                match key.take() {
                    None => {
                        let Some(text) = key_text(&tree) else {
                            faults.push(key_fault(tree.position));
                            return Err(Halt::Document);
                        };
                        if let Value::String { plain: true, .. } = tree.value {
                            self.words.remember(&text);
                        }
                        *key = Some((text, tree.position));
                    }
                    Some((text, _)) if &*text == "<<" => merged.push(tree),
                    Some((text, position)) => {
                        if let Some(first) = seen.find(entries, &text) {
                            faults.push(Fault {
                            position: Some(position),
                            message: format!("the key {text:?} stands here a second time; it was set in line {}", first.line()),
                            advice: "remove one of the two".into(),
                        });
                        } else {
                            let entry = Entry {
                                key: text,
                                key_position: position,
                                value: tree,
                            };
                            seen.push(entries, entry);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Merge keys, after the YAML 1.1 type repository: keys already there win, and the earlier map wins over the later.
    fn merge(
        &mut self,
        entries: &mut Vec<Entry>,
        seen: &mut Seen,
        tree: Tree,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        let position = tree.position;
        match tree.value {
            Value::Mapping(found) => {
                for entry in found {
                    if seen.find(entries, &entry.key).is_none() {
                        seen.push(entries, entry);
                    }
                }
            }
            Value::Sequence(maps)
                if maps
                    .iter()
                    .all(|map| matches!(map.value, Value::Mapping(_))) =>
            {
                for map in maps {
                    self.merge(entries, seen, map, faults)?;
                }
            }
            _ => {
                faults.push(Fault {
                    position: Some(position),
                    message: "a merge key (<<) takes a map or a list of maps".into(),
                    advice: "point it at an anchor of a map: `<<: *name`".into(),
                });
                return Err(Halt::Document);
            }
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, tree: &Tree) {
        if anchor == 0 {
            return;
        }
        let (nodes, bytes, depth) = weigh(tree);
        self.anchors.insert(
            anchor,
            Anchored {
                tree: tree.clone(),
                nodes,
                bytes,
                depth,
            },
        );
    }

    fn repeat(
        &mut self,
        nodes: usize,
        bytes: usize,
        position: Position,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        self.repeated_nodes += nodes;
        self.repeated_bytes += bytes;
        if self.repeated_nodes > self.limits.repeated_nodes
            || self.repeated_bytes > self.limits.repeated_bytes
        {
            faults.push(Fault {
                position: Some(position),
                message: format!(
                    "aliases repeat more than {} values or {} bytes; reading stops here",
                    self.limits.repeated_nodes, self.limits.repeated_bytes
                ),
                advice: "use fewer aliases, or split the design into several files".into(),
            });
            return Err(Halt::Stream);
        }
        self.count(nodes, position, faults)
    }

    fn count(
        &mut self,
        nodes: usize,
        position: Position,
        faults: &mut Vec<Fault>,
    ) -> Result<(), Halt> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            faults.push(Fault {
                position: Some(position),
                message: format!(
                    "the text has more than {} values; reading stops here",
                    self.limits.nodes
                ),
                advice: "split the design into several files".into(),
            });
            return Err(Halt::Stream);
        }
        Ok(())
    }

    fn too_deep(&self, position: Position, faults: &mut Vec<Fault>) -> Halt {
        faults.push(Fault {
            position: Some(position),
            message: format!(
                "lists and maps stand more than {} deep within each other",
                self.limits.depth
            ),
            advice: "no design document is that deep; check the brackets".into(),
        });
        Halt::Document
    }
}

fn key_text(tree: &Tree) -> Option<Arc<str>> {
    match &tree.value {
        Value::Integer { text, .. } | Value::Float { text, .. } | Value::String { text, .. } => {
            Some(Arc::clone(text))
        }
        Value::Bool(_) => tree.as_text().map(Arc::from),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

fn key_fault(position: Position) -> Fault {
    Fault {
        position: Some(position),
        message: "a key must be one text or number".into(),
        advice: "quote the key; a template such as {{ x }} must be quoted as a whole".into(),
    }
}

/// Values, bytes of text and depth of a tree; a scalar is 0 deep.
pub(crate) fn weigh(tree: &Tree) -> (usize, usize, usize) {
    let mut total = (1, 0, 0);
    let mut add = |child: &Tree| {
        let (nodes, bytes, depth) = weigh(child);
        total.0 += nodes;
        total.1 += bytes;
        total.2 = total.2.max(depth);
    };
    match &tree.value {
        Value::Sequence(items) => items.iter().for_each(&mut add),
        Value::Mapping(entries) => entries.iter().for_each(|entry| add(&entry.value)),
        _ => return (1, tree.as_text().map_or(0, str::len), 0),
    }
    (total.0, total.1, total.2 + 1)
}
