//! Parts written by others that the tests run against, as far as they come from PyPI. What is Debian's is in [`packages`](crate::packages).

use std::path::PathBuf;

use anyhow::Result;

use crate::python::Environment;
use crate::repository::Repository;

/// A BMC that speaks IPMI, a Redfish service, and a client of such services.
const PACKAGES: [&str; 3] = ["pyghmi==1.6.19", "sushy==5.14.0", "sushy-tools==2.2.0"];

/// Whether a part that cannot be had is a failure: continuous integration has to have them all.
pub(crate) fn required() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Installs them, and gives the Python that has them.
///
/// # Errors
/// They cannot be had.
pub(crate) fn install(repository: &Repository) -> Result<PathBuf> {
    let environment = Environment::new(repository, "parts", &PACKAGES);
    environment.install()?;
    Ok(environment.python())
}
