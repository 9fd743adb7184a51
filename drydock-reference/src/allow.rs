//! The allow list `design.allow_refs`: what a reference may name.

use std::fs;
use std::path::{Path, PathBuf};

use drydock_model::reference::{ReferenceError, ReferenceFault};
use url::Url;

use crate::location::{Location, Service, lexical};

/// Parsed entries of `design.allow_refs`.
pub(crate) struct AllowList {
    sites: Vec<Site>,
    folders: Vec<Folder>,
}

/// A URL prefix.
struct Site {
    service: Service,
    url: Url,
}

/// A folder as it was written, and where that leads once its links are followed.
struct Folder {
    written: PathBuf,
    real: PathBuf,
}

impl AllowList {
    /// Reads the entries. Relative folders (`./designs`) are beside the working folder.
    ///
    /// # Errors
    /// An entry that is neither a folder nor a URL prefix, or a URL prefix with user info, query or fragment.
    pub(crate) fn parse(entries: &[String]) -> Result<AllowList, ReferenceError> {
        let mut list = AllowList {
            sites: Vec::new(),
            folders: Vec::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            let faulty = |why: &str| {
                let message = format!(
                    "design.allow_refs[{index}] is neither a folder nor a URL prefix: {why}"
                );
                ReferenceError::new(ReferenceFault::Malformed, message)
            };
            if entry.starts_with(['/', '.']) {
                let path =
                    std::path::absolute(entry).map_err(|error| faulty(&error.to_string()))?;
                list.folders.push(Folder::new(&path));
                continue;
            }
            match Location::parse(entry).map_err(|error| faulty(&error.message))? {
                Location::File(path) => list.folders.push(Folder::new(&path)),
                Location::Web { service, url } => {
                    let plain = url.username().is_empty() && url.password().is_none();
                    if !plain || url.query().is_some() || url.fragment().is_some() {
                        return Err(faulty(
                            "a prefix has no user info, no query and no fragment",
                        ));
                    }
                    list.sites.push(Site { service, url });
                }
            }
        }
        Ok(list)
    }

    /// Whether a reference lies within the list, by its text alone. A file must pass [`AllowList::real_path`] too.
    ///
    /// # Errors
    /// [`ReferenceFault::NotAllowed`], naming the setting.
    pub(crate) fn check(&self, location: &Location) -> Result<(), ReferenceError> {
        let within = match location {
            Location::File(path) => self
                .folders
                .iter()
                .any(|f| path.starts_with(&f.written) || path.starts_with(&f.real)),
            Location::Web { service, url } => {
                self.sites.iter().any(|site| site.covers(*service, url))
            }
        };
        if within {
            Ok(())
        } else {
            Err(self.refusal(location))
        }
    }

    /// Follows the links of a file's path and checks where they lead. Reads the file system.
    ///
    /// # Errors
    /// No such file, or one outside of the list.
    pub(crate) fn real_path(&self, path: &Path) -> Result<PathBuf, ReferenceError> {
        let location = Location::File(path.to_owned());
        let real = fs::canonicalize(path).map_err(|error| {
            ReferenceError::new(
                ReferenceFault::NotFound,
                format!("cannot read {location}: {error}"),
            )
        })?;
        let within = |folder: &Folder| {
            // The folder may have been made, or have moved, since the settings were read.
            fs::canonicalize(&folder.written).is_ok_and(|folder| real.starts_with(folder))
        };
        if self.folders.iter().any(within) {
            Ok(real)
        } else {
            Err(self.refusal(&location))
        }
    }

    fn refusal(&self, location: &Location) -> ReferenceError {
        let why = if self.sites.is_empty() && self.folders.is_empty() {
            "design.allow_refs is empty"
        } else {
            "it lies outside of design.allow_refs"
        };
        let message = format!(
            "the reference {location} is not allowed: {why}; add its folder or URL prefix there, or upload the design \
             and name it as design:<uuid>"
        );
        ReferenceError::new(ReferenceFault::NotAllowed, message)
    }
}

impl Folder {
    fn new(path: &Path) -> Folder {
        let written = lexical(path);
        let real = fs::canonicalize(&written).unwrap_or_else(|_| written.clone());
        Folder { written, real }
    }
}

impl Site {
    fn covers(&self, service: Service, url: &Url) -> bool {
        let same_origin = self.service == service
            && self.url.scheme() == url.scheme()
            && self.url.host() == url.host()
            && self.url.port_or_known_default() == url.port_or_known_default();
        same_origin && path_within(self.url.path(), url.path())
    }
}

