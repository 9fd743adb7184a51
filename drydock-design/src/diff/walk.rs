//! The walk through two values side by side.

use std::collections::{HashMap, HashSet};

use drydock_model::tree::{REDACTED, is_secret_key, without_secret_parameters};
use serde_json::Value;

use super::field::{is_one_value, is_unordered, word_of};
use super::{Change, ChangeKind, FieldPath, Snapshot};

/// Finds the changes below one place of two designs.
pub(super) struct Walk<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    /// Where the walk stands, in the documents' words.
    path: Vec<String>,
    /// The same as names of the serialised design, list items left out: what [`super::field`] knows fields by.
    field: String,
    /// How many keys on the way name a secret.
    secret: usize,
    pub(super) changes: Vec<Change>,
    pub(super) not_compared: Vec<FieldPath>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        before: &'a Snapshot,
        after: &'a Snapshot,
        path: &[&str],
        field: &str,
    ) -> Self {
        Walk {
            before,
            after,
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
            field: field.to_owned(),
            secret: 0,
            changes: Vec::new(),
            not_compared: Vec::new(),
        }
    }

    /// What was found, with paths that leave out so many leading segments.
    pub(super) fn into_changes(self, leading: usize) -> Vec<Change> {
        let mut changes = self.changes;
        for change in &mut changes {
            change.path.0.drain(..leading);
        }
        changes
    }

    /// Compares the values of a key.
    pub(super) fn field(&mut self, key: &str, before: Option<&Value>, after: Option<&Value>) {
        let (depth, length) = (self.path.len(), self.field.len());
        self.field.push('.');
        self.field.push_str(key);
        match word_of(&self.field) {
            Some("") => {}
            Some(word) => self.path.extend(word.split('.').map(str::to_owned)),
            None => self.path.push(key.to_owned()),
        }
        let secret = usize::from(is_secret_key(key));
        self.secret += secret;
        self.compare(before, after);
        self.secret -= secret;
        self.path.truncate(depth);
        self.field.truncate(length);
    }

    /// Compares the values at the place where the walk stands.
    pub(super) fn compare(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (None, None) => {}
            (Some(old), Some(new)) if alike(old, new) => {}
            (Some(old @ Value::Object(_)), Some(new @ Value::Object(_)))
                if !is_one_value(&self.field) =>
            {
                for key in keys(old, new) {
                    self.field(key, old.get(key), new.get(key));
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.lists(old, new),
            (Some(old), Some(new)) => self.values(old, new),
            (None, Some(_)) => self.tell(ChangeKind::Added, None, after),
            (Some(_), None) => self.tell(ChangeKind::Removed, before, None),
        }
    }

    fn item(&mut self, name: &str, before: Option<&Value>, after: Option<&Value>) {
        self.path.push(name.to_owned());
        self.compare(before, after);
        self.path.pop();
    }

    fn lists(&mut self, old: &[Value], new: &[Value]) {
        let unordered = is_unordered(&self.field);
        if let (Some(old_names), Some(new_names)) = (names(old), names(new)) {
            self.named(
                &old_names.into_iter().zip(old).collect::<Vec<_>>(),
                &new_names.into_iter().zip(new).collect::<Vec<_>>(),
            );
            return;
        }
        if old == new {
            // Not alike all the same: it holds something hidden, and no name leads there.
            self.not_compared.push(FieldPath(self.path.clone()));
            return;
        }
        let scalars = old.iter().chain(new).all(is_scalar);
        let (gone, come) = leftovers(old, new);
        let same_items = gone.is_empty() && come.is_empty();
        if scalars || same_items {
            if same_items && unordered {
                return;
            }
            let kind = if same_items {
                ChangeKind::Reordered
            } else {
                ChangeKind::Changed
            };
            let whole = |list: &[Value]| Value::Array(list.to_vec());
            self.tell(kind, Some(&whole(old)), Some(&whole(new)));
        } else if let ([gone], [come]) = (gone.as_slice(), come.as_slice()) {
            // One item became another; by place when its place is all it has.
            let at = old.iter().position(|item| item == *gone).unwrap_or(0);
            self.item(&at.to_string(), Some(gone), Some(come));
        } else if !unordered && old.len() == new.len() {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                self.item(&at.to_string(), Some(old), Some(new));
            }
        } else {
            // Items without names in a list whose order says nothing, or of another length: what went and what came.
            let whole = |list: Vec<&Value>| Value::Array(list.into_iter().cloned().collect());
            self.tell(ChangeKind::Changed, Some(&whole(gone)), Some(&whole(come)));
        }
    }

    fn named(&mut self, old: &[(&str, &Value)], new: &[(&str, &Value)]) {
        for (name, before, after) in side_by_side(old, new) {
            self.item(name, before, after);
        }
        if is_unordered(&self.field) {
            return;
        }
        let both = |of: &[(&str, &Value)], among: &[(&str, &Value)]| -> Vec<Value> {
            let among: HashSet<&str> = among.iter().map(|(name, _)| *name).collect();
            of.iter()
                .filter(|(name, _)| among.contains(name))
                .map(|(name, _)| Value::from(*name))
                .collect()
        };
        let (was, is) = (both(old, new), both(new, old));
        if was != is {
            let (was, is) = (Value::Array(was), Value::Array(is));
            self.tell(ChangeKind::Reordered, Some(&was), Some(&is));
        }
    }

    fn values(&mut self, old: &Value, new: &Value) {
        if !hidden(old) && !hidden(new) {
            return self.tell(ChangeKind::Changed, Some(old), Some(new));
        }
        if old.is_null() || new.is_null() {
            self.secret += 1;
            self.tell(ChangeKind::Changed, Some(old), Some(new));
            self.secret -= 1;
            return;
        }
        let was = plain(self.before, old, &self.path);
        let is = plain(self.after, new, &self.path);
        match was.zip(is).map(|(was, is)| was == is) {
            Some(true) => {}
            Some(false) => {
                self.secret += 1;
                self.tell(ChangeKind::Changed, Some(old), Some(new));
                self.secret -= 1;
            }
            None => self.not_compared.push(FieldPath(self.path.clone())),
        }
    }

    fn tell(&mut self, kind: ChangeKind, before: Option<&Value>, after: Option<&Value>) {
        let secret = self.secret > 0;
        let shown = |value: &Value| match value {
            Value::Null => Value::Null,
            _ if secret => REDACTED.into(),
            other => without_secrets(other),
        };
        let (before, after) = (before.map(shown), after.map(shown));
        self.changes.push(Change {
            path: FieldPath(self.path.clone()),
            kind,
            // What changed and shows no difference is a password in something longer.
            secret: secret || (kind == ChangeKind::Changed && before == after),
            before,
            after,
        });
    }
}

