//! Where a node's controller is, and as whom it is spoken to.

use std::net::SocketAddr;

use drydock_model::driver::DriverError;
use drydock_model::effective::Node;
use secrecy::{ExposeSecret, SecretString};

use crate::allow::AllowNetworks;
use crate::credential;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

impl Account {
    pub(crate) fn is(&self, other: &Account) -> bool {
        self.user == other.user && self.password.expose_secret() == other.password.expose_secret()
    }

    /// The node's, looked up now. `target` is its controller as errors name it.
    ///
    /// # Errors
    /// When the design gives none, or what it refers to cannot be read.
    pub(crate) async fn of(node: &Node, tried: &str, target: &str) -> Result<Self, DriverError> {
        let absent = |what: &str| {
            DriverError::permanent(
                tried,
                target,
                format!("the design gives no oob.{what} for it"),
                format!("write oob.{what} of {}", node.name),
            )
        };
        let user = node.oob.account.clone().ok_or_else(|| absent("account"))?;
        let password = credential::resolve(node)
            .await?
            .ok_or_else(|| absent("credential"))?;
        Ok(Account { user, password })
    }
}

/// Where the node's BMC is, if it may be contacted: its out-of-band address, and the port of the design or this one.
///
/// # Errors
/// When the design gives no address, or one outside the allowed networks. Nothing was sent.
pub(crate) fn bmc_address(
    node: &Node,
    port: u16,
    allow: &AllowNetworks,
    tried: &str,
) -> Result<SocketAddr, DriverError> {
    let address = node.oob.address.ok_or_else(|| {
        DriverError::permanent(
            tried,
            node.name.as_str(),
            "the design gives no address for its controller",
            format!(
                "give {} an address on the network that oob.network names",
                node.name
            ),
        )
    })?;
    allow.check(address).map_err(|refused| {
        DriverError::permanent(
            format!("{tried} of {}", node.name),
            format!("BMC {address} of {}", node.name),
            refused.to_string(),
            "change the node's address in the design or the setting drivers.allow_networks",
        )
    })?;
    Ok(SocketAddr::new(address, node.oob.port.unwrap_or(port)))
}
