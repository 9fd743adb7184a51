//! A design written out again in Deckhand form: each document of Drydock as it is after rendering.

use std::sync::Arc;

use drydock_model::finding::{Finding, Location};
use drydock_model::ingest::{Format, Source};
use drydock_model::tree::{Entry, Position, Tree, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::form::{Form, Outcome, Text};
use crate::layered::{self, Site};
use crate::yaml::YamlForm;
use crate::{DesignIngester, emit, parse, read, unreadable};

/// One document of Drydock in Deckhand form: `schema`, `metadata` as written, `data` after layering and substitution. It serialises as such.
/// Its data may hold secrets that were substituted into it.
pub struct Rendered {
    /// Where it is written.
    pub location: Location,
    /// That it, or one that it is layered over, selects a parent that is not there. Deckhand takes such a document as it is.
    pub warning: Option<Finding>,
    tree: Tree,
}

impl Rendered {
    /// The data, with the place of each value.
    #[must_use]
    pub fn data(&self) -> Option<&Tree> {
        self.tree.get("data")
    }

    /// `schema`, such as `drydock/Rack/v1`.
    #[must_use]
    pub fn schema(&self) -> &str {
        let schema = self.tree.get("schema").and_then(Tree::as_text);
        schema.unwrap_or_default()
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.tree.find(&["metadata", "name"]);
        name.and_then(Tree::as_text).unwrap_or_default()
    }
}

impl Serialize for Rendered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written(&self.tree).serialize(serializer)
    }
}

impl DesignIngester {
    /// The documents of Drydock that the sources come to, in the order of the texts. Without a layering policy they are as written; those of the
    /// yaml form become documents in Deckhand form.
    ///
    /// # Errors
    /// The findings (at least one of level error), each with its place in a text. What only a reader of the data finds is not among them.
    pub fn render(&self, sources: &[Source]) -> Result<Vec<Rendered>, Vec<Finding>> {
        if let Some(rendered) = self.render_tree(sources) {
            return rendered;
        }
        let mut writing = Writing::default();
        for source in sources {
            let text = Text {
                source,
                origins: Arc::default(),
            };
            let parsed = parse::parse(&source.text, &self.limits);
            let faults = parsed.faults.into_iter();
            let faults = faults.map(|fault| unreadable(fault, &source.name));
            writing.findings.extend(faults);
            for tree in parsed.documents {
                writing.take(tree, &text);
            }
        }
        writing.result()
    }

    /// The same for sources that hold a layering policy. `None`: they hold none.
    ///
    /// # Errors
    /// As [`DesignIngester::render`].
    pub fn render_tree(&self, sources: &[Source]) -> Option<Result<Vec<Rendered>, Vec<Finding>>> {
        let Site { origins, documents } = match layered::render(sources, &self.limits)? {
            Ok(site) => site,
            Err(findings) => return Some(Err(findings)),
        };
        let mut writing = Writing::default();
        for laid in documents {
            let text = Text {
                source: &sources[laid.text],
                origins: Arc::clone(&origins),
            };
            let warning = laid.without_parent(text.source, &origins);
            let before = writing.documents.len();
            writing.take(laid.tree, &text);
            for document in &mut writing.documents[before..] {
                document.warning.clone_from(&warning);
            }
        }
        Some(writing.result())
    }
}

/// Documents and findings so far.
#[derive(Default)]
struct Writing {
    documents: Vec<Rendered>,
    findings: Vec<Finding>,
}

impl Writing {
    fn take(&mut self, tree: Tree, text: &Text<'_>) {
        match write(tree, text) {
            Ok(document) => self.documents.extend(document),
            Err(findings) => self.findings.extend(findings),
        }
    }

    fn result(self) -> Result<Vec<Rendered>, Vec<Finding>> {
        if self.findings.is_empty() {
            Ok(self.documents)
        } else {
            Err(self.findings)
        }
    }
}

