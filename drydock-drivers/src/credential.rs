//! Secrets as designs and settings write them: the secret itself, or where it stands (`env:NAME`, `file:PATH`).

use drydock_model::driver::DriverError;
use drydock_model::effective::Node;
use secrecy::{ExposeSecret, SecretString};

/// Why a secret could not be looked up. Never shows a value: the error of a variable that is no text would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// Where it was looked for.
    pub place: String,
    /// What was there instead.
    pub got: String,
}

/// The secret that is written or referred to, looked up now.
///
/// # Errors
/// The place that does not give it.
pub async fn look_up(written: &SecretString) -> Result<SecretString, NotFound> {
    let text = written.expose_secret();
    if let Some(name) = text.strip_prefix("env:") {
        let missing = |got: &str| NotFound {
            place: format!("environment variable {name}"),
            got: got.to_owned(),
        };
        return match std::env::var(name) {
            Ok(value) => Ok(value.into()),
            Err(std::env::VarError::NotPresent) => Err(missing("it is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(missing("it is not UTF-8")),
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        return match tokio::fs::read_to_string(path).await {
            Ok(value) => Ok(value.trim_end_matches(['\r', '\n']).to_owned().into()),
            Err(error) => Err(NotFound {
                place: format!("file {path}"),
                got: error.to_string(),
            }),
        };
    }
    Ok(written.clone())
}

/// The node's out-of-band password, looked up now.
///
/// `Ok(None)`: the design gives none.
pub(crate) async fn resolve(node: &Node) -> Result<Option<SecretString>, DriverError> {
    let Some(written) = &node.oob.credential else {
        return Ok(None);
    };
    match look_up(written).await {
        Ok(secret) => Ok(Some(secret)),
        Err(NotFound { place, got }) => Err(DriverError::permanent(
            format!("reading the out-of-band credential of {}", node.name),
            place,
            got,
            "make it readable for the process or write another oob.credential",
        )),
    }
}
