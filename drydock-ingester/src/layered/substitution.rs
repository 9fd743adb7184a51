//! Substitutions: values of one document put into the data of another.

use drydock_model::tree::{Position, Tree, Value, nearest};

use super::budget::{Budget, Topic, Trouble};
use super::document::{Doc, put_at};
use super::path::{Path, Unset};
use super::pattern::Pattern;

const SHAPE: &str =
    "a substitution is written `{src: {schema: ..., name: ..., path: .}, dest: {path: .a.b}}`";

/// One substitution as written.
pub(super) struct Substitution<'a> {
    /// The source document's schema.
    pub(super) schema: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    /// Where the name is written.
    pub(super) name_position: Position,
    path: Path,
    path_position: Position,
    /// The part of the source's text that is wanted, and its group.
    part: Option<(Pattern, usize)>,
    dests: Vec<Dest>,
}

/// Where the value goes.
struct Dest {
    path: Path,
    position: Position,
    pattern: Option<Pattern>,
    /// How deep to look for the pattern; `None`: at the path itself only.
    recurse: Option<usize>,
}

/// The substitutions of a document, in order.
///
/// # Errors
/// What is not understood, or limits.
pub(super) fn read<'a>(
    doc: &'a Doc,
    budget: &mut Budget,
) -> Result<Vec<Substitution<'a>>, Trouble> {
    let Some(written) = doc.metadata("substitutions") else {
        return Ok(Vec::new());
    };
    match &written.value {
        Value::Null => Ok(Vec::new()),
        Value::Sequence(items) => items.iter().map(|item| read_one(item, budget)).collect(),
        _ => Err(unfit(
            written,
            format!("substitutions are {}, not a list", written.describe()),
        )),
    }
}

fn unfit(at: &Tree, message: impl Into<String>) -> Trouble {
    Topic::Substitution.wrong(at.position, message, SHAPE)
}

fn read_one<'a>(item: &'a Tree, budget: &mut Budget) -> Result<Substitution<'a>, Trouble> {
    known(item, &["src", "dest"])?;
    let of = |key: &str| {
        let value = item.get(key).filter(|value| !value.is_null());
        value.ok_or_else(|| unfit(item, format!("a substitution without {key}")))
    };
    let (source, dest) = (of("src")?, of("dest")?);
    let keys = [
        "schema",
        "name",
        "path",
        "pattern",
        "match_group",
        "deepcopy",
    ];
    known(source, &keys)?;
    let (_, schema) = text(source, "schema")?;
    let (name_position, name) = text(source, "name")?;
    let (path_position, path) = path(source)?;
    let part = match source.get("pattern").filter(|value| !value.is_null()) {
        None => None,
        Some(written) => Some((pattern(written, budget)?, group(source)?)),
    };
    let dests = match &dest.value {
        Value::Sequence(items) if items.is_empty() => {
            return Err(unfit(dest, "a substitution with an empty dest"));
        }
        Value::Sequence(items) => items
            .iter()
            .map(|item| read_dest(item, budget))
            .collect::<Result<_, _>>()?,
        _ => vec![read_dest(dest, budget)?],
    };
    Ok(Substitution {
        schema,
        name,
        name_position,
        path,
        path_position,
        part,
        dests,
    })
}

fn read_dest(dest: &Tree, budget: &mut Budget) -> Result<Dest, Trouble> {
    known(dest, &["path", "pattern", "recurse"])?;
    let (position, path) = path(dest)?;
    let written = dest.get("pattern").filter(|value| !value.is_null());
    let pattern = written
        .map(|written| pattern(written, budget))
        .transpose()?;
    let recurse = match dest.get("recurse").filter(|value| !value.is_null()) {
        None => None,
        Some(recurse) => {
            known(recurse, &["depth"])?;
            match recurse.get("depth").map(|depth| &depth.value) {
                Some(Value::Integer { value: -1, .. }) => Some(usize::MAX),
                Some(Value::Integer { value, .. }) if *value >= 0 => {
                    Some(usize::try_from(*value).unwrap_or(usize::MAX))
                }
                _ => {
                    return Err(Topic::Substitution.wrong(
                        recurse.position,
                        "recurse without a depth",
                        "set recurse.depth to how many levels to search, or to -1 for all",
                    ));
                }
            }
        }
    };
    Ok(Dest {
        path,
        position,
        pattern,
        recurse,
    })
}

