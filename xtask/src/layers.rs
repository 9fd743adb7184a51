//! `cargo xtask layers`: which crate may use which.
//!
//! Only what is built into the product counts: a test may take any simulator or store it likes as a dev-dependency.

use std::fs;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::repository::{Repository, TextFile};

/// A room, and the rooms it may use.
struct Room {
    name: &'static str,
    may_use: Uses,
}

enum Uses {
    All,
    Only(&'static [&'static str]),
}

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room {
        name,
        may_use: Uses::Only(may_use),
    }
}

/// The arrows. Siblings (ingester, reference, statemgmt, drivers, sim) see the model and never each other.
const ROOMS: [Room; 12] = [
    room("drydock-model", &[]),
    room("drydock-ipmi", &[]),
    room("drydock-ingester", &["drydock-model"]),
    room("drydock-design", &["drydock-model"]),
    room("drydock-reference", &["drydock-model"]),
    room("drydock-statemgmt", &["drydock-model"]),
    room("drydock-drivers", &["drydock-model", "drydock-ipmi"]),
    room("drydock-orchestrator", &["drydock-model", "drydock-design"]),
    room(
        "drydock-api",
        &["drydock-model", "drydock-design", "drydock-orchestrator"],
    ),
    room("drydock-sim", &["drydock-model", "drydock-ipmi"]),
    Room {
        name: "drydock-cli",
        may_use: Uses::All,
    },
    Room {
        name: "xtask",
        may_use: Uses::All,
    },
];

/// A library and the only rooms that may name it.
const KEPT: [(&str, &[&str]); 4] = [
    ("granit-parser", &["drydock-ingester"]),
    ("sqlx", &["drydock-statemgmt"]),
    ("actix-web", &["drydock-api", "drydock-sim"]),
    ("serde-saphyr", &["drydock-ingester"]),
];

/// What would make a pure room do I/O.
const IMPURE: [&str; 4] = ["tokio", "reqwest", "actix-web", "sqlx"];

/// Rooms that do no I/O.
const PURE: [&str; 2] = ["drydock-model", "drydock-design"];

/// The YAML parser and the YAML writer: only one file may name each, so that it can be replaced there.
const YAML: [&str; 2] = [concat!("granit", "_parser"), concat!("serde", "_saphyr")];

/// Checks the manifests of all workspace members, and the files that name the YAML parser.
///
/// # Errors
/// A wrong arrow, or a manifest that cannot be read.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    let mut wrong = Vec::new();
    for member in members(&manifest(repository, "Cargo.toml")?)? {
        wrong.extend(check_manifest(&manifest(
            repository,
            &format!("{member}/Cargo.toml"),
        )?)?);
    }
    let files = repository.text_files()?;
    wrong.extend(
        YAML.iter()
            .filter_map(|library| check_yaml(library, &files)),
    );
    for arrow in &wrong {
        eprintln!("{arrow}");
    }
    if !wrong.is_empty() {
        bail!("{} wrong arrows", wrong.len());
    }
    Ok(())
}

fn manifest(repository: &Repository, path: &str) -> Result<Table> {
    let text =
        fs::read_to_string(repository.path(path)).with_context(|| format!("cannot read {path}"))?;
    text.parse().with_context(|| format!("{path} is no TOML"))
}

fn members(workspace: &Table) -> Result<Vec<String>> {
    let members = workspace
        .get("workspace")
        .and_then(|workspace| workspace.get("members"));
    let members = members
        .and_then(Value::as_array)
        .context("Cargo.toml lists no workspace members")?;
    Ok(members
        .iter()
        .filter_map(|member| member.as_str().map(str::to_owned))
        .collect())
}

fn check_manifest(manifest: &Table) -> Result<Vec<String>> {
    let package = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(Value::as_str);
    let package = package.context("a manifest without a package name")?;
    let Some(room) = ROOMS.iter().find(|room| room.name == package) else {
        return Ok(vec![format!(
            "{package} is not in the table of rooms; say there what it may use"
        )]);
    };
    let mut wrong = Vec::new();
    for used in dependencies(manifest) {
        let internal = ROOMS.iter().any(|room| room.name == used) || used.starts_with("drydock-");
        let allowed = match room.may_use {
            Uses::All => true,
            Uses::Only(names) => !internal || names.contains(&used.as_str()),
        };
        if !allowed {
            wrong.push(format!("{package} may not use {used}"));
        }
        if let Some((library, rooms)) = KEPT.iter().find(|(library, _)| *library == used)
            && !rooms.contains(&package)
        {
            wrong.push(format!(
                "{package} may not use {library}; only {} may",
                rooms.join(" and ")
            ));
        } else if PURE.contains(&package) && IMPURE.contains(&used.as_str()) {
            wrong.push(format!("{package} does no I/O and may not use {used}"));
        }
    }
    Ok(wrong)
}

