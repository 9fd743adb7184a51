//! Renders documents, and before each what it is made of: its parent and its substitution sources.
//!
//! A document is layered over its parent first; then its own substitutions are made. The parent's are in the parent's data by then.
//! The order is found on a stack of its own, so that a chain of ten thousand parents costs no more than its length.

use std::mem;
use std::sync::Arc;

use drydock_model::finding::{Finding, Level, Location};
use drydock_model::tree::{Position, Tree, Value, nearest};

use super::action::{self, Action};
use super::budget::{Budget, Topic, Trouble, Wrong};
use super::document::Doc;
use super::family::Family;
use super::substitution::{self, Substitution};
use crate::parse::Limits;

/// Documents of a cycle that are named.
const NAMED: usize = 8;

/// Names that are looked through for one that may have been meant.
const LOOKED_THROUGH: usize = 10_000;

/// Keys of a document's metadata (Deckhand's metadata/Document/v1).
const METADATA: [&str; 7] = [
    "schema",
    "name",
    "labels",
    "replacement",
    "layeringDefinition",
    "substitutions",
    "storagePolicy",
];

const LAYERING: [&str; 4] = ["layer", "abstract", "parentSelector", "actions"];

/// What became of a document.
pub(super) enum State {
    /// Nobody wanted it.
    Untouched,
    /// What it is made of is being rendered.
    Waiting,
    /// It is as it was written.
    AsWritten,
    /// Its data is now this.
    Made(Tree),
    /// It cannot be rendered, and why has been told.
    Broken,
}

/// What came of a set of documents.
pub(super) struct Closed {
    pub(super) states: Vec<State>,
    /// For each document, where it, or one that it is layered over, selects a parent that is not there.
    pub(super) orphans: Vec<Option<Position>>,
}

/// What a document is made of.
#[derive(Default)]
struct Plan<'a> {
    parent: Option<usize>,
    actions: Vec<Action>,
    substitutions: Vec<(Substitution<'a>, usize)>,
}

struct Frame<'a> {
    doc: usize,
    plan: Plan<'a>,
    /// What it is made of, the next one last.
    needs: Vec<usize>,
    broken: bool,
}

/// Renders documents of one set.
pub(super) struct Closure<'a> {
    docs: &'a [Doc],
    family: Family<'a>,
    states: Vec<State>,
    orphans: Vec<Option<Position>>,
    budget: Budget,
    limits: &'a Limits,
    names: &'a Arc<[Arc<str>]>,
    findings: Vec<Finding>,
}

/// A finding of the renderer about a document.
pub(super) fn finding(doc: &Doc, names: &Arc<[Arc<str>]>, wrong: Wrong) -> Finding {
    Finding {
        rule: wrong.topic.rule().into(),
        code: "DD000".into(),
        level: Level::Error,
        message: format!("{doc}: {}", wrong.message),
        diagnostic: wrong.advice,
        documents: doc.reference().into_iter().collect(),
        location: Some(Location::new(&names[doc.text], names, wrong.position)),
        chain: Vec::new(),
        fix: None,
    }
}

impl<'a> Closure<'a> {
    pub(super) fn new(
        docs: &'a [Doc],
        family: Family<'a>,
        budget: Budget,
        limits: &'a Limits,
        names: &'a Arc<[Arc<str>]>,
    ) -> Self {
        Closure {
            docs,
            family,
            states: docs.iter().map(|_| State::Untouched).collect(),
            orphans: vec![None; docs.len()],
            budget,
            limits,
            names,
            findings: Vec::new(),
        }
    }

    /// Renders all documents of Drydock that are neither abstract nor replaced. What became of each document, or why not.
    pub(super) fn render(mut self) -> Result<Closed, Vec<Finding>> {
        for (index, doc) in self.docs.iter().enumerate() {
            if !doc.is_drydock() || doc.is_abstract() || self.family.is_replaced(index) {
                continue;
            }
            if self.findings.len() >= self.limits.faults {
                break;
            }
            if let Err(at) = self.render_one(index) {
                self.spent(at);
                break;
            }
        }
        if self.findings.is_empty() {
            Ok(Closed {
                states: self.states,
                orphans: self.orphans,
            })
        } else {
            Err(self.findings)
        }
    }

    fn spent(&mut self, index: usize) {
        let doc = &self.docs[index];
        let Limits { nodes, bytes, .. } = self.limits;
        let message = format!(
            "rendering makes more than {nodes} values or {bytes} bytes of them, or takes too long; it stops here"
        );
        let advice = "look for substitutions that put one document into others again and again, or give fewer folders at once";
        let wrong = Wrong {
            topic: Topic::Substitution,
            position: doc.position(),
            message,
            advice: advice.into(),
        };
        self.findings.push(finding(doc, self.names, wrong));
    }