/// The keys of two maps: the first's in its order, then the second's own.
pub(super) fn keys<'v>(before: &'v Value, after: &'v Value) -> Vec<&'v str> {
    let of = |value: &'v Value| value.as_object().into_iter().flatten();
    let mut keys: Vec<&str> = of(before).map(|(key, _)| key.as_str()).collect();
    keys.extend(
        of(after)
            .map(|(key, _)| key.as_str())
            .filter(|key| before.get(key).is_none()),
    );
    keys
}

type Pair<'v> = (Option<&'v str>, Option<&'v Value>, Option<&'v Value>);

/// The parts that a field of the design holds, side by side: the items of a list of named things, else the value itself.
pub(super) fn parts<'v>(before: Option<&'v Value>, after: Option<&'v Value>) -> Vec<Pair<'v>> {
    let list = |value: Option<&'v Value>| -> Option<Vec<(&'v str, &'v Value)>> {
        match value {
            None => Some(Vec::new()),
            Some(Value::Array(items)) => Some(names(items)?.into_iter().zip(items).collect()),
            Some(_) => None,
        }
    };
    match (list(before), list(after)) {
        (Some(old), Some(new)) => side_by_side(&old, &new)
            .into_iter()
            .map(|(name, old, new)| (Some(name), old, new))
            .collect(),
        _ => vec![(None, before, after)],
    }
}

