//! One change of a machine's interfaces at a time. What an earlier change has made is found by its name.

use drydock_model::change::Change;
use drydock_model::driver::{DriverError, StepContext};
use serde_json::Value;

use super::super::client::is_objection;
use super::super::form::Form;
use super::super::progress::{malformed, text, unknown_verb, value};
use super::super::redeploy;
use super::super::region::Region;
use super::super::resource::InterfaceResource;
use super::{CREATE_BOND, CREATE_VLAN, LINK, REMOVE, RESTORE, SET, SET_GATEWAY, UNLINK};

/// Makes one change; finds it no fault when it is made already.
pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    if change.verb == redeploy::RELEASE {
        return redeploy::apply(region, change).await;
    }
    let system_id = text(change, "system_id")?;
    if change.verb == RESTORE {
        let path = format!("machines/{system_id}/?op=restore_networking_configuration");
        return region
            .client
            .post(&path, &Form::new())
            .await
            .map(|_| "restored".to_owned());
    }
    let nics = Nics {
        region,
        change,
        path: format!("nodes/{system_id}/interfaces/"),
    };
    match change.verb.as_str() {
        CREATE_BOND => nics.create_bond().await,
        CREATE_VLAN => nics.create_vlan().await,
        REMOVE => {
            let gone = region
                .client
                .delete(&format!("{}{}/", nics.path, value(change, "id")?))
                .await?;
            Ok(if gone { "removed" } else { "was gone" }.to_owned())
        }
        SET => {
            let form = nics.bond_form(Form::new())?;
            let path = format!("{}{}/", nics.path, nics.own_id().await?);
            region
                .client
                .put(&path, &form)
                .await
                .map(|_| "set".to_owned())
        }
        UNLINK => nics.unlink().await,
        LINK => {
            let form = Form::new()
                .with("subnet", value(change, "subnet")?)
                .with("mode", text(change, "mode")?)
                .maybe("ip_address", change.after["ip"].as_str())
                .with(
                    "default_gateway",
                    change.after["default_gateway"].as_bool().unwrap_or(false),
                );
            nics.operate("link_subnet", &form).await
        }
        SET_GATEWAY => {
            nics.operate(
                "set_default_gateway",
                &Form::new().with("link_id", value(change, "link")?),
            )
            .await
        }
        _ => Err(unknown_verb(change)),
    }
}

/// The interfaces of the machine that a change is about.
struct Nics<'a> {
    region: &'a Region,
    change: &'a Change,
    path: String,
}

impl Nics<'_> {
    async fn all(&self) -> Result<Vec<InterfaceResource>, DriverError> {
        self.region.client.get(&self.path).await
    }

    /// The id that the plan knew, else that of the interface of this name now.
    async fn id(&self, known: &Value, name: &str) -> Result<i64, DriverError> {
        if let Some(id) = known.as_i64() {
            return Ok(id);
        }
        self.all()
            .await?
            .iter()
            .find(|nic| nic.name == name)
            .map(|nic| nic.id)
            .ok_or_else(|| {
                DriverError::permanent(
                    self.change.verb.clone(),
                    self.change.target.clone(),
                    format!("the machine has no interface {name} any more"),
                    "somebody else changes it; run deploy_nodes again",
                )
            })
    }

    async fn own_id(&self) -> Result<i64, DriverError> {
        self.id(&self.change.after["id"], &text(self.change, "interface")?)
            .await
    }

    async fn operate(&self, op: &str, form: &Form) -> Result<String, DriverError> {
        let path = format!("{}{}/?op={op}", self.path, self.own_id().await?);
        self.region
            .client
            .post(&path, form)
            .await
            .map(|_| "done".to_owned())
    }

    async fn create_bond(&self) -> Result<String, DriverError> {
        let mut form = self.bond_form(Form::new().with("name", text(self.change, "interface")?))?;
        for parent in value(self.change, "parent_ids")?
            .as_array()
            .into_iter()
            .flatten()
        {
            form = form.with("parents", parent);
        }
        self.create("create_bond", &form).await
    }

    async fn create_vlan(&self) -> Result<String, DriverError> {
        let parent = self
            .id(
                &self.change.after["parent_id"],
                &text(self.change, "parent")?,
            )
            .await?;
        let form = Form::new()
            .with("vlan", value(self.change, "vlan")?)
            .with("parent", parent)
            .with("mtu", value(self.change, "mtu")?);
        self.create("create_vlan", &form).await
    }

    async fn create(&self, op: &str, form: &Form) -> Result<String, DriverError> {
        match self
            .region
            .client
            .post(&format!("{}?op={op}", self.path), form)
            .await
        {
            Ok(made) => Ok(format!(
                "created as {} with id {}",
                made["name"], made["id"]
            )),
            Err(error) if is_objection(&error) => {
                let name = text(self.change, "interface")?;
                if self.all().await?.iter().any(|nic| nic.name == name) {
                    Ok("was there".to_owned())
                } else {
                    Err(error)
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn unlink(&self) -> Result<String, DriverError> {
        let link = value(self.change, "link")?;
        match self
            .operate("unlink_subnet", &Form::new().with("id", link))
            .await
        {
            Err(error) if is_objection(&error) => {
                let all = self.all().await?;
                let there = all
                    .iter()
                    .flat_map(|nic| &nic.links)
                    .any(|own| link.as_i64() == Some(own.id));
                if there {
                    Err(error)
                } else {
                    Ok("was gone".to_owned())
                }
            }
            outcome => outcome,
        }
    }

    /// VLAN, MTU, and the parameters of a bond where there are any.
    fn bond_form(&self, form: Form) -> Result<Form, DriverError> {
        let change = self.change;
        let mut form = form
            .with("vlan", value(change, "vlan")?)
            .with("mtu", value(change, "mtu")?);
        for (name, value) in change.after["params"].as_object().into_iter().flatten() {
            form = match value {
                Value::String(text) => form.with(name.as_str(), text),
                Value::Number(number) => form.with(name.as_str(), number),
                _ => return Err(malformed(change, "params")),
            };
        }
        Ok(form)
    }
}
