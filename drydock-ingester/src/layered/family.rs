//! Which document is whose parent: layers, labels, replacement.
//!
//! As Deckhand has it: the parent has the child's schema and all labels of its `parentSelector`, and stands in the closest higher layer in
//! which there is such a document. A document with `replacement: true` takes the place of its parent, which has the same name.

use std::collections::HashMap;

use drydock_model::tree::{Entry, Tree, Value, nearest};

use super::budget::{Budget, Topic, Trouble};
use super::document::Doc;

/// The layers, from the highest (most general) to the lowest.
pub(super) struct Layers<'a> {
    order: Vec<&'a str>,
    depth: HashMap<&'a str, usize>,
}

impl<'a> Layers<'a> {
    /// Reads the policy.
    ///
    /// # Errors
    /// When it has no usable order.
    pub(super) fn read(policy: &'a Doc) -> Result<Self, Trouble> {
        let wrong = |at, message: String| {
            let advice = "write data.layerOrder as a list of the layers, the most general first";
            Err(Topic::Layering.wrong(at, message, advice))
        };
        let Some(order) = policy.data.as_ref().and_then(|data| data.get("layerOrder")) else {
            return wrong(policy.position(), "the policy has no layerOrder".into());
        };
        if !matches!(order.value, Value::Sequence(_)) {
            let message = format!("layerOrder is {}, not a list", order.describe());
            return wrong(order.position, message);
        }
        let mut layers = Layers {
            order: Vec::new(),
            depth: HashMap::new(),
        };
        for item in order.items() {
            let Some(name) = item.as_text() else {
                let message = format!("a layer is {}, not a text", item.describe());
                return wrong(item.position, message);
            };
            if layers.depth.insert(name, layers.order.len()).is_some() {
                let message = format!("the layer {name:?} stands twice in layerOrder");
                return wrong(item.position, message);
            }
            layers.order.push(name);
        }
        Ok(layers)
    }

    fn of(&self, doc: &Doc) -> Option<usize> {
        self.depth.get(doc.layer()?).copied()
    }

    /// Whether the layer of a document is one of the order. A document may have none.
    pub(super) fn check(&self, doc: &Doc) -> Result<(), Trouble> {
        let Some(written) = doc.layering("layer") else {
            return Ok(());
        };
        let name = written.as_text().unwrap_or_default();
        if self.depth.contains_key(name) {
            return Ok(());
        }
        let advice = match nearest(name, self.order.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the layers are {}", self.order.join(", ")),
        };
        Err(Topic::Layering.wrong(
            written.position,
            format!("the layer {name:?} is not in the layerOrder of the policy"),
            advice,
        ))
    }
}

/// What a parent selector selects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selection {
    Nothing,
    One(usize),
    /// Two of those in the closest layer.
    Several(usize, usize),
    /// Only a document that stands no higher than the child.
    NotHigher(usize),
    /// A document of a layer that there is not.
    OfNoLayer(usize),
}

/// Documents by what they are looked up by.
pub(super) struct Family<'a> {
    docs: &'a [Doc],
    layers: Layers<'a>,
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    by_name: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// For a document, those that replace it.
    replaced_by: HashMap<usize, Vec<usize>>,
}

impl<'a> Family<'a> {
    /// Looks at all documents.
    ///
    /// # Errors
    /// Limits.
    pub(super) fn new(
        docs: &'a [Doc],
        layers: Layers<'a>,
        budget: &mut Budget,
    ) -> Result<Self, Trouble> {
        let mut family = Family {
            docs,
            layers,
            by_label: HashMap::new(),
            by_name: HashMap::new(),
            replaced_by: HashMap::new(),
        };
        for (index, doc) in docs.iter().enumerate() {
            let schema = doc.schema();
            let named = family.by_name.entry((schema, doc.name()));
            named.or_default().push(index);
            for label in doc.labels() {
                let key = (schema, &*label.key, label_text(&label.value));
                family.by_label.entry(key).or_default().push(index);
            }
        }
        for (index, doc) in docs.iter().enumerate() {
            if doc.is_replacement()
                && let Selection::One(parent) = family.select(index, budget)?
                && docs[parent].name() == doc.name()
            {
                family.replaced_by.entry(parent).or_default().push(index);
            }
        }
        Ok(family)
    }

    pub(super) fn is_replaced(&self, doc: usize) -> bool {
        self.replaced_by.contains_key(&doc)
    }

    /// Documents of a schema and name that a substitution may take from: concrete, and not replaced.
    pub(super) fn concrete(&self, schema: &str, name: &str) -> Vec<usize> {
        let all = self
            .by_name
            .get(&(schema, name))
            .map_or(&[][..], Vec::as_slice);
        let usable = |doc: &&usize| !self.docs[**doc].is_abstract() && !self.is_replaced(**doc);
        all.iter().filter(usable).copied().collect()
    }

    /// Whether there is any document of a schema and name.
    pub(super) fn any(&self, schema: &str, name: &str) -> Option<usize> {
        self.by_name.get(&(schema, name))?.first().copied()
    }

