//! Query parameters: only known ones, each at most once, of the right type.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};
use drydock_model::tree::nearest;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// The parameters of one request.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads them. A parameter that nothing would read is refused: a misspelt filter must not mean the whole list.
    ///
    /// # Errors
    /// 400 that names the parameter and the known ones.
    pub(crate) fn new(request: &HttpRequest, known: &[&str]) -> Result<Self, ApiError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for piece in request
            .query_string()
            .split('&')
            .filter(|piece| !piece.is_empty())
        {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if !known.contains(&name.as_str()) {
                return Err(unknown(&name, known));
            }
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::bad_request(format!(
                    "the query parameter {name} stands there twice"
                )));
            }
            pairs.push((name, value));
        }
        Ok(Query(pairs))
    }

    /// As written.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Anything that can be read from a word or a number.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn value<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: Display,
    {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|error| {
                    ApiError::bad_request(format!("query parameter {name}={text}: {error}"))
                })
            })
            .transpose()
    }

    /// A boolean in any case; `name` alone is true.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1" | "") => Ok(true),
            Some(other) => Err(ApiError::bad_request(format!(
                "query parameter {name}={other} is neither true nor false"
            ))),
        }
    }

    /// A moment, RFC 3339. A `+` of its offset may have come as the space that it means in a query.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
        self.text(name)
            .map(|text| {
                DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
                    .map(|moment| moment.with_timezone(&Utc))
                    .map_err(|error| {
                        ApiError::bad_request(format!(
                            "query parameter {name}={text} is not a time in RFC 3339 (2026-01-31T12:00:00Z): {error}"
                        ))
                    })
            })
            .transpose()
    }

    /// Name and value of each, as given.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> Result<String, ApiError> {
    let malformed = |why: &str| ApiError::bad_request(format!("the query is malformed: {why}"));
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%'
            && !bytes
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(malformed("a % is not followed by two hexadecimal digits"));
    }
    let decoded = percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map_err(|_| malformed("it is not UTF-8 after percent-decoding"))?
        .into_owned();
    if decoded.contains('\0') {
        return Err(malformed("it holds a NUL character"));
    }
    Ok(decoded)
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    if known.is_empty() {
        return ApiError::bad_request(format!(
            "unknown query parameter {name:?}; none is known here"
        ));
    }
    let hint = nearest(name, known.iter().copied())
        .map_or_else(String::new, |near| format!("did you mean {near}? "));
    ApiError::bad_request(format!(
        "unknown query parameter {name:?}; {hint}Known are {}",
        known.join(", ")
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use actix_web::test::TestRequest;

    use super::Query;

    fn query(text: &str) -> Result<Query, String> {
        let request = TestRequest::with_uri(&format!("/x?{text}")).to_http_request();
        Query::new(&request, &["limit", "flag", "since"]).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_known_is_read() {
        let read = query("limit=5&&flag=True&since=2026-01-31T12:00:00+02:00").unwrap();
        assert_eq!(read.value::<u32>("limit").unwrap(), Some(5));
        assert!(read.flag("flag").unwrap());
        let since = read.moment("since").unwrap().unwrap();
        assert_eq!(since.to_rfc3339(), "2026-01-31T10:00:00+00:00");
        assert!(!query("").unwrap().flag("flag").unwrap());
        assert!(query("flag").unwrap().flag("flag").unwrap());
    }

    #[test]
    fn what_is_not_is_refused_by_name() {
        for (text, needle) in [
            ("limt=5", "did you mean limit?"),
            ("limit=1&limit=2", "twice"),
            ("limit=%zz", "hexadecimal"),
            ("limit=%ff", "UTF-8"),
            ("limit=%00", "NUL"),
        ] {
            let error = query(text).err().unwrap();
            assert!(error.contains(needle), "{text}: {error}");
        }
        let read = query("limit=many&flag=perhaps&since=yesterday").unwrap();
        for error in [
            read.value::<u32>("limit").unwrap_err().to_string(),
            read.flag("flag").unwrap_err().to_string(),
            read.moment("since").unwrap_err().to_string(),
        ] {
            assert!(error.contains("query parameter"), "{error}");
        }
    }
}
