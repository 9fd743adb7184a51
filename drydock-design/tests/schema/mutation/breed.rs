//! Makes mutants of a design: in each one field is broken in one way.

use std::collections::{BTreeMap, BTreeSet};

use drydock_model::design::Kind;
use serde_json::{Value, json};

use super::walk::{self, Spot, Step};
use crate::valid::Judge;

/// A way to break a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Missing,
    WrongType,
    Dangling,
    OutOfRange,
    Duplicated,
}

/// A document of the design, broken.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub class: Class,
    pub kind: Kind,
    pub path: String,
    /// What was done to the field.
    pub what: String,
    /// Which document of the design it takes the place of.
    pub document: usize,
    pub text: String,
    /// The document as an editor sees it; `None` when it differs from the sound one as a text only.
    pub value: Option<Value>,
}

impl Mutant {
    pub fn id(&self) -> String {
        format!("{:?} {}: {}", self.class, self.path, self.what)
    }
}

/// Every mutant of the first use of every field.
pub fn all(
    documents: &[Value],
    schemas: &BTreeMap<Kind, Value>,
    judges: &BTreeMap<Kind, Judge>,
) -> Vec<Mutant> {
    let mut uses: Vec<(Kind, usize, Spot)> = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let kind = super::kind(document);
        let spots = walk::spots(kind, &schemas[&kind], document);
        uses.extend(spots.into_iter().map(|spot| (kind, number, spot)));
    }
    let mut seen = BTreeSet::new();
    let mut mutants = Vec::new();
    for (kind, number, spot) in &uses {
        if !seen.insert(spot.path.clone()) {
            continue;
        }
        let mut breed = Breed {
            kind: *kind,
            number: *number,
            spot,
            document: &documents[*number],
            mutants: &mut mutants,
        };
        breed.missing();
        breed.wrong_type();
        breed.dangling();
        breed.out_of_range(&judges[kind]);
        breed.duplicated(&uses);
    }
    mutants
}

struct Breed<'a> {
    kind: Kind,
    number: usize,
    spot: &'a Spot,
    document: &'a Value,
    mutants: &'a mut Vec<Mutant>,
}