/// Refuses keys that would be passed over.
fn known(map: &Tree, keys: &[&'static str]) -> Result<(), Trouble> {
    if !matches!(map.value, Value::Mapping(_)) {
        return Err(unfit(map, format!("here is {}, not a map", map.describe())));
    }
    let Some(stranger) = map
        .entries()
        .iter()
        .find(|entry| !keys.contains(&&*entry.key))
    else {
        return Ok(());
    };
    let advice = match nearest(&stranger.key, keys.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here are {}", keys.join(", ")),
    };
    let message = format!("unknown key {:?} in a substitution", stranger.key);
    Err(Topic::Substitution.wrong(stranger.key_position, message, advice))
}

fn text<'a>(map: &'a Tree, key: &str) -> Result<(Position, &'a str), Trouble> {
    let value = map.get(key);
    value
        .and_then(|value| Some((value.position, value.as_text()?)))
        .ok_or_else(|| {
            let message = format!("a substitution without a {key} that is a text");
            unfit(value.unwrap_or(map), message)
        })
}

fn path(map: &Tree) -> Result<(Position, Path), Trouble> {
    let (position, written) = text(map, "path")?;
    let path = Path::parse(written).map_err(|why| {
        let message = format!("the path {written:?} of a substitution is not understood: {why}");
        let advice = "write keys after dots and numbers in brackets, such as `.a.b[0]`; `.` is the whole data";
        Topic::Substitution.wrong(position, message, advice)
    })?;
    Ok((position, path))
}

fn pattern(written: &Tree, budget: &mut Budget) -> Result<Pattern, Trouble> {
    let Some(text) = written.as_text() else {
        let message = format!("a pattern is {}, not a text", written.describe());
        return Err(unfit(written, message));
    };
    Pattern::new(text, budget)?.map_err(|why| {
        let message = format!("the pattern {text:?} is not understood: {why}");
        let advice = "a pattern is a regular expression, without look-around and back references";
        Topic::Substitution.wrong(written.position, message, advice)
    })
}

fn group(source: &Tree) -> Result<usize, Trouble> {
    let Some(written) = source.get("match_group").filter(|value| !value.is_null()) else {
        return Ok(0);
    };
    let number = match &written.value {
        Value::Integer { value, .. } => usize::try_from(*value).ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        let message = format!(
            "match_group is {}, not a group's number",
            written.describe()
        );
        unfit(written, message)
    })
}

