//! Paths into the data of a document, as Deckhand writes them: `.`, `.a.b`, `.a[0]`, `.a.'b.c'`, `.a["b.c"]`; `$` may stand before.
//!
//! Deckhand reads them as JSONPath. What selects several values at once (`*`, `..`, slices, unions) cannot say where one value goes,
//! and is refused.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use drydock_model::tree::{Entry, Position, Tree, Value, nearest};

use super::budget::{Budget, Trouble};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// A key of a map.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

/// A path; without segments it is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    segments: Vec<Segment>,
}

impl fmt::Display for Path {
    /// As it would be written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str(".");
        }
        for segment in &self.segments {
            match segment {
                Segment::Key(key) if key.contains(is_special) || key.is_empty() => {
                    write!(f, ".'{key}'")?;
                }
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Why a value was not put where a path says.
pub(super) enum Unset {
    /// Something else stands on the way: what, and where.
    Blocked(String),
    /// Limits.
    Trouble(Trouble),
}

impl From<Trouble> for Unset {
    fn from(trouble: Trouble) -> Self {
        Unset::Trouble(trouble)
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '.' | '[' | ']' | '\'' | '"' | '*' | ',' | '$') || c.is_control()
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What in it is not understood.
    pub(super) fn parse(text: &str) -> Result<Path, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the path is empty; `.` is the whole data".into());
        }
        let mut rest = text.strip_prefix('$').unwrap_or(text).chars().peekable();
        let mut segments = Vec::new();
        let mut at_start = true;
        while let Some(c) = rest.next() {
            match c {
                '.' => match rest.peek() {
                    None if at_start => break,
                    None => return Err("the path ends with a dot".into()),
                    Some('.') => {
                        return Err("`..` selects many values; one is wanted here".into());
                    }
                    Some('[') => {}
                    Some(_) => segments.push(Segment::Key(key(&mut rest)?)),
                },
                '[' => segments.push(bracket(&mut rest)?),
                _ if at_start => {
                    let mut again = text.chars().peekable();
                    segments.push(Segment::Key(key(&mut again)?));
                    rest = again;
                }
                _ => return Err(format!("a dot is missing before {c:?}")),
            }
            at_start = false;
        }
        Ok(Path { segments })
    }

    /// Reads the path of a layering action, which may begin with the section's own name: `.data.a` is `.a`.
    pub(super) fn parse_in_data(text: &str) -> Result<Path, String> {
        let mut path = Path::parse(text)?;
        if path.segments.first() == Some(&Segment::Key("data".into())) {
            path.segments.remove(0);
        }
        Ok(path)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.segments.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The value there.
    pub(super) fn get<'t>(&self, tree: &'t Tree) -> Option<&'t Tree> {
        self.segments.iter().try_fold(tree, step)
    }

    /// The value there, to be changed.
    pub(super) fn get_mut<'t>(&self, tree: &'t mut Tree) -> Option<&'t mut Tree> {
        self.segments
            .iter()
            .try_fold(tree, |tree, segment| match (&mut tree.value, segment) {
                (Value::Mapping(entries), Segment::Key(key)) => entries
                    .iter_mut()
                    .find(|entry| *entry.key == **key)
                    .map(|entry| &mut entry.value),
                (Value::Sequence(items), Segment::Index(index)) => items.get_mut(*index),
                _ => None,
            })
    }

    /// How much looking the path up costs: a map is looked through.
    pub(super) fn steps(&self, tree: &Tree) -> usize {
        let mut steps = 1;
        let mut tree = tree;
        for segment in &self.segments {
            steps += tree.entries().len();
            match step(tree, segment) {
                Some(next) => tree = next,
                None => break,
            }
        }
        steps
    }

    /// Puts a value there. Maps and lists that are missing on the way are made; a list is filled up with empty maps to the item.
    pub(super) fn set(
        &self,
        tree: &mut Tree,
        value: Tree,
        made_at: Position,
        budget: &mut Budget,
    ) -> Result<(), Unset> {
        let mut there = tree;
        for (depth, segment) in self.segments.iter().enumerate() {
            there = match segment {
                Segment::Key(key) => {
                    if there.is_null() {
                        *there = Tree::new(made_at, Value::Mapping(Vec::new()));
                    }
                    let what = there.describe();
                    let Value::Mapping(entries) = &mut there.value else {
                        return Err(self.blocked(depth, what, "a map"));
                    };
                    let at = entries.iter().position(|entry| *entry.key == **key);
                    let at = at.unwrap_or(entries.len());
                    if at == entries.len() {
                        budget.make(1)?;
                        entries.push(Entry {
                            key: key.as_str().into(),
                            key_position: made_at,
                            value: Tree::new(made_at, Value::Null),
                        });
                    }
                    &mut entries[at].value
                }
                Segment::Index(index) => {
                    if there.is_null() {
                        *there = Tree::new(made_at, Value::Sequence(Vec::new()));
                    }
                    let what = there.describe();
                    let Value::Sequence(items) = &mut there.value else {
                        return Err(self.blocked(depth, what, "a list"));
                    };
                    if *index >= items.len() {
                        budget.make((*index - items.len()).saturating_add(1))?;
                        while items.len() < *index {
                            items.push(Tree::new(made_at, Value::Mapping(Vec::new())));
                        }
                        items.push(Tree::new(made_at, Value::Null));
                    }
                    &mut items[*index]
                }
            };
        }
        *there = value;
        Ok(())
    }

    fn blocked(&self, depth: usize, what: &str, wanted: &str) -> Unset {
        let before = self.spot(depth);
        Unset::Blocked(format!("{before} is {what}, not {wanted}"))
    }

    /// The first segments in words.
    fn spot(&self, depth: usize) -> String {
        let segments = self.segments[..depth].to_vec();
        match depth {
            0 => "the data".to_owned(),
            _ => Path { segments }.to_string(),
        }
    }

    /// Takes the value away; `false` when it is not there.
    pub(super) fn delete(&self, tree: &mut Tree) -> bool {
        let Some((last, before)) = self.segments.split_last() else {
            tree.value = Value::Mapping(Vec::new());
            return true;
        };
        let parent = Path {
            segments: before.to_vec(),
        };
        match (parent.get_mut(tree).map(|parent| &mut parent.value), last) {
            (Some(Value::Mapping(entries)), Segment::Key(key)) => {
                let before = entries.len();
                entries.retain(|entry| *entry.key != **key);
                entries.len() < before
            }
            (Some(Value::Sequence(items)), Segment::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }

    /// Where the path leads nowhere, and what may have been meant. Shows keys, never values.
    pub(super) fn lost(&self, tree: &Tree) -> String {
        let mut tree = tree;
        for (depth, segment) in self.segments.iter().enumerate() {
            if let Some(next) = step(tree, segment) {
                tree = next;
                continue;
            }
            let before = self.spot(depth);
            return match (segment, &tree.value) {
                (Segment::Key(key), Value::Mapping(entries)) => {
                    let keys = entries.iter().take(1_000).map(|entry| &*entry.key);
                    match nearest(key, keys) {
                        Some(near) => {
                            format!("{before} has no key {key:?}; did you mean {near:?}?")
                        }
                        None => format!("{before} has no key {key:?}"),
                    }
                }
                (Segment::Index(index), Value::Sequence(items)) => format!(
                    "{before} has {} item(s), so that there is no [{index}]",
                    items.len()
                ),
                _ => format!("{before} is {}", tree.describe()),
            };
        }
        format!("{} is {}", self.spot(self.len()), tree.describe())
    }
}

fn step<'t>(tree: &'t Tree, segment: &Segment) -> Option<&'t Tree> {
    match segment {
        Segment::Key(key) => tree.get(key),
        Segment::Index(index) => tree.items().get(*index),
    }
}

