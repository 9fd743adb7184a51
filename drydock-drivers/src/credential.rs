//! Credentials of a design: either the secret itself, or where it stands (`env:NAME`, `file:PATH`).

use drydock_model::driver::DriverError;
use drydock_model::effective::Node;
use secrecy::{ExposeSecret, SecretString};

/// The node's out-of-band password, looked up now.
///
/// `Ok(None)`: the design gives none.
pub(crate) async fn resolve(node: &Node) -> Result<Option<SecretString>, DriverError> {
    let Some(written) = &node.oob.credential else {
        return Ok(None);
    };
    let text = written.expose_secret();
    let failed = |place: &str, got: String| {
        DriverError::permanent(
            format!("reading the out-of-band credential of {}", node.name),
            place.to_owned(),
            got,
            "make it readable for the process or write another oob.credential",
        )
    };
    if let Some(name) = text.strip_prefix("env:") {
        return match std::env::var(name) {
            Ok(value) => Ok(Some(value.into())),
            Err(std::env::VarError::NotPresent) => Err(failed(
                &format!("environment variable {name}"),
                "it is not set".into(),
            )),
            Err(std::env::VarError::NotUnicode(_)) => Err(failed(
                &format!("environment variable {name}"),
                "it is not UTF-8".into(),
            )),
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        return match tokio::fs::read_to_string(path).await {
            Ok(value) => Ok(Some(value.trim_end_matches(['\r', '\n']).to_owned().into())),
            Err(error) => Err(failed(&format!("file {path}"), error.to_string())),
        };
    }
    Ok(Some(written.clone()))
}
