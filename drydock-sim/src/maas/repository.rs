//! Package repositories.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::region::Region;
use super::request::{Answer, Reply, Request, Verb};

/// A package repository.
#[derive(Debug, Clone, Default)]
pub(super) struct PackageRepository {
    id: u32,
    name: String,
    url: String,
    distributions: Vec<String>,
    components: Vec<String>,
    disabled_pockets: Vec<String>,
    disabled_components: Vec<String>,
    arches: Vec<String>,
    key: String,
    enabled: bool,
    disable_sources: bool,
}

/// The two that every region has and nobody may delete.
pub(super) fn stock() -> BTreeMap<u32, PackageRepository> {
    let archive = |id, name: &str, url: &str, arches: &[&str]| PackageRepository {
        id,
        name: name.to_owned(),
        url: url.to_owned(),
        arches: arches.iter().map(|arch| (*arch).to_owned()).collect(),
        enabled: true,
        disable_sources: true,
        ..PackageRepository::default()
    };
    let main = archive(
        1,
        "main_archive",
        "http://archive.ubuntu.com/ubuntu",
        &["amd64", "i386"],
    );
    let ports = archive(
        2,
        "ports_archive",
        "http://ports.ubuntu.com/ubuntu-ports",
        &["armhf", "arm64", "ppc64el", "s390x"],
    );
    BTreeMap::from([(1, main), (2, ports)])
}

fn json_of(repository: &PackageRepository) -> Value {
    json!({
        "name": repository.name, "url": repository.url, "distributions": repository.distributions,
        "disabled_pockets": repository.disabled_pockets,
        "disabled_components": repository.disabled_components,
        "disable_sources": repository.disable_sources, "components": repository.components,
        "arches": repository.arches, "key": repository.key, "enabled": repository.enabled,
        "id": repository.id,
        "resource_uri": format!("/MAAS/api/2.0/package-repositories/{}/", repository.id),
    })
}

/// `package-repositories/` and everything below it.
pub(super) fn handle(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region.repositories.values().map(json_of).collect(),
        )),
        (Verb::Post, []) => {
            request.required("name")?;
            request.required("url")?;
            let fresh = PackageRepository {
                id: region.new_id(),
                enabled: true,
                disable_sources: true,
                ..PackageRepository::default()
            };
            store(region, request, fresh)
        }
        (verb, [text]) => {
            let missing = || Reply::missing("PackageRepository");
            let id: u32 = text.parse().map_err(|_| missing())?;
            let found = region.repositories.get(&id).cloned().ok_or_else(missing)?;
            match verb {
                Verb::Get => Ok(Reply::json(json_of(&found))),
                Verb::Put => store(region, request, found),
                Verb::Delete if id <= 2 => Err(Reply::text(
                    400,
                    "This is a default Ubuntu archive. This can be disabled, but not deleted.",
                )),
                Verb::Delete => {
                    region.repositories.remove(&id);
                    Ok(Reply::deleted())
                }
                Verb::Post => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}

fn store(region: &mut Region, request: &Request, mut repository: PackageRepository) -> Answer {
    for (field, slot) in [
        ("name", &mut repository.name),
        ("url", &mut repository.url),
        ("key", &mut repository.key),
    ] {
        if let Some(value) = request.field(field) {
            value.clone_into(slot);
        }
    }
    for (field, slot) in [
        ("distributions", &mut repository.distributions),
        ("components", &mut repository.components),
        ("disabled_pockets", &mut repository.disabled_pockets),
        ("disabled_components", &mut repository.disabled_components),
        ("arches", &mut repository.arches),
    ] {
        if request.field(field).is_some() {
            *slot = request.form.list(field);
        }
    }
    repository.enabled = request.flag("enabled")?.unwrap_or(repository.enabled);
    repository.disable_sources = request
        .flag("disable_sources")?
        .unwrap_or(repository.disable_sources);
    let taken =
        |other: &PackageRepository| other.name == repository.name && other.id != repository.id;
    if region.repositories.values().any(taken) {
        return Err(Reply::invalid(
            "name",
            "Package repository with this Name already exists.",
        ));
    }
    let reply = Reply::json(json_of(&repository));
    region.repositories.insert(repository.id, repository);
    Ok(reply)
}
