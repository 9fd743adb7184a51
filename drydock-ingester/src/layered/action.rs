//! Layering actions: what a child makes of its parent's data.
//!
//! All of the parent's data is inherited. Each action then takes the child's data at its path: `merge` lays it over what is there, map by
//! map, and the child's value wins; `replace` puts it there; `delete` removes what was inherited. A list is never merged.

use std::collections::HashMap;
use std::sync::Arc;

use drydock_model::tree::{Position, Tree, Value, nearest};

use super::budget::{Budget, Topic, Trouble};
use super::document::Doc;
use super::path::{Path, Unset};

/// Maps with more keys than this are merged by a table of their keys.
const FEW: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Merge,
    Replace,
    Delete,
}

const METHODS: [(&str, Method); 3] = [
    ("merge", Method::Merge),
    ("replace", Method::Replace),
    ("delete", Method::Delete),
];

/// One action as written.
pub(super) struct Action {
    method: Method,
    path: Path,
    position: Position,
}

/// The actions of a document, in order. A parent without actions, or actions without a parent, would do nothing, and is refused as
/// Deckhand refuses it.
///
/// # Errors
/// What is not understood.
pub(super) fn read(doc: &Doc) -> Result<Vec<Action>, Trouble> {
    let written = doc.layering("actions");
    let at = written.map_or(doc.position(), |actions| actions.position);
    let wrong = |message: &str, advice: &str| Err(Topic::Layering.wrong(at, message, advice));
    let advice = "a child needs both: parentSelector says over what it is layered, actions say how";
    match (written.map(|actions| &actions.value), doc.selector()) {
        (None, []) => return Ok(Vec::new()),
        (None, _) => return wrong("a parentSelector, but no actions", advice),
        (Some(Value::Sequence(items)), []) if items.is_empty() => return Ok(Vec::new()),
        (Some(_), []) => return wrong("actions, but no parentSelector", advice),
        (Some(Value::Sequence(items)), _) if items.is_empty() => {
            return wrong("a parentSelector, but no actions", advice);
        }
        (Some(Value::Sequence(_)), _) => {}
        (Some(_), _) => {
            return wrong(
                "actions are not a list",
                "write a list of `method` and `path`",
            );
        }
    }
    let items = written.map_or(&[][..], Tree::items);
    items.iter().map(read_one).collect()
}

fn read_one(item: &Tree) -> Result<Action, Trouble> {
    let text = |key: &str| {
        let value = item
            .get(key)
            .and_then(|value| Some((value, value.as_text()?)));
        value.ok_or_else(|| {
            Topic::Layering.wrong(
                item.position,
                format!("an action without a {key}"),
                "write for instance `{method: merge, path: .}`",
            )
        })
    };
    let (written, word) = text("method")?;
    let Some((_, method)) = METHODS.into_iter().find(|(name, _)| *name == word) else {
        let known = METHODS.map(|(name, _)| name);
        let advice = match nearest(word, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        let message = format!("the action {word:?} is not known");
        return Err(Topic::Layering.wrong(written.position, message, advice));
    };
    let (written, path) = text("path")?;
    let path = Path::parse_in_data(path).map_err(|why| {
        let message = format!("the path {path:?} of an action is not understood: {why}");
        let advice = "write keys after dots and numbers in brackets, such as `.a.b[0]`";
        Topic::Layering.wrong(written.position, message, advice)
    })?;
    Ok(Action {
        method,
        path,
        position: written.position,
    })
}

/// Applies one action to what has been inherited.
///
/// # Errors
/// When there is nothing at the path, or limits.
pub(super) fn apply(
    action: &Action,
    child: Option<&Tree>,
    inherited: &mut Tree,
    budget: &mut Budget,
) -> Result<(), Trouble> {
    let path = &action.path;
    let wrong = |message: String, advice: &str| {
        Err(Topic::Layering.wrong(action.position, message, advice))
    };
    budget.walk(path.steps(inherited))?;
    if action.method == Method::Delete {
        if path.delete(inherited) {
            return Ok(());
        }
        let message = format!(
            "there is nothing to delete at {path}: of what is inherited, {}",
            path.lost(inherited)
        );
        return wrong(
            message,
            "delete takes a path of the parent's data; remove the action if the parent no longer has it",
        );
    }
    let own = child.and_then(|child| path.get(child));
    let Some(own) = own.filter(|own| !own.is_null()) else {
        if path.is_whole() && action.method == Method::Merge {
            return Ok(());
        }
        let why = child.map_or_else(|| "it has no data".to_owned(), |child| path.lost(child));
        let verb = match action.method {
            Method::Replace => "replace with",
            _ => "merge",
        };
        let message = format!("there is nothing to {verb} at {path} in its own data: {why}");
        return wrong(
            message,
            "the path must be in the child; remove the action if the child has nothing to say there",
        );
    };
    budget.walk(path.steps(own))?;
    budget.copy(own, path.len())?;
    if action.method == Method::Merge
        && let Some(there) = path.get_mut(inherited)
        && matches!(
            (&there.value, &own.value),
            (Value::Mapping(_), Value::Mapping(_))
        )
    {
        merge(there, own);
        return Ok(());
    }
    match path.set(inherited, own.clone(), action.position, budget) {
        Ok(()) => Ok(()),
        Err(Unset::Trouble(trouble)) => Err(trouble),
        Err(Unset::Blocked(why)) => wrong(
            format!("nothing can be put at {path}: of what is inherited, {why}"),
            "replace the value that stands in the way as a whole",
        ),
    }
}

/// Lays a map over another.
fn merge(onto: &mut Tree, own: &Tree) {
    onto.position = own.position;
    let Value::Mapping(entries) = &mut onto.value else {
        return;
    };
    let known: HashMap<Arc<str>, usize> = if own.entries().len() > FEW {
        let keys = entries.iter().map(|entry| Arc::clone(&entry.key));
        keys.zip(0..).collect()
    } else {
        HashMap::new()
    };
    for entry in own.entries() {
        let at = if own.entries().len() > FEW {
            known.get(&entry.key).copied()
        } else {
            entries.iter().position(|there| there.key == entry.key)
        };
        let Some(at) = at else {
            entries.push(entry.clone());
            continue;
        };
        let there = &mut entries[at];
        if matches!(
            (&there.value.value, &entry.value.value),
            (Value::Mapping(_), Value::Mapping(_))
        ) {
            there.key_position = entry.key_position;
            merge(&mut there.value, &entry.value);
        } else {
            *there = entry.clone();
        }
    }
}