/// Named things of two lists: the first's in its order, then the second's own.
fn side_by_side<'v>(
    old: &[(&'v str, &'v Value)],
    new: &[(&'v str, &'v Value)],
) -> Vec<(&'v str, Option<&'v Value>, Option<&'v Value>)> {
    let olds: HashSet<&str> = old.iter().map(|(name, _)| *name).collect();
    let news: HashMap<&str, &Value> = new.iter().copied().collect();
    let own = new.iter().filter(|(name, _)| !olds.contains(name));
    old.iter()
        .map(|(name, value)| (*name, Some(*value), news.get(name).copied()))
        .chain(own.map(|(name, value)| (*name, None, Some(*value))))
        .collect()
}

/// The names of the items of a list, when each has one of its own.
fn names(items: &[Value]) -> Option<Vec<&str>> {
    let mut seen = HashSet::with_capacity(items.len());
    items
        .iter()
        .map(|item| name(item).filter(|name| seen.insert(*name)))
        .collect()
}

fn name(item: &Value) -> Option<&str> {
    let text = |value: &'_ Value| value.as_str().is_some_and(|text| !text.is_empty());
    let own = ["name", "network", "path", "destination"]
        .into_iter()
        .filter_map(|key| item.get(key));
    own.chain(item.get("device").and_then(|device| device.get("name")))
        .chain(item.get("kind"))
        .find(|value| text(value))
        .and_then(Value::as_str)
}

/// Whether two values are equal for sure: nothing in them is hidden.
fn alike(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, old)| b.get(key).is_some_and(|new| alike(old, new)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(old, new)| alike(old, new))
        }
        (Value::String(a), Value::String(b)) => a == b && a != REDACTED,
        _ => old == new,
    }
}

fn hidden(value: &Value) -> bool {
    value.as_str() == Some(REDACTED)
}

/// What a value really is, where that is known.
fn plain<'v>(snapshot: &'v Snapshot, value: &'v Value, path: &[String]) -> Option<&'v str> {
    if hidden(value) {
        snapshot.secret(path)
    } else {
        value.as_str()
    }
}

fn is_scalar(value: &Value) -> bool {
    !(value.is_array() || value.is_object())
}

/// The items of the first list that the second lacks, and the other way round; each as often as it does.
fn leftovers<'v>(old: &'v [Value], new: &'v [Value]) -> (Vec<&'v Value>, Vec<&'v Value>) {
    let only = |of: &'v [Value], not_in: &'v [Value]| -> Vec<&'v Value> {
        let mut there: HashMap<&Value, usize> = HashMap::new();
        for item in not_in {
            *there.entry(item).or_default() += 1;
        }
        of.iter()
            .filter(|item| match there.get_mut(*item) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            })
            .collect()
    };
    (only(old, new), only(new, old))
}

/// A value with nothing under a key that names a secret, and no password in a URL.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let shown = if is_secret_key(key) && !value.is_null() {
                    REDACTED.into()
                } else {
                    without_secrets(value)
                };
                (key.clone(), shown)
            })
            .collect(),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        Value::String(text) if text.contains("://") => {
            without_secret_parameters(&without_passwords(text)).into()
        }
        other => other.clone(),
    }
}

/// A text whose URLs keep their user and lose their password (`scheme://user:password@host`, RFC 3986, section 3.2.1).
fn without_passwords(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        shown.push_str("://");
        let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace();
        let (authority, rest) = piece.split_at(piece.find(ends).unwrap_or(piece.len()));
        match authority
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
        {
            Some((user, host)) => {
                shown.extend([user, ":", REDACTED, "@", host]);
            }
            None => shown.push_str(authority),
        }
        shown.push_str(rest);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{without_passwords, without_secrets};

    #[test]
    fn urls_lose_the_secrets_in_their_query() {
        assert_eq!(
            without_secrets(&json!("http://u:p@h/a?token=hush&x=1")),
            json!("http://u:********@h/a?token=********&x=1")
        );
    }

    #[test]
    fn urls_lose_their_passwords() {
        for (text, shown) in [
            (
                "https://me:hush@host/a@b:c",
                "https://me:********@host/a@b:c",
            ),
            (
                "a http://x:y@h b ftp://u:p@@i:21?q",
                "a http://x:********@h b ftp://u:********@i:21?q",
            ),
            ("https://host:8080/a", "https://host:8080/a"),
            ("https://me@host", "https://me@host"),
            ("://", "://"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