    /// The documents' schemas and names.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.docs.iter().map(|doc| (doc.schema(), doc.name()))
    }

    /// The document whose rendered data a document is layered over: its parent, or what replaces that. `None`: it is not layered.
    ///
    /// # Errors
    /// Why there is no telling which, or limits.
    pub(super) fn parent(
        &self,
        index: usize,
        budget: &mut Budget,
    ) -> Result<Option<usize>, Trouble> {
        let doc = &self.docs[index];
        self.layers.check(doc)?;
        let written = doc.layering("parentSelector");
        let at = written.map_or(doc.position(), |selector| selector.position);
        let wrong = |message: String, advice: &str| Err(Topic::Layering.wrong(at, message, advice));
        if let Some(selector) = written
            && !matches!(selector.value, Value::Mapping(_))
        {
            let message = format!("parentSelector is {}, not a map", selector.describe());
            return wrong(
                message,
                "write it as labels of the parent, such as `name: base`",
            );
        }
        if !doc.selector().is_empty() && self.layers.of(doc).is_none() {
            let message = "a parentSelector, but no layer".to_owned();
            return wrong(message, "set metadata.layeringDefinition.layer");
        }
        let found = match self.select(index, budget)? {
            Selection::Nothing => None,
            Selection::One(parent) => Some(parent),
            Selection::Several(one, other) => {
                let message = format!(
                    "the parentSelector selects several documents of the layer {:?}, among them {} and {}",
                    self.docs[one].layer().unwrap_or_default(),
                    self.docs[one].name(),
                    self.docs[other].name()
                );
                return wrong(message, "select by labels that only one of them has");
            }
            Selection::NotHigher(other) => {
                let message = format!(
                    "the parentSelector selects {} of the layer {:?} only, which is not above {:?}",
                    self.docs[other].name(),
                    self.docs[other].layer().unwrap_or_default(),
                    doc.layer().unwrap_or_default()
                );
                return wrong(
                    message,
                    "a parent stands in a higher layer; correct the layer or the labels",
                );
            }
            Selection::OfNoLayer(other) => {
                let message = format!(
                    "the parentSelector selects {}, whose layer {:?} is not in the layerOrder of the policy",
                    self.docs[other].name(),
                    self.docs[other].layer().unwrap_or_default()
                );
                return wrong(message, "correct the parent's layer");
            }
        };
        let Some(parent) = found else {
            if doc.is_replacement() {
                return wrong(
                    "replacement: true, but no document of a higher layer is selected that it could replace".into(),
                    "let its parentSelector name labels of the document that it replaces, and give the folder that holds that one, too",
                );
            }
            return Ok(None);
        };
        let same_name = self.docs[parent].name() == doc.name();
        if doc.is_replacement() {
            if !same_name {
                let message = format!(
                    "replacement: true, but its parent has another name: {}",
                    self.docs[parent].name()
                );
                return wrong(message, "a document replaces one of its own name");
            }
            if self.docs[parent].is_replacement() {
                let message = "it replaces a document that is itself a replacement".to_owned();
                return wrong(message, "a document can be replaced once only");
            }
            let rivals = self.replaced_by.get(&parent).map_or(&[][..], Vec::as_slice);
            if let Some(rival) = rivals.iter().find(|rival| **rival != index) {
                let message = format!(
                    "two documents replace {}; the other is of the layer {:?}",
                    self.docs[parent],
                    self.docs[*rival].layer().unwrap_or_default()
                );
                return wrong(message, "remove one of the two");
            }
            return Ok(Some(parent));
        }
        if same_name {
            return wrong(
                "it has the name of its parent, but is no replacement".into(),
                "add `replacement: true` to its metadata, or give it another name",
            );
        }
        let replacement = self.replaced_by.get(&parent).and_then(|by| by.first());
        Ok(Some(replacement.copied().unwrap_or(parent)))
    }

    fn select(&self, index: usize, budget: &mut Budget) -> Result<Selection, Trouble> {
        let child = &self.docs[index];
        let (Some(first), Some(depth)) = (child.selector().first(), self.layers.of(child)) else {
            return Ok(Selection::Nothing);
        };
        let key = (child.schema(), &*first.key, label_text(&first.value));
        let candidates = self.by_label.get(&key).map_or(&[][..], Vec::as_slice);
        budget.walk(candidates.len() * child.selector().len())?;
        let (mut closest, mut found, mut instead) = (None, Selection::Nothing, Selection::Nothing);
        for candidate in candidates.iter().copied() {
            let other = &self.docs[candidate];
            if candidate == index || !child.selector().iter().all(|label| has_label(other, label)) {
                continue;
            }
            match self.layers.of(other) {
                Some(layer) if layer < depth => match (closest, found) {
                    (Some(best), _) if layer < best => {}
                    (Some(best), Selection::One(one) | Selection::Several(one, _))
                        if layer == best =>
                    {
                        found = Selection::Several(one, candidate);
                    }
                    _ => {
                        closest = Some(layer);
                        found = Selection::One(candidate);
                    }
                },
                Some(_) => instead = Selection::NotHigher(candidate),
                None if other.layer().is_some() => instead = Selection::OfNoLayer(candidate),
                None => {}
            }
        }
        Ok(match found {
            Selection::Nothing => instead,
            found => found,
        })
    }
}

/// Empty for what is no scalar.
fn label_text(value: &Tree) -> &str {
    value.as_text().unwrap_or_default()
}

fn has_label(doc: &Doc, wanted: &Entry) -> bool {
    let label = doc.labels().iter().find(|label| label.key == wanted.key);
    label.is_some_and(|label| label.value.to_json() == wanted.value.to_json())
}
