//! Names of sources as other tools take them: paths below the working folder, and URIs (RFC 3986).

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stands for itself in a segment of a path (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A source's name as a path below `folder` where it is one; any other name as it is.
pub fn relative(name: &str, folder: &Path) -> String {
    if is_url(name) {
        return name.to_owned();
    }
    let path = Path::new(name);
    let path = path.strip_prefix(folder).unwrap_or(path);
    let path: PathBuf = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    path.to_string_lossy().into_owned()
}

/// A source's name as a URI reference: relative for what is below `folder`, or was named so.
pub fn uri(name: &str, folder: &Path) -> String {
    if is_url(name) {
        return Url::parse(name).map_or_else(|_| encoded(name), String::from);
    }
    let path = relative(name, folder);
    if Path::new(&path).is_absolute()
        && let Ok(url) = Url::from_file_path(&path)
    {
        return url.into();
    }
    encoded(&path)
}

fn is_url(name: &str) -> bool {
    name.contains("://")
}

fn encoded(path: &str) -> String {
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| utf8_percent_encode(segment, ESCAPED).to_string())
        .collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_relative_uris() {
        let cases = [
            ("site.yaml", "site.yaml", "site.yaml"),
            ("./a/./b.yaml", "a/b.yaml", "a/b.yaml"),
            ("../b.yaml", "../b.yaml", "../b.yaml"),
            ("/srv/site/a b.yaml", "site/a b.yaml", "site/a%20b.yaml"),
            (
                "/etc/ä#1.yaml",
                "/etc/ä#1.yaml",
                "file:///etc/%C3%A4%231.yaml",
            ),
            ("c:d%.yaml", "c:d%.yaml", "c%3Ad%25.yaml"),
            ("<stdin>", "<stdin>", "%3Cstdin%3E"),
            (
                "http://h/a b.yaml",
                "http://h/a b.yaml",
                "http://h/a%20b.yaml",
            ),
        ];
        for (name, path, reference) in cases {
            let folder = Path::new("/srv");
            assert_eq!(relative(name, folder), path);
            assert_eq!(uri(name, folder), reference);
        }
    }
}
