//! One MaaS region: the client, and the reads that steps share.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use drydock_model::driver::DriverError;
use futures::future::try_join_all;
use tokio::sync::OnceCell;

use super::client::{Client, is_missing};
use super::resource::{ControllerResource, MachineResource, PowerResource, UserResource};
use super::shared::Shared;

/// Machines asked for in one request: 64 take a real server 2.5 s.
const CHUNK: usize = 64;

type ById<T> = HashMap<String, T>;

/// A region and what is remembered of it. Nothing here is believed without a look at the region.
pub(crate) struct Region {
    pub(crate) client: Client,
    power: Shared<ById<PowerResource>>,
    controllers: Shared<Vec<ControllerResource>>,
    machines: Shared<ById<Option<Arc<MachineResource>>>>,
    wanted: Mutex<BTreeSet<String>>,
    hints: Mutex<HashMap<String, String>>,
    user: OnceCell<String>,
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
        }
    }

    /// Power parameters of all machines, by system id.
    pub(crate) async fn power(&self) -> Result<Arc<ById<PowerResource>>, DriverError> {
        self.power
            .get(|| self.client.get("machines/?op=power_parameters"))
            .await
    }

    /// All controllers of the region: racks, and regions where the release lists them.
    pub(crate) async fn controllers(&self) -> Result<Arc<Vec<ControllerResource>>, DriverError> {
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
                Ok(all)
            })
            .await
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

    /// Which machine a node was last time.
    pub(crate) fn hint(&self, node: &str) -> Option<String> {
        lock(&self.hints).get(node).cloned()
    }

    /// Remembers, or with `None` forgets, which machine a node is.
    pub(crate) fn set_hint(&self, node: &str, system_id: Option<&str>) {
        let mut hints = lock(&self.hints);
        match system_id {
            Some(id) => hints.insert(node.to_owned(), id.to_owned()),
            None => hints.remove(node),
        };
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