/// A key after a dot: quoted, or up to the next dot or bracket.
fn key(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    if let Some(quote) = rest.next_if(|c| matches!(c, '\'' | '"')) {
        return quoted(rest, quote);
    }
    let mut key = String::new();
    while let Some(c) = rest.next_if(|c| !matches!(c, '.' | '[')) {
        if is_special(c) {
            return Err(match c {
                '*' | ',' => format!("`{c}` selects many values; one is wanted here"),
                _ => format!("a key with {c:?} in it must be quoted"),
            });
        }
        key.push(c);
    }
    Ok(key)
}

fn quoted(rest: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut key = String::new();
    loop {
        match rest.next() {
            None => return Err(format!("the quote {quote} is not closed")),
            Some(c) if c == quote => return Ok(key),
            Some(c) => key.push(c),
        }
    }
}

/// What stands within brackets: an index, or a key.
fn bracket(rest: &mut Peekable<Chars<'_>>) -> Result<Segment, String> {
    let segment = if let Some(quote) = rest.next_if(|c| matches!(c, '\'' | '"')) {
        Segment::Key(quoted(rest, quote)?)
    } else {
        let mut word = String::new();
        while let Some(c) = rest.next_if(|c| *c != ']') {
            word.push(c);
        }
        let word = word.trim();
        if let Ok(index) = word.parse() {
            Segment::Index(index)
        } else if word.is_empty() || word.contains([':', '*', ',', '?', '-']) {
            return Err(format!(
                "[{word}] does not name one item; write its number, from 0"
            ));
        } else {
            Segment::Key(word.to_owned())
        }
    };
    match rest.next() {
        Some(']') => Ok(segment),
        _ => Err("the bracket [ is not closed".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parse::Limits;

    fn tree(text: &str) -> Tree {
        crate::parse_tree(text, "x").unwrap().remove(0)
    }

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn paths_are_read_in_all_their_spellings() {
        for (text, canonical) in [
            (".", "."),
            ("$", "."),
            (".a.b", ".a.b"),
            ("$.a.b", ".a.b"),
            ("a.b", ".a.b"),
            (".a[0].b", ".a[0].b"),
            (".a.[0].b", ".a[0].b"),
            (".[1]", "[1]"),
            ("$[1][2]", "[1][2]"),
            (".a.'b.c'.d", ".a.'b.c'.d"),
            (".a.\"b.c\"", ".a.'b.c'"),
            (".a['b.c']", ".a.'b.c'"),
            (".a[\"b-c\"]", ".a.b-c"),
            (".a[b]", ".a.b"),
            (".a-b_c/d@e", ".a-b_c/d@e"),
            (".0", ".0"),
        ] {
            assert_eq!(path(text).to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn what_names_no_single_value_is_refused() {
        for (text, says) in [
            ("", "empty"),
            (".a.", "ends with a dot"),
            (".a..b", "many values"),
            (".a.*", "many values"),
            (".a[*]", "number"),
            (".a[0:1]", "number"),
            (".a[-1]", "number"),
            (".a[", "number"),
            (".a['b", "not closed"),
            (".a[0]b", "dot is missing"),
        ] {
            let error = Path::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn actions_may_name_the_section() {
        for (text, canonical) in [
            (".data", "."),
            (".data.a", ".a"),
            ("$.data.a", ".a"),
            (".database", ".database"),
        ] {
            assert_eq!(Path::parse_in_data(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_missing_on_the_way_is_made() {
        let mut budget = Budget::new(&Limits::default());
        let place = Position::new(7, 7);
        for (before, at, after) in [
            ("{}", ".a.b", r#"{"a":{"b":"v"}}"#),
            ("{a: }", ".a.b", r#"{"a":{"b":"v"}}"#),
            ("{a: []}", ".a[0]", r#"{"a":["v"]}"#),
            ("{a: [x]}", ".a[1]", r#"{"a":["x","v"]}"#),
            ("{a: [x]}", ".a[0]", r#"{"a":["v"]}"#),
            ("{}", ".a[2].b", r#"{"a":[{},{},{"b":"v"}]}"#),
            ("{}", ".'a.b'.c", r#"{"a.b":{"c":"v"}}"#),
            ("{a: 1}", ".", r#""v""#),
        ] {
            let mut tree = tree(before);
            let set = path(at).set(&mut tree, self::tree("v"), place, &mut budget);
            assert!(set.is_ok(), "{at}");
            assert_eq!(tree.to_json().to_string(), after);
        }
        let mut tree = tree("{a: [1], b: text}");
        for at in [".a.x", ".b.x", ".b[0]", ".[0]"] {
            let set = path(at).set(&mut tree, self::tree("v"), place, &mut budget);
            assert!(matches!(set, Err(Unset::Blocked(_))), "{at}");
        }
        let far = path(".a[99999999999]").set(&mut tree, self::tree("v"), place, &mut budget);
        assert!(matches!(far, Err(Unset::Trouble(Trouble::Spent))));
    }

    #[test]
    fn deleting_takes_the_one_value() {
        let mut tree = tree("{a: {b: 1, c: 1}, d: [1, 1, 2]}");
        assert!(path(".a.c").delete(&mut tree));
        assert!(path(".d[1]").delete(&mut tree));
        assert!(!path(".a.x").delete(&mut tree));
        assert!(!path(".d[2]").delete(&mut tree));
        assert_eq!(tree.to_json().to_string(), r#"{"a":{"b":1},"d":[1,2]}"#);
        assert!(path(".").delete(&mut tree));
        assert_eq!(tree.to_json().to_string(), "{}");
    }
}
