//! Designs as the command line names them: files, folders, a URL, standard input, `design:<uuid>`.

mod several;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Result;
use drydock_design::rules::Options;
use drydock_ingester::DesignIngester;
use drydock_model::design::Document;
use drydock_model::finding::{Finding, Level, Location};
use drydock_model::ingest::{Ingested, Ingester, Source};
use drydock_model::reference::{ReferenceFault, References};
use drydock_reference::{Fetcher, KeystoneSettings, ReferenceSettings};

use crate::exit::{Exit, Failure};

pub use several::{open_all, read_paths, render, to_send};
pub use text::Unreadable;

/// A design named on the command line.
pub enum Named {
    /// One of the server's, by id.
    Uploaded(String),
    /// Texts at hand.
    Local(Vec<Source>),
}

/// What a local design is.
pub struct Read {
    /// Its documents.
    pub documents: Vec<Document>,
    /// What it means.
    pub compiled: drydock_design::Compiled,
    /// All findings.
    pub findings: Vec<Finding>,
}

/// Finds out what was named, and reads it unless it is the server's. `-` is standard input. Files and folders that
/// are one design together, such as the layers of a tree, may be named with commas between.
///
/// # Errors
/// [`Unreadable`] for what is no text or too long; exit code 3 when there is no such file.
pub async fn open(name: &str) -> Result<Named> {
    if let Some(id) = name.strip_prefix("design:") {
        return Ok(Named::Uploaded(id.to_owned()));
    }
    if let Some(path) = name.strip_prefix("file://") {
        return Ok(Named::Local(several::read_named(path)?));
    }
    if let Some((scheme, _)) = name.split_once("://")
        && matches!(
            scheme,
            "http" | "https" | "deckhand+http" | "deckhand+https"
        )
    {
        let fetcher = Fetcher::new(ReferenceSettings {
            allow_refs: vec![without_secrets(name)],
            keystone: keystone(),
            ..ReferenceSettings::default()
        })?;
        let bytes = fetcher.fetch(name).await.map_err(|error| {
            let exit = match error.fault {
                ReferenceFault::NotFound => Exit::NotFound,
                _ => Exit::Usage,
            };
            Failure::error(exit, error.message)
        })?;
        let source = text::of_bytes(&without_secrets(name), bytes)?;
        return Ok(Named::Local(vec![source]));
    }
    if name == "-" {
        return Ok(Named::Local(vec![text::of_stdin()?]));
    }
    Ok(Named::Local(several::read_named(name)?))
}

/// The login for `deckhand+` references, from the variables that every OpenStack client takes it from.
fn keystone() -> Option<KeystoneSettings> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let or_default = |name: &str| variable(name).unwrap_or_else(|| "Default".to_owned());
    Some(KeystoneSettings {
        auth_url: variable("OS_AUTH_URL")?,
        username: variable("OS_USERNAME")?,
        password: variable("OS_PASSWORD")?.into(),
        user_domain: or_default("OS_USER_DOMAIN_NAME"),
        project: variable("OS_PROJECT_NAME")?,
        project_domain: or_default("OS_PROJECT_DOMAIN_NAME"),
        ca_file: variable("OS_CACERT").map(PathBuf::from),
    })
}

/// A file, or all YAML files below a folder, in the order of their names.
///
/// # Errors
/// Exit code 3 when there is none, 2 when it cannot be read.
fn yaml_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, &mut files).map_err(|error| {
            Failure::error(
                Exit::Usage,
                format!("the folder {} cannot be read: {error}", path.display()),
            )
        })?;
        if files.is_empty() {
            return Err(Failure::error(
                Exit::NotFound,
                format!("the folder {} holds no .yaml or .yml file", path.display()),
            ));
        }
    } else if path.exists() {
        files.push(path.to_owned());
    } else {
        return Err(Failure::error(
            Exit::NotFound,
            format!(
                "there is no file or folder {}; a design may also be a URL or design:<uuid>",
                path.display()
            ),
        ));
    }
    Ok(files)
}

/// The texts of files.
///
/// # Errors
/// [`Unreadable`] for what is no text or too long.
fn read_files(files: &[PathBuf]) -> Result<Vec<Source>> {
    let mut texts = Vec::new();
    let mut total = 0;
    for file in files {
        let text = text::of_file(file)?;
        total += u64::try_from(text.text.len()).unwrap_or(u64::MAX);
        if total > text::TOTAL_LIMIT {
            return Err(Failure::error(
                Exit::Usage,
                format!(
                    "the files up to {} are longer than {} MiB together, and no more is read of one design",
                    file.display(),
                    text::TOTAL_LIMIT >> 20
                ),
            ));
        }
        texts.push(text);
    }
    Ok(texts)
}

/// A URL without user, password and query, which may be secrets: it becomes the name of a text, and that is told.
pub fn without_secrets(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or(url).to_owned();
    };
    // These only fail for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, into)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            // Nobody named it, so nobody need be there to write to it: reading would wait for ever.
            if !path.metadata()?.is_file() {
                return Err(std::io::Error::other(format!(
                    "{} is not a regular file",
                    path.display()
                )));
            }
            into.push(path);
        }
    }
    Ok(())
}

/// Reads, compiles and checks texts, as the server would.
///
/// # Errors
/// The findings of the reader, when a text is no design or a document of it cannot be taken.
pub fn compile(sources: &[Source]) -> Result<Read, Vec<Finding>> {
    let ingested = ingest(sources);
    if !ingested.findings.is_empty() {
        return Err(ingested.findings);
    }
    Ok(judge(ingested, sources))
}

/// Reads, compiles and checks texts as far as they can be read, and whether all of them are YAML at least.
pub fn check(sources: &[Source]) -> (Read, bool) {
    let ingested = ingest(sources);
    let readable = ingested.is_text();
    (judge(ingested, sources), readable)
}

/// Reads texts. Where they hold nothing at all, that is told: what was to fill them, a script or a pipe, has failed.
fn ingest(sources: &[Source]) -> Ingested {
    let mut ingested = DesignIngester::default().read(sources);
    if let (Some(first), true, true) = (
        sources.first(),
        ingested.documents.is_empty(),
        ingested.findings.is_empty(),
    ) {
        let [readable, ..] = &drydock_design::rules::READING;
        ingested.findings.push(Finding {
            rule: readable.id.into(),
            code: readable.code.into(),
            level: Level::Error,
            message: format!("{} holds no document", first.name),
            diagnostic: "write one, or look why what should have written it did not".into(),
            documents: Vec::new(),
            location: Some(Location {
                source: first.name.clone(),
                line: 1,
                column: 1,
            }),
            chain: Vec::new(),
            fix: None,
        });
    }
    ingested
}

fn judge(ingested: Ingested, sources: &[Source]) -> Read {
    let digest = drydock_design::digest(sources);
    let (compiled, findings) = drydock_design::judge(&ingested, digest, &Options::default());
    Read {
        documents: ingested.documents,
        compiled,
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_its_secrets() {
        assert_eq!(
            without_secrets("https://joe:hush@h:8443/a/b.yaml?token=hush#x"),
            "https://h:8443/a/b.yaml"
        );
    }
}
