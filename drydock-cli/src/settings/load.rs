//! Where settings come from, and what is said when they make no sense.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use drydock_ingester::parse_tree;
use drydock_model::finding::told;
use drydock_model::tree::{Entry, Position, Tree, Value};

use super::Settings;

/// Looked for beside the working folder when no file is named.
const DEFAULT_FILE: &str = "etc/drydock/drydock.yaml";
/// Environment variables of settings begin with this.
const PREFIX: &str = "DRYDOCK__";

/// A setting from outside of the file: where it was given, its path and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// For messages: `environment variable DRYDOCK__API__LISTEN`, `--set api.listen`.
    pub origin: String,
    /// The path, outermost first.
    pub path: Vec<String>,
    /// The value as YAML.
    pub text: String,
}

impl Overlay {
    /// `key.path=value` of the command line.
    ///
    /// # Errors
    /// When there is no `=`.
    pub fn from_argument(argument: &str) -> Result<Self> {
        let (path, text) = argument
            .split_once('=')
            .with_context(|| format!("--set {argument}: write it as key.path=value"))?;
        Ok(Overlay {
            origin: format!("--set {path}"),
            path: path.split('.').map(str::to_owned).collect(),
            text: text.to_owned(),
        })
    }

    fn from_environment() -> Vec<Self> {
        let mut found: Vec<_> = std::env::vars_os()
            .filter_map(|(name, text)| {
                let (name, text) = (name.to_str()?, text.to_str()?);
                let path = name.strip_prefix(PREFIX)?;
                // A template that left a variable empty must not take a limit away; `--set key=` can.
                if text.trim().is_empty() {
                    return None;
                }
                Some(Overlay {
                    origin: format!("environment variable {name}"),
                    path: path.split("__").map(str::to_ascii_lowercase).collect(),
                    text: text.to_owned(),
                })
            })
            .collect();
        found.sort_by(|a, b| a.origin.cmp(&b.origin));
        found
    }
}

/// Reads the file (`file`, else the default one when it is there, else nothing), the environment and the command line's own.
///
/// # Errors
/// What cannot be read or is not known, with file and line, and the nearest known key.
pub fn load(file: Option<&Path>, arguments: &[Overlay]) -> Result<Settings> {
    let named: Option<PathBuf> = match file {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file()),
    };
    let mut tree = match &named {
        None => empty(),
        Some(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the settings file {shown} cannot be read"))?;
            read(&text, &shown)?
        }
    };
    let source = named.map_or_else(|| "settings".to_owned(), |path| path.display().to_string());
    let mut overlays = Overlay::from_environment();
    overlays.extend_from_slice(arguments);
    lay_over(&mut tree, &overlays)?;
    tree.read::<Settings>()
        .map_err(|error| match error.position {
            Some(position) => explain(&format!("{source}:{position}"), &error),
            None => explain(&source, &error),
        })
}

impl Settings {
    /// These settings with others above them.
    ///
    /// # Errors
    /// As [`load`].
    pub fn overlaid(self, overlays: &[Overlay]) -> Result<Settings> {
        use secrecy::ExposeSecret;
        let mut value = serde_json::to_value(&self)?;
        // Shown as stars otherwise.
        if let Some(key) = &self.drivers.maas.api_key {
            value["drivers"]["maas"]["api_key"] = key.expose_secret().into();
        }
        if let Some(password) = &self.references.keystone.password {
            value["references"]["keystone"]["password"] = password.expose_secret().into();
        }
        if let Some(kg) = &self.oob.ipmi.kg {
            value["oob"]["ipmi"]["kg"] = kg.expose_secret().into();
        }
        value["database"]["url"] = self.database.url.written().expose_secret().into();
        let mut tree = read(&value.to_string(), "settings")?;
        lay_over(&mut tree, overlays)?;
        tree.read::<Settings>()
            .map_err(|error| explain("settings", &error))
    }
}

fn lay_over(tree: &mut Tree, overlays: &[Overlay]) -> Result<()> {
    for overlay in overlays {
        let mut values = parse_tree(&overlay.text, &overlay.origin).unwrap_or_default();
        // What is no YAML is text; nothing at all is null.
        let value = match (values.len(), overlay.text.trim().is_empty()) {
            (1, _) => values.remove(0),
            (_, true) => Tree::new(Position::default(), Value::Null),
            _ => Tree::new(
                Position::default(),
                Value::String {
                    text: overlay.text.as_str().into(),
                    plain: false,
                },
            ),
        };
        put(tree, &overlay.path, value);
        // Each is tried as it comes, so that the message names the one at fault.
        tree.read::<Settings>()
            .map_err(|error| explain(&overlay.origin, &error))?;
    }
    Ok(())
}

