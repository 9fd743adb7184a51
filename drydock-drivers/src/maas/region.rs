//! One MaaS region: the client, and the reads that steps share.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use drydock_model::driver::DriverError;
use drydock_model::effective::Node;
use futures::future::try_join_all;
use tokio::sync::OnceCell;

use super::client::{Client, is_missing, is_objection};
use super::resource::{
    ControllerResource, DomainResource, FabricResource, MachineResource, PowerResource,
    SubnetResource, TagResource, UserResource,
};
use super::shared::Shared;
use super::tagging::Tagging;

/// Machines asked for in one request: 64 take a real server 2.5 s.
const CHUNK: usize = 64;

type ById<T> = HashMap<String, T>;

/// One of MaaS's own controllers.
pub(crate) struct Controller {
    pub(crate) resource: ControllerResource,
    /// Where its own BMC is, as far as MaaS knows.
    pub(crate) power_address: Option<String>,
}

/// Which machine a node was, found with this power address.
struct Hint {
    system_id: String,
    power_address: Option<IpAddr>,
}

/// A region and what is remembered of it. Nothing here is believed without a look at the region.
pub(crate) struct Region {
    pub(crate) client: Client,
    power: Shared<ById<PowerResource>>,
    controllers: Shared<Vec<Controller>>,
    machines: Shared<ById<Option<Arc<MachineResource>>>>,
    wanted: Mutex<BTreeSet<String>>,
    hints: Mutex<HashMap<String, Hint>>,
    user: OnceCell<String>,
    fabrics: Shared<Vec<FabricResource>>,
    subnets: Shared<Vec<SubnetResource>>,
    domains: Shared<Vec<DomainResource>>,
    tags: Shared<Vec<TagResource>>,
    pub(crate) tagging: Tagging,
}

impl Region {
    pub(crate) fn new(client: Client) -> Self {
        Region {
            client,
            power: Shared::new(),
            controllers: Shared::new(),
            machines: Shared::new(),
            wanted: Mutex::default(),
            hints: Mutex::default(),
            user: OnceCell::new(),
            fabrics: Shared::new(),
            subnets: Shared::new(),
            domains: Shared::new(),
            tags: Shared::new(),
            tagging: Tagging::default(),
        }
    }

    /// Power parameters of all machines, by system id.
    pub(crate) async fn power(&self) -> Result<Arc<ById<PowerResource>>, DriverError> {
        self.power
            .get(|| self.client.get("machines/?op=power_parameters"))
            .await
    }

    /// All fabrics with their VLANs.
    pub(crate) async fn fabrics(&self) -> Result<Arc<Vec<FabricResource>>, DriverError> {
        self.fabrics.get(|| self.client.get("fabrics/")).await
    }

    /// All subnets.
    pub(crate) async fn subnets(&self) -> Result<Arc<Vec<SubnetResource>>, DriverError> {
        self.subnets.get(|| self.client.get("subnets/")).await
    }

    /// All DNS domains.
    pub(crate) async fn domains(&self) -> Result<Arc<Vec<DomainResource>>, DriverError> {
        self.domains.get(|| self.client.get("domains/")).await
    }

    /// All tags.
    pub(crate) async fn tags(&self) -> Result<Arc<Vec<TagResource>>, DriverError> {
        self.tags.get(|| self.client.get("tags/")).await
    }

    /// All controllers of the region: racks, and regions where the release lists them.
    pub(crate) async fn controllers(&self) -> Result<Arc<Vec<Controller>>, DriverError> {
        self.controllers
            .get(|| async {
                let mut all: Vec<ControllerResource> = self.client.get("rackcontrollers/").await?;
                match self
                    .client
                    .get::<Vec<ControllerResource>>("regioncontrollers/")
                    .await
                {
                    Ok(regions) => all.extend(regions),
                    Err(error) if is_missing(&error) => {}
                    Err(error) => return Err(error),
                }
                let power = self.controller_power().await?;
                Ok(all
                    .into_iter()
                    .map(|resource| Controller {
                        power_address: power
                            .get(&resource.system_id)
                            .map(|parameters| parameters.power_address.clone()),
                        resource,
                    })
                    .collect())
            })
            .await
    }

    /// Power parameters of the racks. A release that does not offer them is no fault: then they are told by what else
    /// is known of them.
    async fn controller_power(&self) -> Result<ById<PowerResource>, DriverError> {
        match self
            .client
            .get("rackcontrollers/?op=power_parameters")
            .await
        {
            Err(error) if is_missing(&error) || is_objection(&error) => Ok(ById::new()),
            read => read,
        }
    }

    /// The machine of this id, if there is one. Those who ask at the same time share the requests.
    pub(crate) async fn machine(
        &self,
        system_id: &str,
    ) -> Result<Option<Arc<MachineResource>>, DriverError> {
        loop {
            lock(&self.wanted).insert(system_id.to_owned());
            let read = self.machines.get(|| self.read_wanted()).await?;
            // Absent means not asked for: the list was drawn up just before the id was put on it.
            if let Some(machine) = read.get(system_id) {
                return Ok(machine.clone());
            }
        }
    }

    async fn read_wanted(&self) -> Result<ById<Option<Arc<MachineResource>>>, DriverError> {
        let wanted: Vec<String> = std::mem::take(&mut *lock(&self.wanted))
            .into_iter()
            .collect();
        let lists = try_join_all(wanted.chunks(CHUNK).map(|chunk| async move {
            let ids: Vec<String> = chunk
                .iter()
                .map(|id| format!("id={}", segment(id)))
                .collect();
            self.client
                .get::<Vec<MachineResource>>(&format!("machines/?{}", ids.join("&")))
                .await
        }))
        .await?;
        let mut read: ById<Option<Arc<MachineResource>>> =
            wanted.into_iter().map(|id| (id, None)).collect();
        for machine in lists.into_iter().flatten() {
            if let Some(slot) = read.get_mut(&machine.system_id) {
                *slot = Some(Arc::new(machine));
            }
        }
        Ok(read)
    }

    /// The user of our API key.
    pub(crate) async fn user(&self) -> Result<&str, DriverError> {
        self.user
            .get_or_try_init(|| async {
                Ok(self
                    .client
                    .get::<UserResource>("users/?op=whoami")
                    .await?
                    .username)
            })
            .await
            .map(String::as_str)
    }

    /// Which machine a node was last time, as long as the design gives it the same power address.
    pub(crate) fn hint(&self, node: &Node) -> Option<String> {
        lock(&self.hints)
            .get(&node.name)
            .filter(|hint| hint.power_address == node.oob.address)
            .map(|hint| hint.system_id.clone())
    }

    /// Remembers, or with `None` forgets, which machine a node is.
    pub(crate) fn set_hint(&self, node: &Node, system_id: Option<&str>) {
        let mut hints = lock(&self.hints);
        match system_id {
            Some(id) => {
                let hint = Hint {
                    system_id: id.to_owned(),
                    power_address: node.oob.address,
                };
                hints.insert(node.name.clone(), hint);
            }
            None => {
                hints.remove(&node.name);
            }
        }
    }
}

/// A value as one segment of a path or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A poisoned lock holds plain data that is still good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
