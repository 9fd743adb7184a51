//! Unrendered site trees: layers, documents laid over others, values substituted from others, as Deckhand renders them.
//!
//! Purpose: the documents of Drydock that a tree comes to, each value with the place in the file that it was written in. Rendered are these
//! documents and what they are made of; what else is in the tree need only be YAML.
//!
//! After Deckhand's documentation (repository `airshipit/deckhand`, `doc/source/users/layering.rst`, `substitution.rst`,
//! `replacement.rst`); where it and its engine disagree, as the engine does.

mod action;
mod budget;
mod closure;
mod document;
mod family;
mod path;
mod pattern;
mod substitution;

use std::sync::Arc;

use drydock_model::finding::{Finding, Level, Location};
use drydock_model::ingest::{Format, Source};
use drydock_model::tree::{Ignored, Position, Tree, Value};

use crate::parse::{self, Limits};
use crate::unreadable;
use budget::{Budget, Topic, Trouble, Wrong};
use closure::{Closed, Closure, State, finding};
use document::{Doc, stamp};
use family::{Family, Layers};

/// One document after rendering, and which text it stands in.
pub(crate) struct Laid {
    /// Index of the text.
    pub(crate) text: usize,
    /// The document. Its positions say which of the origins they are in, all of them.
    pub(crate) tree: Tree,
    /// Where it, or one that it is layered over, selects a parent that is not there. Deckhand takes such a document as it is, so that it is
    /// no fault of the tree.
    pub(crate) orphan: Option<Position>,
}

impl Laid {
    /// The selector that selects nothing, as a key that nothing reads.
    pub(crate) fn unread(&self) -> Option<Ignored> {
        let position = self.orphan?;
        let path = ["metadata", "layeringDefinition", "parentSelector"];
        Some(Ignored {
            position,
            path: path.map(str::to_owned).to_vec(),
            known: &[
                "labels of a document of the same schema in a higher layer, and none there has these",
            ],
        })
    }
}

impl Laid {
    /// The same as a warning, for whoever does not read the document: no rule tells it there.
    pub(crate) fn without_parent(
        &self,
        source: &Source,
        origins: &Arc<[Arc<str>]>,
    ) -> Option<Finding> {
        let location = Location::new(&source.name, origins, self.orphan?);
        let name = self.tree.find(&["metadata", "name"]);
        let name = name.and_then(Tree::as_text).unwrap_or_default();
        Some(Finding {
            rule: Topic::Layering.rule().into(),
            code: "DD000".into(),
            level: Level::Warning,
            message: format!(
                "{name}: the parentSelector selects no document, so the document stays as it is written"
            ),
            diagnostic: "give the folder that holds the parent, too, or correct the labels".into(),
            documents: Vec::new(),
            location: Some(location),
            chain: Vec::new(),
            fix: None,
        })
    }
}

/// The documents of a tree.
pub(crate) struct Site {
    /// Names of all texts, for positions.
    pub(crate) origins: Arc<[Arc<str>]>,
    /// Documents in the order of the texts: those of Drydock rendered, those of no schema as they are.
    pub(crate) documents: Vec<Laid>,
}

/// Renders the documents of a tree. `None`: there is no policy among the sources, or no document of Drydock, and nothing is
/// layered.
///
/// # Errors
/// Every finding about the tree.
pub(crate) fn render(sources: &[Source], limits: &Limits) -> Option<Result<Site, Vec<Finding>>> {
    // Looked for in the texts first, so that what is no tree costs no more than before.
    let marked = |source: &Source| source.text.contains("deckhand/LayeringPolicy");
    if !sources.iter().any(marked) {
        return None;
    }
    let read = match read(sources, limits) {
        Ok(read) => read,
        Err(findings) => return Some(Err(findings)),
    };
    let policies: Vec<usize> = (0..read.docs.len())
        .filter(|index| read.docs[*index].is_policy())
        .collect();
    let [policy, others @ ..] = policies.as_slice() else {
        return None;
    };
    if !read.docs.iter().any(Doc::is_drydock) {
        return None;
    }
    let origins: Arc<[Arc<str>]> = sources
        .iter()
        .map(|source| Arc::clone(&source.name))
        .collect();
    Some(render_docs(read, *policy, others, limits, origins))
}

/// The documents of all texts.
struct Read {
    docs: Vec<Doc>,
    /// Documents that have no schema or are to be read as another form, and how many of `docs` stand before them.
    others: Vec<(usize, Laid)>,
}

