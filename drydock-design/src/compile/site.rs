//! Region and racks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use drydock_model::design::{Document, Kind, Ordered, Part, RackPart, RegionPart};
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
    tag_definitions(document, part, report);
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
pub(crate) fn keys(text: &str) -> Vec<String> {
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

/// Nothing here derives tags; who does cannot do it from half a definition.
fn tag_definitions(document: &Document, part: &RegionPart, report: &mut Report) {
    let mut reader = Reader { document, report };
    for (number, definition) in part.tag_definitions.iter().flatten().enumerate() {
        let number = number.to_string();
        let fields = [
            ("tag", &definition.tag),
            ("definition_type", &definition.definition_type),
            ("definition", &definition.definition),
        ];
        for (field, value) in fields {
            let path = ["tag_definitions", &number, field];
            match value.as_deref() {
                None | Some("") => reader.odd(&path, "is missing", "set it"),
                Some(kind) if field == "definition_type" && kind != "lshw_xpath" => {
                    let message = format_args!("{kind:?} is not a type of definition");
                    reader.odd(&path, message, "write lshw_xpath, the only one");
                }
                Some(_) => {}
            }
        }
    }
}

/// MaaS takes these.
const REPOSITORY_SCHEMES: [&str; 4] = ["http://", "https://", "ftp://", "ppa:"];

fn repositories_of(document: &Document, part: &RegionPart, report: &mut Report) -> Vec<Repository> {
    let mut reader = Reader { document, report };
    let mut found = Vec::new();
    for (name, part) in part.repositories.iter().flat_map(|all| &all.repositories) {
        let path = ["repositories", name, "url"];
        let Some(url) = reader.required(part.url.as_deref(), &path) else {
            continue;
        };
        let lower = url.trim().to_ascii_lowercase();
        if !REPOSITORY_SCHEMES
            .iter()
            .any(|scheme| lower.starts_with(scheme) && lower.len() > scheme.len())
        {
            let message = format_args!("{url:?} is not the URL of a repository");
            reader.bad(&path, message, "begin it with http://, https:// or ppa:");
            continue;
        }
        if let Some(other) = part.repo_type.as_deref().filter(|kind| *kind != "apt") {
            let path = ["repositories", name, "repo_type"];
            let message = format_args!("{other:?} is not a type of repository");
            reader.bad(&path, message, "write apt, the only one");
            continue;
        }
        if part
            .gpgkey
            .as_deref()
            .is_some_and(|key| !key.contains("BEGIN PGP PUBLIC KEY BLOCK"))
        {
            let path = ["repositories", name, "gpgkey"];
            let message = "this is no public key in ASCII armour";
            reader.odd(&path, message, "write what gpg --armor --export prints");
        }
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
            if !index.may_have(Kind::Network, network) {
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
        switches(document, part, report);
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

/// Nothing here talks to a switch; the address is told to be odd, not refused.
fn switches(document: &Document, part: &RackPart, report: &mut Report) {
    let mut reader = Reader { document, report };
    for (name, switch) in part.tor_switches.iter().flat_map(Ordered::iter) {
        if let Some(text) = &switch.mgmt_ip
            && text.trim().parse::<IpAddr>().is_err()
        {
            let path = ["tor_switches", name, "mgmt_ip"];
            let message = format_args!("{text:?} is not an IP address");
            reader.odd(&path, message, "write an IPv4 or IPv6 address");
        }
        if let Some(text) = switch.sdn_api_uri.as_deref()
            && !has_scheme(text)
        {
            let path = ["tor_switches", name, "sdn_api_uri"];
            let message = format_args!("{text:?} has no scheme");
            reader.odd(
                &path,
                message,
                "write a URI, such as https://sdn.example.com/",
            );
        }
    }
}

/// RFC 3986, section 3.1.
fn has_scheme(uri: &str) -> bool {
    uri.trim().split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
            && !rest.is_empty()
    })
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
