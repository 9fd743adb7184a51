//! Boot actions.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use drydock_model::design::Kind;
use drydock_model::effective::{Asset, AssetKind, BootAction, PipelineSegment};
use drydock_model::finding::Level;

use super::{Rule, Site, from_compilation};
use crate::report::Report;
use crate::template;

/// A node filter says something; compilation looks what it selects.
pub(crate) static FILTER: Rule = Rule {
    id: "boot/filter",
    code: "DD5113",
    name: "Boot Action Node Filter",
    level: Level::Error,
    what: "The node filter of a boot action names a criterion (error), selects some node, and names only nodes, tags, racks and labels that there are (warning).",
    why: "A filter without a criterion could mean the whole site by accident; one that selects nothing does nothing.",
    fix: "Name a criterion that nodes meet, or leave node_filter out to mean every node.",
    run: from_compilation,
};

/// Templates parse and name what exists.
pub(crate) static TEMPLATE: Rule = Rule {
    id: "boot/template",
    code: "DD5114",
    name: "Boot Action Templates",
    level: Level::Error,
    what: "Templates of boot actions parse, and name only the variables node and action.",
    why: "A fault shows when the machine first boots, which is too late.",
    fix: "Correct the template, or its pipeline.",
    run: templates,
};

fn templates(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for action in &site.compiled.design.boot_actions {
        for (number, asset) in action.assets.iter().enumerate() {
            let checks = [("location", location(asset)), ("data", data(asset))];
            for (field, fault) in checks {
                let Err(fault) = fault else { continue };
                let number = number.to_string();
                let name = if asset.path.is_empty() {
                    number.as_str()
                } else {
                    asset.path.as_str()
                };
                let message = format!("BootAction {}: {field} of {name}: {fault}", action.name);
                let place = site.of(Kind::BootAction, &action.name, &["assets", name, field]);
                report.add(
                    rule,
                    message,
                    "correct the template, or its pipeline",
                    place,
                );
            }
        }
    }
}

fn location(asset: &Asset) -> Result<(), String> {
    match &asset.location {
        Some(location) if asset.location_pipeline.contains(&PipelineSegment::Template) => {
            template::check(location)
        }
        _ => Ok(()),
    }
}

/// Follows the pipeline up to its template, as far as that can be done without a node.
fn data(asset: &Asset) -> Result<(), String> {
    let Some(text) = asset
        .data
        .as_deref()
        .filter(|_| asset.data_pipeline.contains(&PipelineSegment::Template))
    else {
        return Ok(());
    };
    let mut bytes = text.as_bytes().to_vec();
    for segment in &asset.data_pipeline {
        match segment {
            PipelineSegment::Base64Decode => bytes = decode(&bytes)?,
            PipelineSegment::Base64Encode => {
                bytes = base64::engine::general_purpose::STANDARD
                    .encode(&bytes)
                    .into_bytes();
            }
            PipelineSegment::Utf8Decode | PipelineSegment::Utf8Encode => {}
            PipelineSegment::Template => {
                let text = str::from_utf8(&bytes)
                    .map_err(|error| format!("the template is not UTF-8: {error}"))?;
                return template::check(text);
            }
        }
    }
    Ok(())
}

/// Line breaks within base64 do not count (RFC 2045, section 6.8).
fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let compact: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|error| format!("this is not base64: {error}"))
}

/// No two assets of a node are written to one path.
pub(crate) static PATH: Rule = Rule {
    id: "boot/path",
    code: "DD5124",
    name: "Boot Action Paths",
    level: Level::Warning,
    what: "No two assets of a boot action, or of two boot actions of one node, have the same path and different contents.",
    why: "The one that is written last is left, and the other is lost.",
    fix: "Give each asset a path of its own, or narrow the node filters.",
    run: paths,
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
    run: defined,
};

/// Package lists list packages, with versions that Debian knows.
pub(crate) static PACKAGES: Rule = Rule {
    id: "boot/packages",
    code: "DD4002",
    name: "Bootaction pkg_list Validation",
    level: Level::Error,
    what: "A pkg_list asset has packages or a location, and its versions have the form of Debian: [epoch:]version[-revision]; nothing means any version.",
    why: "The installation of the packages fails when the machine first boots.",
    fix: "Write package: version as apt shows it, or package with nothing behind it.",
    run: packages,
};

fn defined(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for node in site.nodes().filter(|node| node.boot_actions.is_empty()) {
        let message = format!("BaremetalNode {} is a target of no boot action", node.name);
        let advice = "widen the filter of one, so that it does what each node needs at its end";
        report.add(rule, message, advice, site.of_node(node, &[]));
    }
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
    use super::is_version;

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
