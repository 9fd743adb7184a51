//! Secrets inside of URLs.

use std::borrow::Cow;
use std::ops::Range;

use super::{REDACTED, is_secret_key};

/// Where the secrets of the URLs in a text stand: user info before a host (RFC 3986, section 3.2.1), and the values of those parameters of a
/// query whose names name a secret. In order, as bytes.
#[must_use]
pub fn url_secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let begin = at + 3;
        let url = &text[begin..begin + length(&text[begin..])];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        if let Some(user_info) = authority.rfind('@') {
            found.push(begin..begin + user_info);
        }
        found.extend(parameters(url, begin));
    }
    found
}

/// The secret parameters of a URL that begins here.
fn parameters(url: &str, begin: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(query) = url.find('?') else {
        return found;
    };
    let mut from = begin + query + 1;
    for pair in url[query + 1..].split('&') {
        if let Some((name, value)) = pair.split_once('=')
            && is_secret_key(name)
            && !value.is_empty()
        {
            let value_at = from + name.len() + 1;
            found.push(value_at..value_at + value.len());
        }
        from += pair.len() + 1;
    }
    found
}

/// How far a URL goes: to a blank or a quote, those within the braces of a template apart.
fn length(rest: &str) -> usize {
    let mut open = 0_u32;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ if open > 0 => {}
            '"' | '\'' | '<' | '>' => return at,
            _ if c.is_whitespace() => return at,
            _ => {}
        }
    }
    rest.len()
}

/// A text without the secrets of the URLs in it.
#[must_use]
pub fn without_url_secrets(text: &str) -> Cow<'_, str> {
    masked(text, url_secrets(text))
}

/// A text without the secret parameters of the URLs in it; user info stays, for whoever shows it in a way of its own.
#[must_use]
pub fn without_secret_parameters(text: &str) -> Cow<'_, str> {
    let urls = text.match_indices("://").map(|(at, _)| at + 3);
    let all =
        urls.flat_map(|begin| parameters(&text[begin..begin + length(&text[begin..])], begin));
    masked(text, all.collect())
}

fn masked(text: &str, secrets: Vec<Range<usize>>) -> Cow<'_, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for secret in secrets {
        // A URL in the query of another was masked with it.
        if secret.start >= from {
            shown.push_str(&text[from..secret.start]);
            shown.push_str(REDACTED);
            from = secret.end;
        }
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// A value as JSON that may be told: without the secrets of the URLs in it. Other secrets serialise as none already.
#[must_use]
pub fn told_json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    // Types of the model serialise; what does not has nothing to tell.
    let mut value = serde_json::to_value(value).unwrap_or_default();
    mask_urls(&mut value);
    value
}

/// Takes the secrets out of all URLs in a value.
pub fn mask_urls(value: &mut serde_json::Value) {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => {
            if let Cow::Owned(masked) = without_url_secrets(text) {
                *text = masked;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask_urls),
        Json::Object(fields) => fields.values_mut().for_each(mask_urls),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_and_secret_parameters_go_and_the_rest_stays() {
        for (text, shown) in [
            ("http://host/path?x=1#y", "http://host/path?x=1#y"),
            ("no://", "no://"),
            ("http://u:p@host/a@b", "http://********@host/a@b"),
            (
                "see 'qemu+ssh://root:hush@h/system', or http://k@h",
                "see 'qemu+ssh://********@h/system', or http://********@h",
            ),
            (
                "http://h/a?ip={{ node.ip }}&token=hush&x=1",
                "http://h/a?ip={{ node.ip }}&token=********&x=1",
            ),
            (
                "http://h/a?x=1&token=hush&y=2",
                "http://h/a?x=1&token=********&y=2",
            ),
            ("http://h/?token=", "http://h/?token="),
            (
                "http://h/?secret=http://u:p@i/",
                "http://h/?secret=********",
            ),
        ] {
            assert_eq!(without_url_secrets(text), shown);
        }
    }

    #[test]
    fn every_text_of_a_value_is_masked() {
        let mut value = serde_json::json!({"a": ["http://u:p@h/"], "n": 1, "b": {"c": "plain"}});
        mask_urls(&mut value);
        assert_eq!(
            value,
            serde_json::json!({"a": ["http://********@h/"], "n": 1, "b": {"c": "plain"}})
        );
    }
}