    /// Renders a document and what it is made of.
    ///
    /// # Errors
    /// At which document the limits were used up.
    fn render_one(&mut self, root: usize) -> Result<(), usize> {
        if !matches!(self.states[root], State::Untouched) {
            return Ok(());
        }
        let mut stack = vec![self.enter(root)?];
        while let Some(frame) = stack.last_mut() {
            let doc = frame.doc;
            if let Some(need) = frame.needs.pop() {
                match self.states[need] {
                    State::Untouched => stack.push(self.enter(need)?),
                    State::Waiting => {
                        frame.broken = true;
                        self.circle(&stack, need);
                    }
                    State::Broken => frame.broken = true,
                    State::AsWritten | State::Made(_) => {}
                }
                continue;
            }
            let plan = mem::take(&mut frame.plan);
            let broken = frame.broken;
            stack.pop();
            if let Some(parent) = plan.parent {
                self.orphans[doc] = self.orphans[parent];
            }
            self.states[doc] = if broken {
                State::Broken
            } else {
                match self.make(doc, &plan) {
                    Ok(state) => state,
                    Err(trouble) => self.break_off(doc, trouble)?,
                }
            };
            if let (State::Broken, Some(above)) = (&self.states[doc], stack.last_mut()) {
                above.broken = true;
            }
        }
        Ok(())
    }

    fn break_off(&mut self, index: usize, trouble: Trouble) -> Result<State, usize> {
        match trouble {
            Trouble::Spent => Err(index),
            Trouble::Wrong(wrong) => {
                let found = finding(&self.docs[index], self.names, *wrong);
                self.findings.push(found);
                Ok(State::Broken)
            }
        }
    }

