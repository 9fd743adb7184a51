//! What must not be read in an error or a log: boot-action keys, and the secrets of a form.

/// What stands between a node's name and its boot-action key in the name of a tag.
pub(crate) const KEY_MARK: &str = "__baid__";

/// The text with every boot-action key in a tag's name masked.
pub(crate) fn mask_keys(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(KEY_MARK) {
        let (head, tail) = rest.split_at(at + KEY_MARK.len());
        let key = tail.bytes().take_while(u8::is_ascii_hexdigit).count();
        masked.push_str(head);
        if key > 0 {
            masked.push_str("****");
        }
        rest = &tail[key..];
    }
    masked.push_str(rest);
    masked
}

/// The text with these values masked.
pub(crate) fn mask_values<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    secrets
        .into_iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| text.replace(secret, "****"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_masked_wherever_they_stand() {
        assert_eq!(
            mask_keys("DELETE tags/n1__baid__00ff/ and n2__baid__ab"),
            "DELETE tags/n1__baid__****/ and n2__baid__****"
        );
        assert_eq!(mask_keys("n1__baid__"), "n1__baid__");
        assert_eq!(mask_keys("nothing here"), "nothing here");
    }

    #[test]
    fn values_are_masked() {
        assert_eq!(mask_values("pw=hunter2;", ["hunter2", ""]), "pw=****;");
    }
}