fn read(text: &str, source: &str) -> Result<Tree> {
    let mut documents = match parse_tree(text, source) {
        Ok(documents) => documents,
        Err(findings) => bail!("{}", told(&findings, "; ")),
    };
    match documents.len() {
        0 => Ok(empty()),
        1 => Ok(documents.remove(0)),
        n => bail!("{source}: {n} documents; settings are one"),
    }
}

fn explain(origin: &str, error: &drydock_model::tree::ReadError) -> anyhow::Error {
    match error.suggestion() {
        Some(known) => anyhow::anyhow!("{origin}: {error}; did you mean {known:?}?"),
        None => anyhow::anyhow!("{origin}: {error}"),
    }
}

fn empty() -> Tree {
    Tree::new(Position::default(), Value::Mapping(Vec::new()))
}

fn put(tree: &mut Tree, path: &[String], value: Tree) {
    let Some((key, rest)) = path.split_first() else {
        *tree = value;
        return;
    };
    if !matches!(tree.value, Value::Mapping(_)) {
        tree.value = Value::Mapping(Vec::new());
    }
    let Value::Mapping(entries) = &mut tree.value else {
        return;
    };
    let at = match entries.iter().position(|entry| *entry.key == **key) {
        Some(at) => at,
        None => {
            entries.push(Entry {
                key: Arc::from(key.as_str()),
                key_position: Position::default(),
                value: empty(),
            });
            entries.len() - 1
        }
    };
    if let Some(entry) = entries.get_mut(at) {
        put(&mut entry.value, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str, overlays: &[&str]) -> Result<Settings> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("drydock.yaml");
        std::fs::write(&file, text)?;
        let overlays = overlays
            .iter()
            .map(|text| Overlay::from_argument(text))
            .collect::<Result<Vec<_>>>()?;
        load(Some(&file), &overlays)
    }

    #[test]
    fn the_command_line_stands_above_the_file() -> Result<()> {
        let read = settings(
            "api:\n  listen: 127.0.0.1:1\nleader:\n  grace_period: 7s\n",
            &["api.listen=127.0.0.1:2", "drivers.node="],
        )?;
        assert_eq!(read.api.listen.port(), 2);
        assert_eq!(read.leader.grace_period, super::super::Span::seconds(7.0));
        assert_eq!(read.drivers.node, None);
        Ok(())
    }

    #[test]
    fn the_old_names_are_understood() -> Result<()> {
        let read = settings(
            "leader:\n  leader_grace_period: 300\n  leadership_claim_interval: 30\n",
            &[],
        )?;
        assert_eq!(read.leader.grace_period, super::super::Span::seconds(300.0));
        assert_eq!(
            read.leader.claim_interval,
            super::super::Span::seconds(30.0)
        );
        Ok(())
    }

    #[test]
    fn secrets_are_read_kept_and_not_shown() -> Result<()> {
        use secrecy::ExposeSecret;
        let read = settings(
            "drivers: {maas: {api_key: 'a:b:s3cr3t'}}\n",
            &["references.keystone.password=s3cr3t-2"],
        )?
        .overlaid(&[])?;
        let shown = format!("{read:?}{}", serde_json::to_string(&read)?);
        assert!(!shown.contains("s3cr3t"), "{shown}");
        let kept = |secret: Option<secrecy::SecretString>| {
            secret.map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(
            kept(read.drivers.maas.api_key).as_deref(),
            Some("a:b:s3cr3t")
        );
        assert_eq!(
            kept(read.references.keystone.password).as_deref(),
            Some("s3cr3t-2")
        );
        // A password may look like a number.
        let read = settings("", &["references.keystone.password=0123456"])?;
        assert_eq!(
            kept(read.references.keystone.password).as_deref(),
            Some("0123456")
        );
        Ok(())
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest() {
        let error = settings("api:\n  lisen: 127.0.0.1:1\n", &[])
            .expect_err("lisen")
            .to_string();
        assert!(
            error.contains(":2:3") && error.contains("did you mean \"listen\""),
            "{error}"
        );
        let error = settings("", &["api.lisen=x"])
            .expect_err("lisen")
            .to_string();
        assert!(
            error.starts_with("--set api.lisen") && error.contains("did you mean \"listen\""),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_place() {
        let error = settings("leader:\n  grace_period: soon\n", &[])
            .expect_err("soon")
            .to_string();
        assert!(
            error.contains(":2:17") && error.contains("no duration"),
            "{error}"
        );
    }
}
