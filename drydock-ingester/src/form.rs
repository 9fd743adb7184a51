//! What the surface forms have in common: a head that names the document, and a body.

use std::sync::Arc;

use drydock_model::design::{Document, Kind};
use drydock_model::finding::{DocumentRef, Finding, Fix, Level, Location};
use drydock_model::ingest::{Source, Unread};
use drydock_model::tree::{Ignored, Position, ReadError, Tree, Value, nearest};

/// The text that a document stands in.
pub(crate) struct Text<'a> {
    pub(crate) source: &'a Source,
    /// The texts that its positions count, when it was put together from several.
    pub(crate) origins: Arc<[Arc<str>]>,
}

impl Text<'_> {
    fn place(&self, position: Position) -> Location {
        Location::new(&self.source.name, &self.origins, position)
    }
}

/// What became of one document of a stream.
pub(crate) enum Outcome {
    /// Taken.
    Document(Box<Document>),
    /// Not ours, and none of our business.
    PassedOver,
    /// Ours, but it cannot be taken.
    Refused(Box<Refusal>),
}

/// Why a document cannot be taken, and what it would have been.
pub(crate) struct Refusal {
    /// At least one.
    pub(crate) findings: Vec<Finding>,
    pub(crate) unread: Unread,
}

impl Outcome {
    fn refused(findings: Vec<Finding>) -> Self {
        Outcome::Refused(Box::new(Refusal {
            findings,
            unread: Unread::default(),
        }))
    }
}

