//! Boot actions.

mod templates;

use drydock_model::design::Kind;
use drydock_model::effective::{Asset, AssetKind, BootAction, Node};
use drydock_model::finding::Level;
use hashbrown::{HashMap, HashSet};

use super::{Look, Rule, Site, from_compilation};
use crate::report::Report;

pub(crate) use templates::TEMPLATE;

/// A node filter says something; compilation looks what it selects.
pub(crate) static FILTER: Rule = Rule {
    id: "boot/filter",
    code: "DD5113",
    name: "Boot Action Node Filter",
    level: Level::Error,
    what: "The node filter of a boot action names a criterion (error), selects some node, and names only nodes, tags, racks and labels that there are (warning).",
    why: "A filter without a criterion could mean the whole site by accident; one that selects nothing does nothing.",
    fix: "Name a criterion that nodes meet, or leave node_filter out to mean every node.",
    look: Look::Site(from_compilation),
};

/// No two assets of a node are written to one path.
pub(crate) static PATH: Rule = Rule {
    id: "boot/path",
    code: "DD5124",
    name: "Boot Action Paths",
    level: Level::Warning,
    what: "No two assets of a boot action, or of two boot actions of one node, have the same path and different contents.",
    why: "The one that is written last is left, and the other is lost.",
    fix: "Give each asset a path of its own, or narrow the node filters.",
    look: Look::Site(paths),
};

fn paths(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let contested = contested(&site.compiled.design.boot_actions);
    if contested.is_empty() {
        return;
    }
    let mut told: HashSet<(&str, usize, &str)> = HashSet::new();
    for node in site.nodes() {
        let mut first: HashMap<&str, (&str, &Asset)> = HashMap::new();
        for action in &node.boot_actions {
            for (number, asset) in contested.get(action.as_str()).into_iter().flatten() {
                let (other, earlier) = *first.entry(&asset.path).or_insert((action, asset));
                if earlier == *asset || !told.insert((action, *number, other)) {
                    continue;
                }
                let message = format!(
                    "BootAction {action} writes {}, which BootAction {other} writes already, with other contents",
                    asset.path
                );
                let number = number.to_string();
                let path = ["assets", number.as_str(), "path"];
                let place = site.of(Kind::BootAction, action, &path);
                report.add(rule, message, "give each a path of its own", place);
            }
        }
    }
}

/// By the name of the boot action: its assets that are written to where another is with other contents, each with its place in the list.
fn contested(actions: &[BootAction]) -> HashMap<&str, Vec<(usize, &Asset)>> {
    let mut by_path: HashMap<&str, (&Asset, bool)> = HashMap::new();
    for asset in actions.iter().flat_map(|action| &action.assets) {
        let (first, differ) = by_path.entry(&asset.path).or_insert((asset, false));
        *differ |= *first != asset;
    }
    by_path.retain(|path, (_, differ)| *differ && !path.is_empty());
    let mut contested: HashMap<&str, Vec<(usize, &Asset)>> = HashMap::new();
    for action in actions {
        for (number, asset) in action.assets.iter().enumerate() {
            if by_path.contains_key(asset.path.as_str()) {
                contested
                    .entry(&action.name)
                    .or_default()
                    .push((number, asset));
            }
        }
    }
    contested
}

/// Each node has a boot action.
pub(crate) static DEFINED: Rule = Rule {
    id: "boot/definition",
    code: "DD4001",
    name: "Bootaction Definition",
    level: Level::Warning,
    what: "Each node is a target of some boot action.",
    why: "A node without one is an operating system with nothing on it, and does not report that it came up.",
    fix: "Widen the node filter of a boot action, or leave it out to mean every node.",
    look: Look::Node(defined),
};