/// Names of the packages that are built in, for any target, under whatever name they are used.
fn dependencies(manifest: &Table) -> Vec<String> {
    let of_targets = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(of_targets.filter_map(Value::as_table));
    let mut names = Vec::new();
    for table in tables {
        for kind in ["dependencies", "build-dependencies"] {
            for (name, value) in table
                .get(kind)
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
            {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
                names.push(package.replace('_', "-"));
            }
        }
    }
    names
}

fn check_yaml(library: &str, files: &[TextFile]) -> Option<String> {
    let is_rust = |file: &&TextFile| {
        file.path
            .extension()
            .is_some_and(|extension| extension == "rs")
    };
    let naming: Vec<String> = files
        .iter()
        .filter(is_rust)
        .filter(|file| file.text.contains(library))
        .map(|file| file.path.display().to_string())
        .collect();
    match naming.as_slice() {
        [one] if one.starts_with("drydock-ingester/") => None,
        [] => Some(format!(
            "no file names {library}; take it out of the tables of dependencies"
        )),
        _ => Some(format!(
            "one file of drydock-ingester may name {library}, not {}",
            naming.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(manifest: &str) -> Vec<String> {
        check_manifest(&manifest.parse().unwrap()).unwrap()
    }

    fn uses(package: &str, dependency: &str) -> Vec<String> {
        wrong(&format!(
            "package.name = \"{package}\"\n[dependencies]\n{dependency} = {{ workspace = true }}\n"
        ))
    }

    #[test]
    fn every_arrow_points_down() {
        for (package, dependency, allowed) in [
            ("drydock-api", "drydock-orchestrator", true),
            ("drydock-orchestrator", "drydock-api", false),
            ("drydock-orchestrator", "drydock-drivers", false),
            ("drydock-orchestrator", "drydock-statemgmt", false),
            ("drydock-drivers", "drydock-ipmi", true),
            ("drydock-drivers", "drydock-sim", false),
            ("drydock-ingester", "drydock-design", false),
            ("drydock-model", "drydock-ipmi", false),
            ("drydock-model", "drydock-unheard-of", false),
            ("drydock-model", "serde", true),
            ("drydock-cli", "drydock-sim", true),
            ("drydock-design", "xtask", false),
            ("drydock-statemgmt", "sqlx", true),
            ("drydock-cli", "sqlx", false),
            ("drydock-sim", "actix-web", true),
            ("drydock-reference", "actix-web", false),
            ("drydock-cli", "serde-saphyr", false),
            ("drydock-model", "tokio", false),
            ("drydock-model", "reqwest", false),
            ("drydock-model", "sqlx", false),
        ] {
            let wrong = uses(package, dependency);
            assert_eq!(
                wrong.is_empty(),
                allowed,
                "{package} -> {dependency}: {wrong:?}"
            );
            assert!(wrong.len() <= 1, "{wrong:?}");
        }
    }

    #[test]
    fn no_arrow_hides() {
        for hidden in [
            "[build-dependencies]\nsqlx = \"1\"",
            "[target.'cfg(unix)'.dependencies]\nsqlx = \"1\"",
            "[dependencies]\ndatabase = { package = \"sqlx\", version = \"1\" }",
        ] {
            assert_eq!(
                wrong(&format!("package.name = \"drydock-api\"\n{hidden}\n")).len(),
                1,
                "{hidden}"
            );
        }
        let test_only = "package.name = \"drydock-drivers\"\n[dev-dependencies]\ndrydock-sim = { workspace = true }\n";
        assert!(wrong(test_only).is_empty());
    }

    #[test]
    fn a_new_crate_needs_a_place_in_the_table() {
        assert_eq!(uses("drydock-new", "serde").len(), 1);
    }

    #[test]
    fn one_file_names_the_parser() {
        let file = |path: &str| TextFile {
            path: path.into(),
            text: format!("use {}::Value;", YAML[0]),
        };
        assert_eq!(
            check_yaml(YAML[0], &[file("drydock-ingester/src/yaml.rs")]),
            None
        );
        assert!(check_yaml(YAML[0], &[]).is_some());
        assert!(check_yaml(YAML[0], &[file("drydock-cli/src/yaml.rs")]).is_some());
        assert!(
            check_yaml(
                YAML[0],
                &[
                    file("drydock-ingester/src/a.rs"),
                    file("drydock-ingester/src/b.rs")
                ]
            )
            .is_some()
        );
        assert!(
            check_yaml(
                YAML[0],
                &[
                    file("drydock-ingester/src/a.rs"),
                    file("docs/adr/0001-a.md")
                ]
            )
            .is_none()
        );
    }
}
