//! Form bodies and query strings: URL-encoded, and multipart with plain or base64 parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// Fields in the order they came; a repeated key is a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=2`; `+` is a blank.
    pub(super) fn urlencoded(text: &str) -> Self {
        let decode = |part: &str| {
            percent_decode_str(&part.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        Self(
            text.split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// Reads a body by its content type. `None` when it is of another type or malformed; MaaS sees no fields then.
    pub(super) fn body(content_type: &str, body: &[u8]) -> Option<Self> {
        let (kind, rest) = content_type.split_once(';').unwrap_or((content_type, ""));
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => {
                Some(Self::urlencoded(&String::from_utf8_lossy(body)))
            }
            "multipart/form-data" => Self::multipart(parameter(rest, "boundary")?, body),
            _ => None,
        }
    }

    fn multipart(boundary: &str, body: &[u8]) -> Option<Self> {
        let delimiter = format!("\r\n--{boundary}");
        let mut framed = b"\r\n".to_vec();
        framed.extend_from_slice(body);
        let mut fields = Vec::new();
        let mut rest = &framed[find(&framed, delimiter.as_bytes())? + delimiter.len()..];
        while !rest.starts_with(b"--") {
            let end = find(rest, delimiter.as_bytes())?;
            fields.push(part(rest[..end].strip_prefix(b"\r\n")?)?);
            rest = &rest[end + delimiter.len()..];
        }
        Some(Self(fields))
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.iter().rfind(|(k, _)| *k == key).map(|(_, v)| v)
    }

    pub(super) fn all<'a>(
        &'a self,
        key: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        self.iter().filter(move |(k, _)| *k == key).map(|(_, v)| v)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The values of all fields of this name, also where one value holds several between commas.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        self.all(key)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// One part: its field name and its value.
fn part(bytes: &[u8]) -> Option<(String, String)> {
    let split = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..split]).ok()?;
    let content = &bytes[split + 4..];
    let mut name = None;
    let mut base64 = false;
    for line in head.split("\r\n") {
        let (key, value) = line.split_once(':')?;
        if key.eq_ignore_ascii_case("content-disposition") {
            name = parameter(value, "name").map(str::to_owned);
        } else if key.eq_ignore_ascii_case("content-transfer-encoding") {
            base64 = value.trim().eq_ignore_ascii_case("base64");
        }
    }
    let value = if base64 {
        let packed: Vec<u8> = content
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        STANDARD.decode(packed).ok()?
    } else {
        content.to_vec()
    };
    Some((name?, String::from_utf8_lossy(&value).into_owned()))
}

/// The parameter `name` of a header value such as `form-data; name="x"`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|piece| {
        let (key, value) = piece.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name)
            .then(|| value.trim_matches('"'))
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urlencoded_keeps_repeats_and_decodes() {
        let form = Form::urlencoded("add=a&add=b+c&name=%C3%A9&empty=");
        assert_eq!(form.all("add").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(form.get("name"), Some("é"));
        assert_eq!(form.get("empty"), Some(""));
        assert_eq!(form.get("none"), None);
    }

    #[test]
    fn multipart_with_base64_as_the_python_driver_sends_it() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"name\"\r\n\
            Content-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n\r\n\
            bm9kZTE=\r\n\r\n--b1\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nplain\r\n--b1--\r\n";
        let form = Form::body("multipart/form-data; boundary=\"b1\"", body.as_bytes()).unwrap();
        assert_eq!(form.get("name"), Some("node1"));
        assert_eq!(form.get("x"), Some("plain"));
    }

    #[test]
    fn a_torn_multipart_or_json_body_has_no_fields() {
        let torn = b"--b1\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\npl";
        assert_eq!(Form::body("multipart/form-data; boundary=b1", torn), None);
        assert_eq!(Form::body("application/json", b"{}"), None);
    }
}