/// Kind and name of a document of either form, as far as they can be read.
pub(crate) fn head(tree: &Tree) -> Unread {
    let schema = tree.get("schema").and_then(Tree::as_text);
    let word = match schema {
        Some(schema) => schema.split('/').nth(1),
        None => tree.get("kind").and_then(Tree::as_text),
    };
    let name = tree.find(&["metadata", "name"]).and_then(Tree::as_text);
    Unread {
        kind: Kind::ALL
            .into_iter()
            .find(|kind| Some(kind.as_str()) == word),
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

/// A surface form.
pub(crate) trait Form {
    /// As the API names it.
    fn name(&self) -> &'static str;
    /// What its documents look like, for a message.
    fn sample(&self) -> &'static str;
    /// Whether a document is meant to be of this form.
    fn recognises(&self, tree: &Tree) -> bool;
    /// Reads it.
    fn read(&self, tree: Tree, text: &Text<'_>) -> Outcome;
}

/// A refusal of a document at a place in it.
pub(crate) fn refuse(
    text: &Text<'_>,
    position: Position,
    rule: &str,
    message: String,
    diagnostic: String,
) -> Outcome {
    Outcome::refused(vec![Finding {
        rule: rule.into(),
        code: "DD000".into(),
        level: Level::Error,
        message,
        diagnostic,
        documents: Vec::new(),
        location: Some(text.place(position)),
        chain: Vec::new(),
        fix: None,
    }])
}

/// A document given to the ingester of the other form.
pub(crate) fn wrong_form(
    tree: &Tree,
    wanted: &dyn Form,
    says: &dyn Form,
    text: &Text<'_>,
) -> Outcome {
    refuse(
        text,
        tree.position,
        "document/form",
        format!(
            "this document is in the {} form ({}), but was given to the {} ingester",
            says.name(),
            says.sample(),
            wanted.name()
        ),
        format!(
            "use the {0} ingester (ingester={0}), or auto, which takes both",
            says.name()
        ),
    )
}

/// A document of no form at all.
pub(crate) fn no_form(tree: &Tree, text: &Text<'_>) -> Outcome {
    refuse(
        text,
        tree.position,
        "document/form",
        format!("this is {}, not a design document", tree.describe()),
        "a document begins with `apiVersion: drydock/v1` and `kind`, or with `schema: drydock/<Kind>/v1`".into(),
    )
}

/// The kind that a head names.
pub(crate) fn kind(word: &str) -> Result<Kind, (String, String)> {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == word) {
        return Ok(kind);
    }
    let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let diagnostic = match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known kinds are {}", known.join(", ")),
    };
    Err((format!("unknown kind {word:?}"), diagnostic))
}

/// Reads metadata and body once the kind is known.
pub(crate) fn finish(kind: Kind, mut tree: Tree, body_key: &str, text: &Text<'_>) -> Outcome {
    let body = take(&mut tree, body_key);
    let metadata = tree.get("metadata");
    let name = metadata.and_then(|metadata| metadata.get("name"));
    let Some((name, name_position)) = name
        .and_then(|name| name.as_text().map(|word| (word, name.position)))
        .filter(|(word, _)| !word.is_empty())
    else {
        let at = name
            .or(metadata)
            .map_or(tree.position, |there| there.position);
        return refuse(
            text,
            at,
            "document/name",
            format!("this {kind} has no name"),
            "set metadata.name to a text".into(),
        );
    };
    let Some(body) = body else {
        return refuse(
            text,
            tree.position,
            "document/body",
            format!("{kind} {name} has no `{body_key}`"),
            format!("put its fields under `{body_key}`; `{body_key}: {{}}` when there are none"),
        );
    };
    let mut body = Arc::new(body);
    let mut misfits = Vec::new();
    let read = loop {
        let source = Arc::clone(&text.source.name);
        let error = match Document::read(kind, name, name_position, Arc::clone(&body), source) {
            Ok(document) => break document,
            Err(error) => error,
        };
        let place = text.place(error.position.unwrap_or(body.position));
        misfits.push(misfit(kind, name, body_key, &error, place));
        // Without the key that is not known, the next fault is found.
        if misfits.len() == MISFITS || !strike(Arc::make_mut(&mut body), &error) {
            return Outcome::refused(misfits);
        }
    };
    if !misfits.is_empty() {
        return Outcome::refused(misfits);
    }
    finished(read, metadata, text)
}

/// Unknown keys of one document that are told: each takes another reading.
const MISFITS: usize = 20;

/// Takes the unknown key of an error out of the body; `false` when the error is about no key, or the key is not found.
fn strike(body: &mut Tree, error: &ReadError) -> bool {
    let Some(unknown) = &error.unknown else {
        return false;
    };
    let mut tree = body;
    for segment in &error.path {
        let below = match &mut tree.value {
            Value::Mapping(entries) => entries
                .iter_mut()
                .find(|entry| *entry.key == **segment)
                .map(|entry| &mut entry.value),
            Value::Sequence(items) => segment
                .trim_matches(['[', ']'])
                .parse()
                .ok()
                .and_then(|number: usize| items.get_mut(number)),
            _ => None,
        };
        let Some(below) = below else { return false };
        tree = below;
    }
    let Value::Mapping(entries) = &mut tree.value else {
        return false;
    };
    let before = entries.len();
    entries.retain(|entry| *entry.key != **unknown);
    entries.len() < before
}

/// A document with what its metadata say besides the name.
fn finished(mut document: Document, metadata: Option<&Tree>, text: &Text<'_>) -> Outcome {
    if !text.origins.is_empty() {
        document.origins = Arc::clone(&text.origins);
    }
    if let Some(labels) = metadata.and_then(|metadata| metadata.get("labels")) {
        document.ignored.extend(unread_labels(labels));
        document.labels = labels
            .entries()
            .iter()
            .filter_map(|entry| {
                entry
                    .value
                    .as_text()
                    .map(|label| (entry.key.to_string(), label.to_owned()))
            })
            .collect();
    }
    Outcome::Document(Box::new(document))
}

/// Labels that are no map, or no texts.
fn unread_labels(labels: &Tree) -> Vec<Ignored> {
    let unread = |position, segments: &[&str]| Ignored {
        position,
        path: segments.iter().map(|word| (*word).to_owned()).collect(),
        known: &["a map of texts"],
    };
    let way = ["metadata", "labels"];
    match &labels.value {
        Value::Null => Vec::new(),
        Value::Mapping(entries) => entries
            .iter()
            .filter(|entry| entry.value.as_text().is_none() && !entry.value.is_null())
            .map(|entry| unread(entry.key_position, &[way[0], way[1], &*entry.key]))
            .collect(),
        _ => vec![unread(labels.position, &way)],
    }
}

/// The value of a key, out of its map: a body is most of a document, and copying it would take as long as reading it.
fn take(tree: &mut Tree, key: &str) -> Option<Tree> {
    let Value::Mapping(entries) = &mut tree.value else {
        return None;
    };
    let at = entries.iter().position(|entry| &*entry.key == key)?;
    Some(entries.remove(at).value)
}

fn misfit(
    kind: Kind,
    name: &str,
    body_key: &str,
    error: &ReadError,
    location: Location,
) -> Finding {
    let path = error.path_text();
    let field = if path.is_empty() {
        body_key.to_owned()
    } else {
        format!("{body_key}.{path}")
    };
    let diagnostic = match (error.suggestion(), error.known) {
        (Some(near), _) => format!("did you mean {near:?}?"),
        (None, []) => "see the field reference for what may stand here".into(),
        (None, known) => format!("known here are {}", known.join(", ")),
    };
    Finding {
        rule: "document/schema".into(),
        code: "DD001".into(),
        level: Level::Error,
        message: format!("{kind} {name}: {field}: {}", error.message),
        diagnostic,
        documents: vec![DocumentRef {
            kind,
            name: name.to_owned(),
        }],
        location: Some(location),
        chain: Vec::new(),
        fix: error
            .unknown
            .as_ref()
            .zip(error.suggestion())
            .map(|(unknown, near)| Fix {
                replace: unknown.clone(),
                by: near.to_owned(),
            }),
    }
}