fn read(sources: &[Source], limits: &Limits) -> Result<Read, Vec<Finding>> {
    let mut findings = Vec::new();
    let mut read = Read {
        docs: Vec::new(),
        others: Vec::new(),
    };
    if sources.len() >= usize::from(u16::MAX) {
        return Err(vec![too_many(sources.len())]);
    }
    for (text, source) in sources.iter().enumerate() {
        let origin = u16::try_from(text + 1).unwrap_or(u16::MAX);
        let stamped = |mut tree: Tree| {
            stamp(&mut tree, origin);
            tree
        };
        let (trees, faults) = parse::parse_each(&source.text, limits, &stamped);
        let faults = faults.into_iter();
        findings.extend(faults.map(|fault| unreadable(fault, &source.name)));
        for tree in trees {
            if source.format != Format::Yaml && tree.get("schema").is_some() {
                read.docs.push(Doc::new(text, tree));
            } else {
                let laid = Laid {
                    text,
                    tree,
                    orphan: None,
                };
                read.others.push((read.docs.len(), laid));
            }
        }
    }
    if findings.is_empty() {
        Ok(read)
    } else {
        // What the others would lack may stand in those that could not be read.
        Err(findings)
    }
}

fn too_many(texts: usize) -> Finding {
    Finding {
        rule: Topic::Layering.rule().into(),
        code: "DD000".into(),
        level: Level::Error,
        message: format!(
            "the tree has {texts} files; at most {} are rendered",
            u16::MAX - 1
        ),
        diagnostic: "give only the folders of one site and of the layers above it".into(),
        documents: Vec::new(),
        location: None,
        chain: Vec::new(),
        fix: None,
    }
}

fn render_docs(
    read: Read,
    policy: usize,
    others: &[usize],
    limits: &Limits,
    origins: Arc<[Arc<str>]>,
) -> Result<Site, Vec<Finding>> {
    let Read {
        docs,
        others: foreign,
    } = read;
    if let Some(other) = others.first() {
        let (policy, other) = (&docs[policy], &docs[*other]);
        let first = Location::new(&origins[policy.text], &origins, policy.position());
        let wrong = Wrong {
            topic: Topic::Layering,
            position: other.position(),
            message: format!("a second layering policy; the first is at {first}"),
            advice: "a site has one layerOrder: give the folders of one tree, each once".into(),
        };
        return Err(vec![finding(other, &origins, wrong)]);
    }
    let mut budget = Budget::new(limits);
    let family =
        Layers::read(&docs[policy]).and_then(|layers| Family::new(&docs, layers, &mut budget));
    let family = family.map_err(|trouble| {
        let wrong = match trouble {
            Trouble::Wrong(wrong) => *wrong,
            Trouble::Spent => Wrong {
                topic: Topic::Layering,
                position: docs[policy].position(),
                message: "finding out which document is whose parent takes too long".into(),
                advice: "give fewer folders at once, or select parents by labels that few have"
                    .into(),
            },
        };
        vec![finding(&docs[policy], &origins, wrong)]
    })?;
    let replaced: Vec<bool> = (0..docs.len())
        .map(|index| family.is_replaced(index))
        .collect();
    let Closed { states, orphans } =
        Closure::new(&docs, family, budget, limits, &origins).render()?;
    let mut documents = Vec::new();
    let mut foreign = foreign.into_iter().peekable();
    for (index, (doc, state)) in docs.into_iter().zip(states).enumerate() {
        while let Some((_, laid)) = foreign.next_if(|(before, _)| *before <= index) {
            documents.push(laid);
        }
        let text = doc.text;
        let nameless = doc.schema().starts_with("drydock/") && doc.name().is_empty();
        let wanted = doc.is_drydock() && !doc.is_abstract() && !replaced[index];
        if nameless || wanted || doc.schema().is_empty() {
            let data = match state {
                State::Made(data) => Some(data),
                _ => None,
            };
            let tree = doc.into_tree(data);
            let orphan = orphans[index];
            documents.push(Laid { text, tree, orphan });
        }
    }
    documents.extend(foreign.map(|(_, laid)| laid));
    Ok(Site { origins, documents })
}

/// Where a document says of itself that it is only to be layered under others.
pub(crate) fn is_abstract(document: &Tree) -> Option<Position> {
    document
        .find(&["metadata", "layeringDefinition", "abstract"])
        .filter(|value| value.value == Value::Bool(true))
        .map(|value| value.position)
}