/// Whether `path` is `prefix` or below it. The URL parser has already resolved `..` and `%2e%2e`; a server may decode
/// more than that, so a path that only becomes a climb when decoded is below nothing but the root.
fn path_within(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() {
        return true;
    }
    let below = path
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below && !climbs(path)
}

fn climbs(path: &str) -> bool {
    let mut decoded = path.to_ascii_lowercase();
    while decoded.contains("%25") {
        decoded = decoded.replace("%25", "%");
    }
    let decoded = decoded
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/");
    // Some servers strip `;parameters` from a segment before they resolve it.
    decoded
        .split('/')
        .any(|segment| segment == ".." || segment.starts_with("..;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, reference: &str) -> bool {
        let list = AllowList::parse(&[entry.to_owned()]).unwrap();
        let Ok(location) = Location::parse(reference) else {
            return false;
        };
        list.check(&location).is_ok()
    }

    #[test]
    fn web_prefixes_match_by_component() {
        for (entry, reference, allowed) in [
            ("http://good.example", "http://good.example/a", true),
            ("http://good.example", "HTTP://GOOD.example:80/a?q#f", true),
            ("http://good.example", "http://user:pw@good.example/a", true),
            ("http://good.example", "http://good.example.evil/a", false),
            ("http://good.example", "http://good.example@evil/a", false),
            (
                "http://good.example",
                "http://good.example:80@evil/a",
                false,
            ),
            ("http://good.example", "http://evil/#@good.example", false),
            ("http://good.example", "http://evil\\@good.example/", false),
            (
                "http://good.example",
                "http://evil/http://good.example",
                false,
            ),
            ("http://good.example", "https://good.example/a", false),
            ("http://good.example", "http://good.example:8080/a", false),
            (
                "http://good.example",
                "deckhand+http://good.example/a",
                false,
            ),
            ("http://good.example", "file:///good.example", false),
            (
                "http://good.example:8080",
                "http://good.example:8080/a",
                true,
            ),
            (
                "deckhand+http://good.example",
                "deckhand+http://good.example/a",
                true,
            ),
            (
                "deckhand+http://good.example",
                "promenade+http://good.example/a",
                false,
            ),
            ("http://127.0.0.1", "http://0x7f.1/a", true),
            ("http://good.example/site", "http://good.example/site", true),
            (
                "http://good.example/site",
                "http://good.example/site/a",
                true,
            ),
            (
                "http://good.example/site/",
                "http://good.example/site?a",
                true,
            ),
            (
                "http://good.example/site",
                "http://good.example/sites/a",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/site/../a",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/site/%2e%2E/a",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/site/..%2fa",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/site/%252e%25252e%252fa",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/site/..;/a",
                false,
            ),
            (
                "http://good.example/site",
                "http://good.example/x/../site/a",
                true,
            ),
        ] {
            assert_eq!(allows(entry, reference), allowed, "{entry} and {reference}");
        }
    }

    #[test]
    fn folders_match_by_component() {
        for (entry, reference, allowed) in [
            ("/srv/designs", "file:///srv/designs/a.yaml", true),
            ("/srv/designs/", "file:///srv/designs/b/a.yaml", true),
            ("file:///srv/designs", "file:///srv/designs/a.yaml", true),
            ("/srv/x/../designs", "file:///srv/designs/a.yaml", true),
            ("/srv/designs", "file:///srv/designs-evil/a.yaml", false),
            ("/srv/designs", "file:///srv/designs/../a.yaml", false),
            ("/srv/designs", "file:///srv/designs/%2e%2e/a.yaml", false),
            ("/srv/designs", "file:///srv/designs/..%2fa.yaml", false),
            ("/srv/designs", "http://srv/designs/a.yaml", false),
        ] {
            assert_eq!(allows(entry, reference), allowed, "{entry} and {reference}");
        }
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let list = AllowList::parse(&[]).unwrap();
        let error = list
            .check(&Location::parse("http://u:pw@h.example/a?key=s").unwrap())
            .unwrap_err();
        assert_eq!(error.fault, ReferenceFault::NotAllowed);
        assert!(
            error.message.contains("design.allow_refs is empty"),
            "{error}"
        );
        assert!(
            !error.message.contains("pw") && !error.message.contains("key"),
            "{error}"
        );
    }

    #[test]
    fn a_faulty_entry_is_named_and_not_shown() {
        for entry in [
            "*",
            "good.example",
            "http://u:secret@good.example",
            "http://good.example/?secret=1",
        ] {
            let Err(error) = AllowList::parse(&["/srv".to_owned(), entry.to_owned()]) else {
                panic!("{entry} was taken")
            };
            assert!(error.message.contains("design.allow_refs[1]"), "{error}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }
}
