//! Region and racks.

use std::collections::BTreeMap;

use drydock_model::design::{Document, Kind, Ordered, Part, RegionPart};
use drydock_model::effective::{Rack, Repository, Site, TorSwitch};

use super::read::Reader;
use super::texts;
use crate::index::Index;
use crate::report::{Report, at};
use crate::rules::reference;

/// The region; an empty one when a design has none.
pub(super) fn compile(index: &Index<'_>, report: &mut Report) -> Site {
    let Some(document) = index.of(Kind::Region).next() else {
        return Site::default();
    };
    let Part::Region(part) = &document.part else {
        return Site::default();
    };
    let repositories = part.repositories.as_ref();
    Site {
        name: document.name.clone(),
        authorized_keys: part
            .authorized_keys
            .iter()
            .flatten()
            .flat_map(|text| keys(text))
            .collect(),
        repositories: repositories_of(document, part, report),
        remove_unlisted_repositories: repositories
            .and_then(|all| all.remove_unlisted)
            .unwrap_or(false),
    }
}

/// The keys in one item. A published sample breaks a key over several lines, which no `authorized_keys` file may (sshd(8)); a line that
/// begins no key continues the one before.
fn keys(text: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let begins = ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|kind| line.starts_with(kind));
        match keys.last_mut() {
            Some(key) if !begins => key.push_str(line),
            _ => keys.push(line.to_owned()),
        }
    }
    keys
}

fn repositories_of(document: &Document, part: &RegionPart, report: &mut Report) -> Vec<Repository> {
    let mut reader = Reader { document, report };
    let mut found = Vec::new();
    for (name, part) in part.repositories.iter().flat_map(|all| &all.repositories) {
        let path = ["repositories", name, "url"];
        let Some(url) = reader.required(part.url.as_deref(), &path) else {
            continue;
        };
        found.push(Repository {
            name: name.clone(),
            repo_type: part.repo_type.clone().unwrap_or_else(|| "apt".into()),
            url,
            distributions: part.distributions.clone().unwrap_or_default(),
            subrepos: part.subrepos.clone(),
            components: part.components.clone(),
            gpgkey: part.gpgkey.clone(),
            arches: part.arches.clone(),
            options: texts(part.options.as_ref()),
        });
    }
    found
}

/// The racks in design order.
pub(super) fn racks(index: &Index<'_>, report: &mut Report) -> Vec<Rack> {
    let mut racks = Vec::new();
    for document in index.of(Kind::Rack) {
        let Part::Rack(part) = &document.part else {
            continue;
        };
        let local_networks = part.local_networks.clone().unwrap_or_default();
        for network in &local_networks {
            if !index.has(Kind::Network, network) {
                report.add(
                    &reference::LOCAL_NETWORK,
                    format!(
                        "Rack {} lists the local network {network}, which does not exist",
                        document.name
                    ),
                    index.advice(Kind::Network, network),
                    at(document, &["local_networks", network]),
                );
            }
        }
        let tor_switches: BTreeMap<_, _> = part
            .tor_switches
            .iter()
            .flat_map(Ordered::iter)
            .map(|(name, switch)| {
                let switch = TorSwitch {
                    mgmt_ip: switch.mgmt_ip.clone(),
                    sdn_api_uri: switch.sdn_api_uri.clone(),
                };
                (name.to_owned(), switch)
            })
            .collect();
        racks.push(Rack {
            name: document.name.clone(),
            tor_switches,
            location: texts(part.location.as_ref()),
            labels: texts(part.labels.as_ref()),
            local_networks,
        });
    }
    racks
}

#[cfg(test)]
mod tests {
    use super::keys;

    #[test]
    fn keys_are_one_line_each() {
        assert_eq!(keys("ssh-rsa AAA\nBBB\nCCC me\n"), ["ssh-rsa AAABBBCCC me"]);
        assert_eq!(
            keys("# ours\nssh-rsa A a\n\nssh-ed25519 B b\n"),
            ["ssh-rsa A a", "ssh-ed25519 B b"]
        );
        assert!(keys(" \n").is_empty());
    }
}