impl<'a> Breed<'a> {
    fn says(&self, key: &str) -> Option<&'a Value> {
        self.spot.schema.get(key)
    }

    fn types(&self) -> Vec<&str> {
        let types = self.says("type").and_then(Value::as_array);
        types
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn add(&mut self, class: Class, what: impl Into<String>, value: Value) {
        let mutant = self.mutant(class, what, value);
        self.mutants.push(mutant);
    }

    fn mutant(&self, class: Class, what: impl Into<String>, value: Value) -> Mutant {
        Mutant {
            class,
            kind: self.kind,
            path: self.spot.path.clone(),
            what: what.into(),
            document: self.number,
            text: value.to_string(),
            value: Some(value),
        }
    }

    /// The document with a number at the spot, digit by digit: as a value it has lost some.
    fn spelled(&self, digits: &str) -> String {
        let mark = "the number";
        let document = self.altered(|value| *value = json!(mark));
        document
            .to_string()
            .replace(&json!(mark).to_string(), digits)
    }

    /// What JSON cannot say.
    fn add_text(&mut self, what: impl Into<String>, text: String) {
        self.mutants.push(Mutant {
            class: Class::Duplicated,
            kind: self.kind,
            path: self.spot.path.clone(),
            what: what.into(),
            document: self.number,
            text,
            value: None,
        });
    }

    /// The document with something done to the value at the spot.
    fn altered(&self, alter: impl FnOnce(&mut Value)) -> Value {
        let mut document = self.document.clone();
        alter(at(&mut document, &self.spot.steps));
        document
    }

    fn replace(&mut self, class: Class, by: Value) {
        let document = self.altered(|value| *value = by.clone());
        self.add(class, format!("becomes {by}"), document);
    }

    fn missing(&mut self) {
        let (Some(Step::Key(key)), true) = (self.spot.steps.last(), self.spot.needed) else {
            return self.missing_alternatives();
        };
        let mut document = self.document.clone();
        let around = at(&mut document, &self.spot.steps[..self.spot.steps.len() - 1]);
        around.as_object_mut().unwrap().shift_remove(key);
        self.add(Class::Missing, "is gone", document);
        self.missing_alternatives();
    }

    /// Of several fields one must be there.
    fn missing_alternatives(&mut self) {
        let Some(branches) = self.says("anyOf").and_then(Value::as_array) else {
            return;
        };
        let fields: Vec<String> = branches
            .iter()
            .flat_map(|branch| branch["required"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let document = self.altered(|value| {
            value
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !fields.contains(key));
        });
        self.add(
            Class::Missing,
            format!("has none of {}", fields.join(", ")),
            document,
        );
    }

    fn wrong_type(&mut self) {
        let types: Vec<String> = self.types().into_iter().map(str::to_owned).collect();
        if types.is_empty() {
            // Words that need no type say what they are.
            if self.says("const").is_some() || self.says("enum").is_some() {
                self.replace(Class::WrongType, json!(["x"]));
                self.replace(Class::WrongType, json!({ "x": "y" }));
            }
            return;
        }
        let others = [
            ("array", json!(["x"])),
            ("object", json!({ "x": "y" })),
            ("string", json!("wrong")),
            ("number", json!(7)),
            ("boolean", json!(true)),
        ];
        for (name, other) in others {
            let taken = types
                .iter()
                .any(|known| known == name || (name == "number" && known == "integer"));
            if !taken {
                self.replace(Class::WrongType, other);
            }
        }
        if types.iter().any(|known| known == "integer")
            && !types.iter().any(|known| known == "number")
        {
            self.replace(Class::WrongType, json!(1.5));
        }
        if !types.iter().any(|known| known == "null") {
            self.replace(Class::WrongType, Value::Null);
        }
    }

    fn dangling(&mut self) {
        let Some(target) = self.says("x-refers-to").and_then(Value::as_str) else {
            return;
        };
        if !self.spot.value.is_string() {
            return;
        }
        let name = match target {
            "HardwareSetting" => "hardwareprofile:cpuset.no-such-thing",
            _ => "no-such-thing",
        };
        self.replace(Class::Dangling, json!(name));
        if let (Some(Step::Key(key)), "OwnerData" | "RackLabel") = (self.spot.steps.last(), target)
        {
            let mut document = self.document.clone();
            let around = at(&mut document, &self.spot.steps[..self.spot.steps.len() - 1]);
            let value = around.as_object_mut().unwrap().shift_remove(key).unwrap();
            around["no-such-thing"] = value;
            self.add(Class::Dangling, "is another key", document);
        }
    }

    fn out_of_range(&mut self, judge: &Judge) {
        for (bound, step) in [("minimum", -1), ("maximum", 1)] {
            if let Some(limit) = self.says(bound).and_then(Value::as_i64) {
                let beyond = limit + step;
                self.replace(Class::OutOfRange, json!(beyond));
                self.replace(Class::OutOfRange, json!(beyond.to_string()));
            }
        }
        if self.types().contains(&"integer") {
            // More than 64 bits.
            let digits = "99999999999999999999";
            self.replace(Class::OutOfRange, json!(digits));
            let number: Value = serde_json::from_str(digits).unwrap();
            let document = self.altered(|value| *value = number);
            let mut mutant = self.mutant(Class::OutOfRange, format!("becomes {digits}"), document);
            mutant.text = self.spelled(digits);
            self.mutants.push(mutant);
        }
        for bound in ["enum", "const", "x-words"] {
            if self.says(bound).is_some() {
                self.replace(Class::OutOfRange, json!("no-such-word"));
            }
        }
        if self.says("minItems").is_some() {
            self.replace(Class::OutOfRange, json!([]));
        }
        // Where a name is wanted, or a text must be there, an empty one will not do.
        let wanted = ["minLength", "x-refers-to", "x-needed", "x-words"]
            .iter()
            .any(|key| self.says(key).is_some())
            || (self.says("x-unique").is_some() && self.spot.needed);
        if wanted && self.spot.value.is_string() {
            self.replace(Class::OutOfRange, json!(""));
        }
        if self.says("x-unique") == Some(&json!("list")) {
            self.replace(Class::OutOfRange, json!([""]));
        }
        let scalar = !self.spot.value.is_object() && !self.spot.value.is_array();
        if self.says("pattern").is_some() && scalar {
            // What the pattern lets through is no mutant.
            for text in ["", "?!", "no such value", "-1", "x/y", "1..2"] {
                let document = self.altered(|value| *value = json!(text));
                if judge.judge(&document).is_err() {
                    self.replace(Class::OutOfRange, json!(text));
                }
            }
        }
        let format = self
            .says("format")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let beyond: &[&str] = match format.as_deref() {
            Some("ip-address") => &["10.0.0.256", "1.2.3", "fd00::1::2", "fd00:1:2:3:4:5:6:7:8"],
            Some("ip-prefix") => &[
                "10.0.0.0/33",
                "10.0.0.256/24",
                "fd00::/129",
                "10.0.0.1/24",
                "10.0.0.0",
            ],
            Some("size") => &[
                "20",
                "20k",
                "1.5g",
                "101%",
                "99999999999999999999g",
                "> ",
                "0g",
                "0%",
            ],
            Some("mac-address") => &[
                "52:54:00:12:34",
                "52:54:00:12:34:5g",
                "52:54:00:12:34:56:78",
                "00:00:00:00:00:00",
                "ff:ff:ff:ff:ff:ff",
                "01:00:5e:00:00:01",
            ],
            Some("ssh-public-key") => &[
                "",
                "ssh-rsa",
                "no key at all",
                "ssh-ed25519 !!!",
                "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB me",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
            ],
            Some("pgp-public-key") => &["", "no key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"],
            Some("cpu-list") => &["", "x", "4-2", "2,,4", "1.5"],
            None => &[],
            Some(other) => panic!("{}: nothing is known of the format {other}", self.spot.path),
        };
        if scalar {
            for text in beyond {
                self.replace(Class::OutOfRange, json!(text));
            }
        }
    }

    fn duplicated(&mut self, uses: &[(Kind, usize, Spot)]) {
        if let Some(Step::Key(key)) = self.spot.steps.last() {
            let text = render(self.document, Some(&self.spot.steps));
            self.add_text(format!("the key {key} stands twice"), text);
        }
        match self.says("x-unique").and_then(Value::as_str) {
            None => {}
            Some("list") => {
                let first = self.spot.value[0].clone();
                let document =
                    self.altered(|value| value.as_array_mut().unwrap().push(first.clone()));
                self.add(Class::Duplicated, format!("has {first} twice"), document);
            }
            // The map around it stands in a list, whose items go by this field.
            Some("sibling") => {
                let depth = self.spot.steps.len();
                let mut document = self.document.clone();
                let item = at(&mut document, &self.spot.steps[..depth - 1]).clone();
                at(&mut document, &self.spot.steps[..depth - 2])
                    .as_array_mut()
                    .unwrap()
                    .push(item);
                self.add(Class::Duplicated, "stands in two items", document);
            }
            Some("document") => {
                let text = format!("{0}\n---\n{0}", self.document);
                self.add_text("the document stands twice", text);
            }
            Some("value") => {
                let other = uses.iter().find(|(_, _, other)| {
                    field(other) == field(self.spot)
                        && other.value != self.spot.value
                        && other.value != "dhcp"
                });
                let (_, _, other) = other.unwrap_or_else(|| {
                    panic!("the design needs a second value of {}", self.spot.path)
                });
                let value = other.value.clone();
                let document = self.altered(|here| *here = value.clone());
                self.add(
                    Class::Duplicated,
                    format!("is {value}, which stands elsewhere"),
                    document,
                );
            }
            Some(other) => panic!("{}: nothing is known of x-unique {other}", self.spot.path),
        }
    }
}

/// Profiles and nodes have the same fields.
fn field(spot: &Spot) -> String {
    spot.path.replace("HostProfile", "BaremetalNode")
}

fn at<'v>(document: &'v mut Value, steps: &[Step]) -> &'v mut Value {
    steps.iter().fold(document, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}

/// A value as JSON, which is YAML, with the key that these steps lead to twice.
fn render(value: &Value, twice: Option<&[Step]>) -> String {
    match value {
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let inner = match twice {
                    Some([Step::Key(first), rest @ ..]) if first == key => Some(rest),
                    _ => None,
                };
                let entry = format!(
                    "{}: {}",
                    json!(key),
                    render(value, inner.filter(|rest| !rest.is_empty()))
                );
                if inner.is_some_and(<[Step]>::is_empty) {
                    format!("{entry}, {entry}")
                } else {
                    entry
                }
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(index, value)| match twice {
                Some([Step::Index(first), rest @ ..]) if *first == index => {
                    render(value, Some(rest))
                }
                _ => render(value, None),
            });
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
