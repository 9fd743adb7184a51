//! Documents as such.

use drydock_model::finding::Level;

use super::{Look, Rule, Site, from_compilation};
use crate::report::{Advice, Place, Report, whole};

/// Kind and name are unique.
pub(crate) static UNIQUE: Rule = Rule {
    id: "document/unique",
    code: "DD5007",
    name: "Document Uniqueness",
    level: Level::Error,
    what: "No two documents have the same kind and name.",
    why: "Only the first counts; whatever the second says would silently be lost.",
    fix: "Remove or rename one of the two.",
    look: Look::Site(from_compilation),
};

/// One region: the keys and repositories of a second would silently be lost.
pub(crate) static ONE_REGION: Rule = Rule {
    id: "document/one-region",
    code: "DD5008",
    name: "Single Region",
    level: Level::Error,
    what: "A site has one Region.",
    why: "The SSH keys and repositories of a second Region would silently be lost.",
    fix: "Put the keys and repositories of both into one Region.",
    look: Look::Site(from_compilation),
};

/// Keys that nothing reads, where the published schema allows any.
pub(crate) static UNREAD: Rule = Rule {
    id: "document/unread-key",
    code: "DD5009",
    name: "Unread Keys",
    level: Level::Warning,
    what: "Nothing stands in a document that Drydock does not read, in those places where the published schema allows any key.",
    why: "A misspelt key is passed over, and what it says never reaches the machine.",
    fix: "Correct the key's spelling, or remove it.",
    look: Look::Site(unread),
};

fn unread(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for document in site.index.all() {
        for ignored in &document.ignored {
            let message = format!(
                "{} {}: nothing reads {}",
                document.kind,
                document.name,
                ignored.path_text()
            );
            let key = ignored.path.last().map_or("", String::as_str);
            let advice = match ignored.suggestion() {
                Some(near) => Advice::write(near, key, format!("did you mean {near}?")),
                None => format!("known there are {}", ignored.known.join(", ")).into(),
            };
            let place = Place {
                location: Some(document.at(ignored.position)),
                ..whole(document)
            };
            report.add(rule, message, advice, place);
        }
    }
}
