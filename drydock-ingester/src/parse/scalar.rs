//! What a YAML scalar stands for: the core schema of YAML 1.2.2, section 10.3.

use std::sync::Arc;

use super::{ScalarStyle, Tag};
use drydock_model::tree::{Position, Value};

use super::Fault;

/// The value of a scalar. A tag that is not of the core schema is a fault, and the scalar is then taken as text.
pub(super) fn resolve(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    position: Position,
    faults: &mut Vec<Fault>,
) -> Value {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return if plain {
            core(text)
        } else {
            string(text, false)
        };
    };
    match tag.core_suffix() {
        Some("str") => string(text, false),
        Some("int" | "float" | "bool" | "null") => core(text),
        _ if tag.original() == "!" => string(text, false),
        _ => {
            faults.push(foreign(tag, position));
            string(text, false)
        }
    }
}

/// A collection may carry the tag of its own kind only.
pub(super) fn check_collection_tag(
    tag: Option<&Tag>,
    own: &str,
    position: Position,
    faults: &mut Vec<Fault>,
) {
    if let Some(tag) = tag
        && !tag.is_yaml_core_schema_tag(own)
        && tag.original() != "!"
    {
        faults.push(foreign(tag, position));
    }
}

fn foreign(tag: &Tag, position: Position) -> Fault {
    let original = tag.original();
    Fault {
        position: Some(position),
        message: format!("the YAML tag {original} is not known here"),
        advice: format!(
            "to write a text that begins with an exclamation mark, quote it: '{original}'"
        ),
    }
}

fn string(text: &str, plain: bool) -> Value {
    Value::String {
        text: Arc::from(text),
        plain,
    }
}

fn core(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(value) = integer(text) {
        return Value::Integer {
            value,
            text: Arc::from(text),
        };
    }
    match float(text) {
        Some(value) => Value::Float {
            value,
            text: Arc::from(text),
        },
        None => string(text, true),
    }
}

fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(octal) = text.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return radix(hex, 16);
    }
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn radix(digits: &str, radix: u32) -> Option<i64> {
    digits
        .chars()
        .all(|digit| digit.is_digit(radix))
        .then(|| i64::from_str_radix(digits, radix).ok())
        .flatten()
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let begins = unsigned
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit() || byte == b'.');
    let of_number = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let has_digit = unsigned.bytes().any(|byte| byte.is_ascii_digit());
    (begins && of_number && has_digit)
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_schema() {
        let shown = |text: &str| format!("{:?}", core(text));
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("null", "null"),
            ("True", "true"),
            ("yes", "\"yes\""),
            ("12", "12"),
            ("-12", "-12"),
            ("0o17", "0o17"),
            ("0644", "0644"),
            ("2.2.3", "\"2.2.3\""),
            ("802.3ad", "\"802.3ad\""),
            ("802.1q", "\"802.1q\""),
            ("0000:43:00.1", "\"0000:43:00.1\""),
            ("1e3", "1e3"),
            ("e3", "\"e3\""),
            ("-", "\"-\""),
            (".", "\".\""),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert!(matches!(core("0o17"), Value::Integer { value: 15, .. }));
        assert!(matches!(core("0644"), Value::Integer { value: 644, .. }));
        assert!(matches!(core("99999999999999999999"), Value::Float { .. }));
        assert!(matches!(core("2.50"), Value::Float { .. }));
    }
}