    /// Begins with a document: finds out what it is made of. All that is wrong with its metadata is told.
    fn enter(&mut self, index: usize) -> Result<Frame<'a>, usize> {
        self.states[index] = State::Waiting;
        let mut frame = Frame {
            doc: index,
            plan: Plan::default(),
            needs: Vec::new(),
            broken: false,
        };
        let doc = &self.docs[index];
        let mut troubles = Vec::new();
        troubles.extend(check_keys(doc).err());
        match self.family.parent(index, &mut self.budget) {
            Ok(None) => {
                let selector = doc.layering("parentSelector");
                let selector = selector.filter(|selector| !selector.entries().is_empty());
                self.orphans[index] = selector.map(|selector| selector.position);
            }
            Ok(parent) => frame.plan.parent = parent,
            Err(trouble) => troubles.push(trouble),
        }
        match action::read(doc) {
            Ok(actions) => frame.plan.actions = actions,
            Err(trouble) => troubles.push(trouble),
        }
        match substitution::read(doc, &mut self.budget) {
            Ok(substitutions) => {
                for substitution in substitutions {
                    match self.source(&substitution) {
                        Ok(source) => frame.plan.substitutions.push((substitution, source)),
                        Err(trouble) => troubles.push(trouble),
                    }
                }
            }
            Err(trouble) => troubles.push(trouble),
        }
        for trouble in troubles {
            frame.broken = true;
            self.break_off(index, trouble)?;
        }
        let sources = frame.plan.substitutions.iter().map(|(_, source)| *source);
        frame.needs = frame.plan.parent.into_iter().chain(sources).collect();
        frame.needs.reverse();
        Ok(frame)
    }

    /// The document that a substitution takes from.
    fn source(&self, wanted: &Substitution<'_>) -> Result<usize, Trouble> {
        let (schema, name) = (wanted.schema, wanted.name);
        let found = self.family.concrete(schema, name);
        let (message, advice) = match (found.as_slice(), self.family.any(schema, name)) {
            ([one], _) => return Ok(*one),
            ([one, other, ..], _) => (
                format!("the substitution source {schema} {name} could be either of two documents: {} and {}", self.place(*one), self.place(*other)),
                "remove or rename one of the two, or let the lower one replace the other (replacement: true)".to_owned(),
            ),
            ([], Some(one)) => (
                format!("the substitution source {schema} {name} is abstract ({})", self.place(one)),
                "take the value from a document that is not abstract".to_owned(),
            ),
            ([], None) => (
                format!("the substitution source {schema} {name} is not there ({})", wanted.wants()),
                self.meant(schema, name),
            ),
        };
        Err(Topic::Substitution.wrong(wanted.name_position, message, advice))
    }

    fn place(&self, index: usize) -> Location {
        let doc = &self.docs[index];
        Location::new(&self.names[doc.text], self.names, doc.position())
    }

    /// Which source may have been meant.
    fn meant(&self, schema: &str, name: &str) -> String {
        let all = || self.family.names().take(LOOKED_THROUGH);
        if let Some((other, _)) = all().find(|(_, other)| *other == name) {
            return format!("there is a {other} {name}");
        }
        let of_schema = all().filter(|(other, _)| *other == schema);
        match nearest(name, of_schema.map(|(_, name)| name)) {
            Some(near) => format!("did you mean {near}?"),
            None => "give the folder that holds it, too, or correct src.schema and src.name".into(),
        }
    }

    /// Tells of a circle: from the document that was waiting to the one that needs it.
    fn circle(&mut self, stack: &[Frame<'_>], to: usize) {
        let from = stack.iter().position(|frame| frame.doc == to);
        let frames = &stack[from.unwrap_or_default()..];
        let mut names: Vec<String> = frames
            .iter()
            .take(NAMED)
            .map(|frame| self.docs[frame.doc].to_string())
            .collect();
        if frames.len() > NAMED {
            names.push(format!("({} more)", frames.len() - NAMED));
        }
        names.push(self.docs[to].to_string());
        let Some(last) = stack.last() else {
            return;
        };
        let doc = &self.docs[last.doc];
        let substitution = last.plan.substitutions.iter();
        let mut substitution = substitution.filter(|(_, source)| *source == to);
        let position = substitution
            .next()
            .map_or(doc.position(), |(substitution, _)| {
                substitution.name_position
            });
        let wrong = Wrong {
            topic: Topic::Substitution,
            position,
            message: format!("it is made of itself: {}", names.join(" <- ")),
            advice: "a document cannot take values from one that takes values from it; move what both need into a third".into(),
        };
        self.findings.push(finding(doc, self.names, wrong));
    }

    fn data(&self, index: usize) -> Option<&Tree> {
        match &self.states[index] {
            State::Made(data) => Some(data),
            _ => self.docs[index].data.as_ref(),
        }
    }

    /// Makes a document of what has been rendered.
    fn make(&mut self, index: usize, plan: &Plan<'_>) -> Result<State, Trouble> {
        let doc = &self.docs[index];
        let mut budget = mem::replace(&mut self.budget, Budget::new(self.limits));
        let made = self.put_together(doc, plan, &mut budget);
        self.budget = budget;
        Ok(made?.map_or(State::AsWritten, State::Made))
    }

    fn put_together(
        &self,
        doc: &Doc,
        plan: &Plan<'_>,
        budget: &mut Budget,
    ) -> Result<Option<Tree>, Trouble> {
        let nothing = || Tree::new(doc.position(), Value::Null);
        let mut made = None;
        if let Some(parent) = plan.parent {
            let mut inherited = self.data(parent).cloned().unwrap_or_else(nothing);
            budget.copy(&inherited, 0)?;
            for action in &plan.actions {
                action::apply(action, doc.data.as_ref(), &mut inherited, budget)?;
            }
            if let Some(data) = &doc.data {
                inherited.position = data.position;
            }
            made = Some(inherited);
        }
        if plan.substitutions.is_empty() {
            return Ok(made);
        }
        let mut data = match made {
            Some(made) => made,
            None => {
                let written = doc.data.clone().unwrap_or_else(nothing);
                budget.copy(&written, 0)?;
                written
            }
        };
        for (substitution, source) in &plan.substitutions {
            let from = &self.docs[*source];
            substitution.apply(from, self.data(*source), &mut data, budget)?;
        }
        Ok(Some(data))
    }
}

/// Keys of the metadata that nothing would read.
fn check_keys(doc: &Doc) -> Result<(), Trouble> {
    // Elsewhere in the metadata a stranger does no harm, unless it was meant to be one of these.
    for entry in doc.metadata_entries() {
        if !METADATA.contains(&&*entry.key)
            && let Some(near) = nearest(&entry.key, METADATA)
        {
            return Err(unknown(
                entry.key_position,
                &entry.key,
                format!("did you mean {near}?"),
            ));
        }
    }
    let Some(definition) = doc.metadata("layeringDefinition") else {
        return Ok(());
    };
    if !matches!(definition.value, Value::Mapping(_) | Value::Null) {
        let message = format!("layeringDefinition is {}, not a map", definition.describe());
        let advice = "write for instance `{abstract: false, layer: site}`";
        return Err(Topic::Layering.wrong(definition.position, message, advice));
    }
    for entry in definition.entries() {
        if !LAYERING.contains(&&*entry.key) {
            let advice = match nearest(&entry.key, LAYERING) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known here are {}", LAYERING.join(", ")),
            };
            return Err(unknown(entry.key_position, &entry.key, advice));
        }
    }
    Ok(())
}

fn unknown(position: Position, key: &str, advice: String) -> Trouble {
    Topic::Layering.wrong(
        position,
        format!("unknown key {key:?} in the metadata"),
        advice,
    )
}