/// A document in Deckhand form; `None` when it is not Drydock's, or no longer counts. Only a head that can be read is written.
fn write(tree: Tree, text: &Text<'_>) -> Result<Option<Rendered>, Vec<Finding>> {
    let headless = |tree: &Tree| {
        let name = tree.find(&["metadata", "name"]).and_then(Tree::as_text);
        name.is_none_or(str::is_empty)
    };
    let foreign = |tree: &Tree| match tree.get("schema").and_then(Tree::as_text) {
        Some(schema) => !schema.starts_with("drydock/"),
        None => true,
    };
    let yaml = YamlForm.recognises(&tree) && text.source.format != Format::Deckhand;
    let unusable = headless(&tree) || foreign(&tree) || layered::is_abstract(&tree).is_some();
    if !yaml && unusable {
        // The reader knows what is wrong with it.
        return match read(tree, text) {
            Outcome::Refused(refusal) => Err(refusal.findings),
            Outcome::Document(_) | Outcome::PassedOver => Ok(None),
        };
    }
    let location = {
        let name = tree.find(&["metadata", "name"]);
        let position = name.map_or(tree.position, |name| name.position);
        Location::new(&text.source.name, &text.origins, position)
    };
    let tree = if yaml {
        let read = read(tree.clone(), text);
        match read {
            Outcome::Refused(refusal) => return Err(refusal.findings),
            Outcome::PassedOver => return Ok(None),
            Outcome::Document(document) if text.source.without.contains(&document.reference()) => {
                return Ok(None);
            }
            Outcome::Document(document) => in_deckhand_form(tree, document.kind.as_str()),
        }
    } else {
        tree
    };
    let rendered = Rendered {
        location,
        warning: None,
        tree,
    };
    let without = text.source.without.iter().any(|gone| {
        rendered.name() == gone.name && rendered.schema() == format!("drydock/{}/v1", gone.kind)
    });
    Ok((!without).then_some(rendered))
}

fn in_deckhand_form(tree: Tree, kind: &str) -> Tree {
    let position = tree.position;
    let entry = |key: &str, value: Tree| Entry {
        key: key.into(),
        key_position: value.position,
        value,
    };
    let of = |key: &str| {
        let value = tree.get(key).cloned();
        value.unwrap_or_else(|| Tree::new(position, Value::Null))
    };
    let schema = text_at(&format!("drydock/{kind}/v1"), position);
    let entries = vec![
        entry("schema", schema),
        entry("metadata", of("metadata")),
        entry("data", of("spec")),
    ];
    Tree::new(position, Value::Mapping(entries))
}

fn text_at(text: &str, position: Position) -> Tree {
    let value = Value::String {
        text: text.into(),
        plain: true,
    };
    Tree::new(position, value)
}

/// Documents as one YAML stream. A comment before each names the place that it comes from.
///
/// # Errors
/// What cannot be written as YAML.
pub fn to_stream(documents: &[Rendered]) -> Result<String, String> {
    let mut stream = String::new();
    for document in documents {
        let Location { source, line, .. } = &document.location;
        let source: String = source
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        stream.push_str(&format!("---\n# {source}:{line}\n"));
        stream.push_str(&emit::to_yaml(document)?);
        if !stream.ends_with('\n') {
            stream.push('\n');
        }
    }
    Ok(stream)
}

/// A tree as it is written again. A number in an unusual spelling becomes text, which keeps the spelling and reads as the same number.
struct Written<'a>(&'a Tree);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer { value, text } if value.to_string() == **text => {
                serializer.serialize_i64(*value)
            }
            Value::Float { value, text } if value.to_string() == **text => {
                serializer.serialize_f64(*value)
            }
            Value::Integer { text, .. }
            | Value::Float { text, .. }
            | Value::String { text, .. } => serializer.serialize_str(text),
            Value::Sequence(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Written(item))?;
                }
                list.end()
            }
            Value::Mapping(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&*entry.key, &Written(&entry.value))?;
                }
                map.end()
            }
        }
    }
}
