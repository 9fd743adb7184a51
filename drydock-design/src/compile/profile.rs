//! Host profiles, each with everything it inherits. Every profile is resolved once, however many nodes use it.

use std::sync::Arc;

use drydock_model::design::{Document, HostPart, Kind};
use hashbrown::{HashMap, HashSet};

use super::refer;
use crate::index::Index;
use crate::inherit::merge;
use crate::report::{Report, at};
use crate::rules::reference::HOST_PROFILE;

/// A profile with everything it inherits.
struct Resolved<'a> {
    part: Arc<HostPart>,
    /// The next in its chain.
    parent: Option<&'a str>,
}

/// All profiles by name.
pub(super) struct Profiles<'a> {
    resolved: HashMap<&'a str, Resolved<'a>>,
}

impl<'a> Profiles<'a> {
    pub(super) fn resolve(index: &Index<'a>, report: &mut Report) -> Self {
        let mut profiles = Profiles {
            resolved: HashMap::new(),
        };
        for document in index.of(Kind::HostProfile) {
            profiles.add(index, document, report);
        }
        profiles
    }

    /// The profile with everything it inherits.
    pub(super) fn get(&self, name: &str) -> Option<&HostPart> {
        self.resolved.get(name).map(|found| &*found.part)
    }

    /// A profile and what it inherits from, nearest first; none when there is no such profile.
    pub(super) fn chain(&self, name: &str) -> Vec<String> {
        let first = self.resolved.get_key_value(name);
        let chain = std::iter::successors(first, |(_, found)| {
            self.resolved.get_key_value(found.parent?)
        });
        chain.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// Whether a chain ends at a profile that names another, or has no profile at all: the next is not there, or stands in a circle.
    pub(super) fn breaks_off(index: &Index<'_>, chain: &[String]) -> bool {
        let last = chain
            .last()
            .and_then(|name| index.get(Kind::HostProfile, name));
        last.and_then(Index::host)
            .is_none_or(|part| part.host_profile.is_some())
    }

    /// Walks up to what is resolved already, to the end, or to a cycle; then merges downwards. No recursion: chains may be long.
    fn add(&mut self, index: &Index<'a>, document: &'a Document, report: &mut Report) {
        let mut waiting: Vec<(&'a Document, &'a HostPart)> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut current = Some(document);
        let mut above: Option<(&'a str, Arc<HostPart>)> = None;
        while let Some(document) = current.take() {
            if let Some(found) = self.resolved.get(document.name.as_str()) {
                above = Some((&document.name, Arc::clone(&found.part)));
                break;
            }
            if !seen.insert(&document.name) {
                let start = waiting
                    .iter()
                    .position(|(member, _)| member.name == document.name)
                    .unwrap_or(0);
                cycle(&waiting[start..], report);
                break;
            }
            let Some(part) = Index::host(document) else {
                break;
            };
            waiting.push((document, part));
            let Some(parent) = &part.host_profile else {
                break;
            };
            let used = format!("HostProfile {}", document.name);
            refer(index, report, Kind::HostProfile, parent, &used, || {
                at(document, &["host_profile"])
            });
            current = index.get(Kind::HostProfile, parent);
        }
        for (document, part) in waiting.into_iter().rev() {
            let part = Arc::new(merge(part, above.as_ref().map(|(_, part)| &**part)));
            let resolved = Resolved {
                part: Arc::clone(&part),
                parent: above.map(|(name, _)| name),
            };
            self.resolved.insert(&document.name, resolved);
            above = Some((&document.name, part));
        }
    }
}

fn cycle(members: &[(&Document, &HostPart)], report: &mut Report) {
    let Some((first, _)) = members.first() else {
        return;
    };
    let mut names: Vec<&str> = members
        .iter()
        .map(|(document, _)| document.name.as_str())
        .collect();
    names.push(&first.name);
    let others = members
        .iter()
        .skip(1)
        .map(|(document, _)| document.reference());
    report.add(
        &HOST_PROFILE,
        format!(
            "host profiles inherit from each other in a circle: {}",
            names.join(" -> ")
        ),
        "take host_profile out of one of them",
        at(first, &["host_profile"]).and(others),
    );
}
