//! Values to YAML. The only file that names the YAML writer.

use serde::Serialize;

/// Any value as one YAML document.
///
/// # Errors
/// What cannot be written as YAML.
pub fn to_yaml<T: Serialize>(value: &T) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::to_yaml;

    #[test]
    fn what_looks_like_something_else_is_quoted() {
        let text = to_yaml(&["yes", "0644", "a: b", "", "plain"]).expect("strings can be written");
        let read = crate::parse_tree(&text, "test").expect("what was written can be read");
        let words: Vec<_> = read[0].items().iter().map(|item| item.to_json()).collect();
        assert_eq!(words, ["yes", "0644", "a: b", "", "plain"]);
    }
}
