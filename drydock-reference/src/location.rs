//! A reference, parsed: which kind of place it names and where that is.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use drydock_model::reference::{ReferenceError, ReferenceFault};
use url::Url;

/// Who serves a web reference, as its scheme says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Any web server.
    Web,
    /// Deckhand, behind a Keystone token.
    Deckhand,
    /// Promenade, behind a Keystone token.
    Promenade,
}

impl Service {
    /// Whether this service wants the Keystone token.
    pub(crate) fn takes_token(self) -> bool {
        self != Service::Web
    }

    fn prefix(self) -> &'static str {
        match self {
            Service::Web => "",
            Service::Deckhand => "deckhand+",
            Service::Promenade => "promenade+",
        }
    }
}

/// Where a reference points. `Display` leaves out user info, query and fragment, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file; the path is absolute and free of `.` and `..`, but may go through symbolic links.
    File(PathBuf),
    /// Something behind `http` or `https`.
    Web {
        /// Who serves it.
        service: Service,
        /// The URL without the service's prefix.
        url: Url,
    },
}

impl Location {
    /// Reads a reference.
    ///
    /// A reference may come out of a template: blanks around it are dropped, a blank inside its query is encoded, and
    /// line ends and tabs inside it are layout and dropped (WHATWG URL, section 4.4, steps 1 to 3).
    ///
    /// # Errors
    /// Not a URL, or a scheme that we do not know.
    pub(crate) fn parse(reference: &str) -> Result<Location, ReferenceError> {
        let reference = reference.trim();
        let Some((scheme, _)) = reference.split_once(':') else {
            return Err(malformed("a reference needs a scheme"));
        };
        let scheme = scheme.to_ascii_lowercase();
        let (service, transport) = match scheme.split_once('+') {
            None => (Service::Web, scheme.as_str()),
            Some(("deckhand", transport)) => (Service::Deckhand, transport),
            Some(("promenade", transport)) => (Service::Promenade, transport),
            Some(_) => return Err(unknown_scheme(&scheme)),
        };
        match (service, transport) {
            (Service::Web, "file") => parse_file(reference),
            (_, "http" | "https") => {
                let url = Url::parse(&reference[service.prefix().len()..]).map_err(|error| {
                    malformed(&format!("cannot read a {scheme} reference: {error}"))
                })?;
                Ok(Location::Web { service, url })
            }
            _ => Err(unknown_scheme(&scheme)),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => write!(f, "file://{}", path.display()),
            Location::Web { service, url } => {
                write!(
                    f,
                    "{}{}://{}",
                    service.prefix(),
                    url.scheme(),
                    authority(url)
                )?;
                f.write_str(url.path())
            }
        }
    }
}

/// Host and, unless it is the scheme's own, port: what the `Host` header says.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// An absolute path without `.` and `..`, by its text alone.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                plain.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

fn parse_file(reference: &str) -> Result<Location, ReferenceError> {
    let url = Url::parse(reference)
        .map_err(|error| malformed(&format!("cannot read a file reference: {error}")))?;
    let path = url.to_file_path().map_err(|()| {
        malformed(
            "a file reference names an absolute path on this machine: file:///folder/file.yaml",
        )
    })?;
    if url.query().is_some() {
        return Err(malformed(
            "a file reference has no query; write a question mark in a file name as %3F",
        ));
    }
    Ok(Location::File(lexical(&path)))
}

fn malformed(message: &str) -> ReferenceError {
    ReferenceError::new(ReferenceFault::Malformed, message)
}

/// Shows the scheme only if it is one: what stands before a colon may as well be a user's name.
fn unknown_scheme(scheme: &str) -> ReferenceError {
    let known = "use file:, http(s):, deckhand+http(s): or promenade+http(s):";
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.is_empty() && scheme.len() <= 32 && scheme.chars().all(plain) {
        malformed(&format!(
            "the scheme {scheme}: of a reference is not known; {known}"
        ))
    } else {
        malformed(&format!(
            "a reference needs a scheme that is known; {known}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_neither_user_info_nor_query() {
        let location =
            Location::parse("deckhand+https://u:pw@h.example:8443/a/b?token=t#f").unwrap();
        assert_eq!(location.to_string(), "deckhand+https://h.example:8443/a/b");
    }

    #[test]
    fn reads_what_a_template_leaves() {
        let location =
            Location::parse("\n promenade+http://p.example/join?a=x y\n&b={c}&d=1\n").unwrap();
        let Location::Web { service, url } = location else {
            panic!("not a web reference")
        };
        assert_eq!(service, Service::Promenade);
        assert_eq!(url.query(), Some("a=x%20y&b={c}&d=1"));
    }

    #[test]
    fn parses_paths_without_dots() {
        for (reference, path) in [
            ("file:///srv/designs/../secret", "/srv/secret"),
            ("file:///srv/designs/..%2f..%2fetc/passwd", "/etc/passwd"),
            ("FILE:/srv/./a.yaml", "/srv/a.yaml"),
            ("file://localhost/srv/a%20b.yaml", "/srv/a b.yaml"),
        ] {
            assert!(
                Location::parse(reference).unwrap() == Location::File(path.into()),
                "{reference}"
            );
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (reference, said) in [
            ("", "needs a scheme"),
            ("/srv/a.yaml", "needs a scheme"),
            ("ftp://h.example/x", "ftp:"),
            ("evil+http://h.example/x", "evil+http:"),
            ("deckhand+file:///etc/passwd", "deckhand+file:"),
            ("http://", "empty host"),
            ("http://h.example:99999/", "invalid port"),
            ("file://other.example/a", "on this machine"),
            ("file:///a?b", "no query"),
            ("se cret@x:y", "a scheme that is known"),
        ] {
            let Err(error) = Location::parse(reference) else {
                panic!("{reference} was taken")
            };
            assert_eq!(error.fault, ReferenceFault::Malformed, "{reference}");
            assert!(error.message.contains(said), "{reference}: {error}");
            assert!(!error.message.contains("se cret"), "{error}");
        }
    }
}
