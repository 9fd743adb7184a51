//! What in a tree does not fit the type it is read as.

use std::fmt;

use serde::de;

use super::{Position, nearest};

/// Why a tree is not a value of the type asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The innermost value, or the unknown key, that does not fit.
    pub position: Option<Position>,
    /// Keys and indices that lead to it, outermost first.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// A field or word that is not known.
    pub unknown: Option<String>,
    /// What would have been known in its place.
    pub known: &'static [&'static str],
}

impl ReadError {
    /// The path as one text, such as `interfaces.bond0.slaves[1]`.
    #[must_use]
    pub fn path_text(&self) -> String {
        path_text(&self.path)
    }

    /// The known field or word that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        nearest(self.unknown.as_deref()?, self.known.iter().copied())
    }

    /// The error seen from one step further out.
    pub(super) fn at(mut self, segment: String, position: Position) -> Self {
        self.position.get_or_insert(position);
        self.path.insert(0, segment);
        self
    }
}

/// A key that the type asked for does not know and passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Where the key stands.
    pub position: Position,
    /// Keys and indices that lead to it, itself last.
    pub path: Vec<String>,
    /// The fields that are known there.
    pub known: &'static [&'static str],
}

impl Ignored {
    /// The known field that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&'static str> {
        nearest(self.path.last()?, self.known.iter().copied())
    }

    /// The path as one text, such as `interfaces.bond0.slaves[1]`.
    #[must_use]
    pub fn path_text(&self) -> String {
        path_text(&self.path)
    }
}

fn path_text(path: &[String]) -> String {
    let mut text = String::new();
    for segment in path {
        if !text.is_empty() && !segment.starts_with('[') {
            text.push('.');
        }
        text.push_str(segment);
    }
    text
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path_text())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ReadError {
            position: None,
            path: Vec::new(),
            message: message.to_string(),
            unknown: None,
            known: &[],
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        ReadError {
            unknown: Some(field.to_owned()),
            known: expected,
            ..Self::custom(format_args!("unknown field {field:?}"))
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        ReadError {
            unknown: Some(variant.to_owned()),
            known: expected,
            ..Self::custom(format_args!(
                "{variant:?} is not one of {}",
                expected.join(", ")
            ))
        }
    }
}