impl Substitution<'_> {
    /// What is wanted of the source, for a message.
    pub(super) fn wants(&self) -> String {
        format!("path {}", self.path)
    }

    /// Puts the source's value into the data of the document.
    ///
    /// # Errors
    /// When the source has no such value, or it cannot go where it should; limits.
    pub(super) fn apply(
        &self,
        source: &Doc,
        source_data: Option<&Tree>,
        data: &mut Tree,
        budget: &mut Budget,
    ) -> Result<(), Trouble> {
        let found = self.value(source, source_data, budget)?;
        let part = self.part(source, found, budget)?;
        let value = part.as_ref().unwrap_or(found);
        for dest in &self.dests {
            let mut place = value.position;
            if source.is_secret() {
                place = dest.position;
            }
            self.put(dest, value, place, source.is_secret(), data, budget)?;
        }
        Ok(())
    }

    /// A source whose data is a map or a list is looked into; one whose data is a scalar is taken whole, whatever the path.
    fn value<'t>(
        &self,
        source: &Doc,
        data: Option<&'t Tree>,
        budget: &mut Budget,
    ) -> Result<&'t Tree, Trouble> {
        let found = match data {
            Some(data) if matches!(data.value, Value::Mapping(_) | Value::Sequence(_)) => {
                budget.walk(self.path.steps(data))?;
                self.path.get(data)
            }
            other => other,
        };
        found.filter(|found| !found.is_null()).ok_or_else(|| {
            let why = data.map_or_else(|| "it has no data".to_owned(), |data| self.path.lost(data));
            Topic::Substitution.wrong(
                self.path_position,
                format!(
                    "the substitution source {source} has nothing at {}: {why}",
                    self.path
                ),
                "correct src.path, or add the value to the source",
            )
        })
    }

    /// What `src.pattern` takes of the value; all of it, when nothing matches.
    fn part(
        &self,
        source: &Doc,
        value: &Tree,
        budget: &mut Budget,
    ) -> Result<Option<Tree>, Trouble> {
        let Some((pattern, group)) = &self.part else {
            return Ok(None);
        };
        let wrong = |message: String| {
            let advice = "src.pattern takes a part of a text; match_group is the number of one of its groups, 0 for all of the match";
            Err(Topic::Substitution.wrong(self.path_position, message, advice))
        };
        let Value::String { text, .. } = &value.value else {
            return wrong(format!(
                "src.pattern wants a text, but at {} of {source} stands {}",
                self.path,
                value.describe()
            ));
        };
        match pattern.capture(text, *group, budget)? {
            Ok(None) => Ok(None),
            Ok(Some(part)) => {
                budget.write(part.len())?;
                Ok(Some(text_at(part, value.position)))
            }
            Err(groups) => wrong(format!(
                "src.pattern has {groups} group(s), and the one of number {group} matches nothing"
            )),
        }
    }

    fn put(
        &self,
        dest: &Dest,
        value: &Tree,
        place: Position,
        secret: bool,
        data: &mut Tree,
        budget: &mut Budget,
    ) -> Result<(), Trouble> {
        let wrong = |message: String, advice: &str| {
            Err(Topic::Substitution.wrong(dest.position, message, advice))
        };
        budget.walk(dest.path.steps(data))?;
        if let Some(pattern) = &dest.pattern {
            let Some(by) = as_python_text(value) else {
                let message = format!(
                    "dest.pattern wants a text to write, but the source {} {} has {}",
                    self.schema,
                    self.name,
                    value.describe()
                );
                return wrong(message, "point src.path at one value");
            };
            let path = &dest.path;
            let Some(there) = path.get_mut(data).filter(|there| !there.is_null()) else {
                let message = format!("there is no text for dest.pattern: {}", path.lost(data));
                return wrong(
                    message,
                    "dest.path must lead to a text that has the pattern in it",
                );
            };
            return match (&there.value, dest.recurse) {
                (Value::String { .. }, _) => replace(there, pattern, by, budget).map(drop),
                (Value::Mapping(_) | Value::Sequence(_), Some(depth)) => {
                    replace_below(there, pattern, by, depth, budget)
                }
                _ => wrong(
                    format!(
                        "dest.pattern wants a text, but at {path} stands {}",
                        there.describe()
                    ),
                    "point dest.path at a text; to search all texts below, add `recurse: {depth: -1}`",
                ),
            };
        }
        if !budget.copy(value, dest.path.len())? {
            let message = format!("at {} the value would stand too deep", dest.path);
            return wrong(message, "no design document is that deep; check dest.path");
        }
        let mut value = value.clone();
        if secret {
            put_at(&mut value, place);
        }
        if dest.path.is_whole()
            && let (Value::Mapping(there), Value::Mapping(entries)) =
                (&mut data.value, &value.value)
        {
            budget.walk(there.len().saturating_mul(entries.len()))?;
            for entry in entries {
                match there.iter().position(|known| known.key == entry.key) {
                    Some(at) => there[at] = entry.clone(),
                    None => there.push(entry.clone()),
                }
            }
            return Ok(());
        }
        match dest.path.set(data, value, dest.position, budget) {
            Ok(()) => Ok(()),
            Err(Unset::Trouble(trouble)) => Err(trouble),
            Err(Unset::Blocked(why)) => wrong(
                format!("nothing can be put at {}: {why}", dest.path),
                "correct dest.path",
            ),
        }
    }
}

/// A scalar as Python's `str` writes it, which Deckhand replaces by: its booleans have capitals.
fn as_python_text(value: &Tree) -> Option<&str> {
    match value.value {
        Value::Bool(true) => Some("True"),
        Value::Bool(false) => Some("False"),
        _ => value.as_text(),
    }
}

fn text_at(text: &str, position: Position) -> Tree {
    let value = Value::String {
        text: text.into(),
        plain: false,
    };
    Tree::new(position, value)
}

/// Replaces in one text; whether anything matched.
fn replace(
    there: &mut Tree,
    pattern: &Pattern,
    by: &str,
    budget: &mut Budget,
) -> Result<bool, Trouble> {
    let Value::String { text, .. } = &there.value else {
        return Ok(false);
    };
    let Some(replaced) = pattern.replace(text, by, budget)? else {
        return Ok(false);
    };
    *there = text_at(&replaced, there.position);
    Ok(true)
}

/// Replaces in all texts so many levels below.
fn replace_below(
    tree: &mut Tree,
    pattern: &Pattern,
    by: &str,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), Trouble> {
    if depth == 0 {
        return Ok(());
    }
    let below = |child: &mut Tree, budget: &mut Budget| {
        budget.walk(1)?;
        if let Value::String { .. } = child.value {
            replace(child, pattern, by, budget).map(drop)
        } else {
            replace_below(child, pattern, by, depth - 1, budget)
        }
    };
    match &mut tree.value {
        Value::Sequence(items) => items.iter_mut().try_for_each(|item| below(item, budget)),
        Value::Mapping(entries) => entries
            .iter_mut()
            .try_for_each(|entry| below(&mut entry.value, budget)),
        _ => Ok(()),
    }
}
