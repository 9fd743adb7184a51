//! `configure_node_provisioner`: the design's package repositories.

use std::collections::BTreeSet;

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::{Repository, Site};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::form::Form;
use super::progress::{text, unknown_verb, value};
use super::region::Region;
use super::resource::RepositoryResource;

const CREATE: &str = "create_repository";
const SET: &str = "set_repository";
const REMOVE: &str = "remove_repository";

/// The two that MaaS cannot be without.
const DEFAULTS: [&str; 2] = ["main_archive", "ports_archive"];
/// What MaaS can switch off in the default archives.
const COMPONENTS: [&str; 3] = ["restricted", "universe", "multiverse"];
/// What MaaS can switch off in any.
const POCKETS: [&str; 3] = ["updates", "security", "backports"];

/// The repositories that MaaS has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    repositories: Vec<Listed>,
}

/// A repository at MaaS. Lists have no order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listed {
    id: i64,
    name: String,
    #[serde(flatten)]
    settings: Settings,
}

/// What can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    url: String,
    distributions: BTreeSet<String>,
    components: BTreeSet<String>,
    arches: BTreeSet<String>,
    disabled_components: BTreeSet<String>,
    disabled_pockets: BTreeSet<String>,
    key: String,
}

impl From<RepositoryResource> for Listed {
    fn from(repository: RepositoryResource) -> Self {
        Listed {
            id: repository.id,
            name: repository.name,
            settings: Settings {
                url: repository.url,
                distributions: repository.distributions.into_iter().collect(),
                components: repository.components.into_iter().collect(),
                arches: repository.arches.into_iter().collect(),
                disabled_components: repository.disabled_components.into_iter().collect(),
                disabled_pockets: repository.disabled_pockets.into_iter().collect(),
                key: repository.key.trim().to_owned(),
            },
        }
    }
}

impl Settings {
    /// As designed; what the design leaves open keeps the value it has.
    fn of(repository: &Repository, now: Option<&Settings>) -> Self {
        let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
        let without = |all: [&str; 3], wanted: &[String]| -> BTreeSet<String> {
            all.into_iter()
                .filter(|name| !wanted.iter().any(|kept| kept == name))
                .map(str::to_owned)
                .collect()
        };
        let standard = DEFAULTS.contains(&repository.name.as_str());
        let components = repository.components.as_deref();
        Settings {
            url: repository.url.clone(),
            distributions: set(&repository.distributions),
            components: components
                .filter(|_| !standard)
                .map(set)
                .unwrap_or_default(),
            arches: match (&repository.arches, now) {
                (Some(arches), _) => set(arches),
                (None, Some(now)) => now.arches.clone(),
                (None, None) => BTreeSet::new(),
            },
            disabled_components: components
                .filter(|_| standard)
                .map(|list| without(COMPONENTS, list))
                .unwrap_or_default(),
            disabled_pockets: repository
                .subrepos
                .as_deref()
                .map(|list| without(POCKETS, list))
                .unwrap_or_default(),
            key: repository
                .gpgkey
                .as_deref()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        }
    }
}

pub(crate) async fn observe(region: &Region, _cx: &StepContext) -> Result<Seen, DriverError> {
    Ok(Seen {
        repositories: listed(region).await?,
    })
}

async fn listed(region: &Region) -> Result<Vec<Listed>, DriverError> {
    let all: Vec<RepositoryResource> = region.client.get("package-repositories/").await?;
    Ok(all.into_iter().map(Listed::from).collect())
}