/// Package lists list packages, with versions that Debian knows.
pub(crate) static PACKAGES: Rule = Rule {
    id: "boot/packages",
    code: "DD4002",
    name: "Bootaction pkg_list Validation",
    level: Level::Error,
    what: "A pkg_list asset has packages or a location, its packages have names that Debian knows, and its versions have the form of Debian: [epoch:]version[-revision]; nothing means any version.",
    why: "The installation of the packages fails when the machine first boots.",
    fix: "Write package: version as apt shows it, or package with nothing behind it.",
    look: Look::Site(packages),
};

fn defined(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    // Tags, which a profile gives, may be what a filter selects by.
    if !node.boot_actions.is_empty() || !site.is_whole(node) || site.lacks(&[Kind::BootAction]) {
        return;
    }
    let message = format!("BaremetalNode {} is a target of no boot action", node.name);
    let advice = "widen the filter of one, so that it does what each node needs at its end";
    report.add(rule, message, advice, site.of_node(node, &[]));
}

fn packages(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for action in &site.compiled.design.boot_actions {
        let lists = action.assets.iter().enumerate();
        for (number, asset) in lists.filter(|(_, asset)| asset.kind == AssetKind::PkgList) {
            let number = number.to_string();
            let path = ["assets", number.as_str(), "data"];
            if asset.packages.is_empty() && asset.location.is_none() {
                let message = format!("BootAction {}: a pkg_list lists no package", action.name);
                let place = site.of(Kind::BootAction, &action.name, &path);
                report.add(rule, message, "add packages, or set location", place);
            }
            for (package, version) in &asset.packages {
                if !is_package(package) {
                    let message = format!(
                        "BootAction {}: {package:?} is not the name of a package",
                        action.name
                    );
                    let path = [path.as_slice(), &[package.as_str()]].concat();
                    let place = site.of(Kind::BootAction, &action.name, &path);
                    let advice = "write the name as apt shows it: small letters, digits and +-.";
                    report.add(rule, message, advice, place);
                }
                let Some(version) = version.as_deref().filter(|version| !is_version(version))
                else {
                    continue;
                };
                let message = format!(
                    "BootAction {}: {version:?} is not a version of package {package}",
                    action.name
                );
                let path = [path.as_slice(), &[package.as_str()]].concat();
                let place = site.of(Kind::BootAction, &action.name, &path);
                let advice = "write [epoch:]version[-revision] without an operator, or nothing for any version";
                report.add(rule, message, advice, place);
            }
        }
    }
}

/// Debian policy, section 5.6.7: two characters at least, small letters, digits and `+-.`, the first a letter or a digit. The architecture may
/// stand behind a colon (apt-get(8)).
fn is_package(text: &str) -> bool {
    let (name, architecture) = text.split_once(':').unwrap_or((text, "any"));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() > 1
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || "+-.".contains(c))
        && !architecture.is_empty()
        && architecture.chars().all(|c| plain(c) || c == '-')
}

/// Debian policy, section 5.6.12: `[epoch:]upstream_version[-debian_revision]`. No text means any version.
fn is_version(text: &str) -> bool {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+~-".contains(c);
    text.is_empty()
        || (!epoch.is_empty()
            && epoch.chars().all(|c| c.is_ascii_digit())
            && !rest.is_empty()
            && rest.chars().all(plain)
            && !rest.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::{is_package, is_version};

    #[test]
    fn packages_are_debians() {
        for good in [
            "jq",
            "g++",
            "libc6:i386",
            "0ad",
            "python3.12-venv",
            "linux-image-6.8.0-31-generic",
        ] {
            assert!(is_package(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "Chrony",
            "my package",
            "-x",
            "jq=1.6",
            "jq:",
            "x_y",
            "lib/jq",
        ] {
            assert!(!is_package(bad), "{bad}");
        }
    }

    #[test]
    fn versions_are_debians() {
        for good in [
            "",
            "1.2",
            "1:2.3-4ubuntu1~20.04.1",
            "5.4.0-1ubuntu1",
            "2.0+dfsg",
        ] {
            assert!(is_version(good), "{good}");
        }
        for bad in [">=1.2", "=1", "1.2-", ":1", "x:1", "1 2", "1:"] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