pub(crate) fn plan(site: &Site, seen: &Seen) -> StepPlan {
    let mut changes = Vec::new();
    for repository in &site.repositories {
        let there = seen
            .repositories
            .iter()
            .find(|listed| listed.name == repository.name);
        let wanted = Settings::of(repository, there.map(|listed| &listed.settings));
        if there.is_some_and(|listed| listed.settings == wanted) {
            continue;
        }
        changes.push(Change {
            target: format!("maas package repository {}", repository.name),
            verb: if there.is_some() { SET } else { CREATE }.to_owned(),
            before: there.map_or(Value::Null, |listed| json!(listed.settings)),
            after: json!({"name": repository.name, "settings": wanted}),
            risk: Risk::Reversible,
            why: "the region of the design lists it".to_owned(),
        });
    }
    if site.remove_unlisted_repositories {
        let unlisted = seen.repositories.iter().filter(|listed| {
            !DEFAULTS.contains(&listed.name.as_str())
                && !site
                    .repositories
                    .iter()
                    .any(|wanted| wanted.name == listed.name)
        });
        changes.extend(unlisted.map(|listed| Change {
            target: format!("maas package repository {}", listed.name),
            verb: REMOVE.to_owned(),
            before: json!(listed.settings),
            after: json!({"id": listed.id}),
            risk: Risk::Reversible,
            why: "the region of the design removes repositories that it does not list".to_owned(),
        }));
    }
    if changes.is_empty() {
        return StepPlan::done(format!(
            "MaaS has the {} package repositories of the design",
            site.repositories.len()
        ));
    }
    StepPlan::apply(changes)
}

pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    if change.verb == REMOVE {
        let deleted = region
            .client
            .delete(&format!("package-repositories/{}/", value(change, "id")?))
            .await?;
        return Ok(if deleted { "removed" } else { "was gone" }.to_owned());
    }
    if change.verb != CREATE && change.verb != SET {
        return Err(unknown_verb(change));
    }
    let name = text(change, "name")?;
    let settings: Settings = serde_json::from_value(value(change, "settings")?.clone())
        .map_err(|_| super::progress::malformed(change, "settings"))?;
    let join = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
    let form = Form::new()
        .with("name", &name)
        .with("url", &settings.url)
        .with("distributions", join(&settings.distributions))
        .with("components", join(&settings.components))
        .with("arches", join(&settings.arches))
        .with("disabled_components", join(&settings.disabled_components))
        .with("disabled_pockets", join(&settings.disabled_pockets))
        .with("key", &settings.key);
    match listed(region)
        .await?
        .into_iter()
        .find(|listed| listed.name == name)
    {
        Some(there) => {
            region
                .client
                .put(&format!("package-repositories/{}/", there.id), &form)
                .await?;
            Ok("set".to_owned())
        }
        None => {
            let made = region.client.post("package-repositories/", &form).await?;
            Ok(format!("created with id {}", made["id"]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker() -> Repository {
        Repository {
            name: "docker".into(),
            repo_type: "apt".into(),
            url: "https://docker.example/repo".into(),
            distributions: vec!["ubuntu-xenial".into()],
            subrepos: Some(vec!["updates".into()]),
            components: Some(vec!["main".into()]),
            gpgkey: Some("-----KEY-----\n".into()),
            ..Repository::default()
        }
    }

    fn listed(id: i64, name: &str, settings: Settings) -> Listed {
        Listed {
            id,
            name: name.into(),
            settings,
        }
    }

    #[test]
    fn repositories_are_compared_as_sets_and_unlisted_ones_removed() {
        let wanted = Settings::of(&docker(), None);
        assert_eq!(
            wanted.disabled_pockets,
            ["backports".to_owned(), "security".to_owned()].into()
        );
        assert!(wanted.disabled_components.is_empty());
        let site = Site {
            repositories: vec![docker()],
            remove_unlisted_repositories: true,
            ..Site::default()
        };
        let verbs = |seen: Seen| {
            plan(&site, &seen)
                .changes
                .into_iter()
                .map(|change| change.verb)
                .collect::<Vec<_>>()
        };
        let main = listed(
            1,
            "main_archive",
            Settings::of(&Repository::default(), None),
        );
        assert_eq!(
            verbs(Seen {
                repositories: vec![main.clone()]
            }),
            [CREATE]
        );
        assert!(
            verbs(Seen {
                repositories: vec![main.clone(), listed(3, "docker", wanted.clone())]
            })
            .is_empty()
        );
        let other = Settings {
            url: "http://else.example".into(),
            ..wanted
        };
        let seen = Seen {
            repositories: vec![
                main,
                listed(3, "docker", other.clone()),
                listed(4, "old", other),
            ],
        };
        assert_eq!(verbs(seen), [SET, REMOVE]);
    }
}
