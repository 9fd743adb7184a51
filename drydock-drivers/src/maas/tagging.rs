//! Machines that get the same tag at the same time get it by one request: MaaS takes any number of them, and a request for each is what makes
//! tags slow on large sites (maas.md, section 10).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drydock_model::driver::DriverError;

use super::client::Client;
use super::form::Form;
use super::shared::Shared;

/// Machines named in one request.
const MOST: usize = 256;

/// The tags that machines are getting just now.
#[derive(Default)]
pub(crate) struct Tagging {
    batches: Mutex<HashMap<String, Arc<Batch>>>,
}

struct Batch {
    waiting: Mutex<BTreeSet<String>>,
    sent: Shared<BTreeSet<String>>,
}

impl Tagging {
    /// Gives a machine a tag; how many machines got it by the same request. Adding one that has it is no fault (MaaS: `update_nodes`).
    pub(crate) async fn add(
        &self,
        client: &Client,
        tag: &str,
        system_id: &str,
    ) -> Result<usize, DriverError> {
        let batch = self.batch(tag);
        let added = loop {
            lock(&batch.waiting).insert(system_id.to_owned());
            match batch.sent.get(|| send(client, tag, &batch)).await {
                // Absent: the list was drawn up just before the machine was put on it.
                Ok(sent) if !sent.contains(system_id) => {}
                Ok(sent) => break Ok(sent.len()),
                Err(error) => break Err(error),
            }
        };
        self.done(tag, batch);
        added
    }

    fn batch(&self, tag: &str) -> Arc<Batch> {
        let mut batches = lock(&self.batches);
        let batch = batches.entry(tag.to_owned()).or_insert_with(|| {
            Arc::new(Batch {
                waiting: Mutex::default(),
                sent: Shared::new(),
            })
        });
        Arc::clone(batch)
    }

    /// Forgets a tag that nobody waits for: most are of one node, and there is no end of them.
    fn done(&self, tag: &str, batch: Arc<Batch>) {
        let mut batches = lock(&self.batches);
        // Ours and the map's: nobody can come by another while the map is held.
        if Arc::strong_count(&batch) == 2 {
            batches.remove(tag);
        }
    }
}

async fn send(client: &Client, tag: &str, batch: &Batch) -> Result<BTreeSet<String>, DriverError> {
    let sent: BTreeSet<String> = {
        let mut waiting = lock(&batch.waiting);
        let sent = waiting.iter().take(MOST).cloned().collect();
        waiting.retain(|id| !BTreeSet::contains(&sent, id));
        sent
    };
    let form = sent
        .iter()
        .fold(Form::new(), |form, id| form.with("add", id));
    // Names of tags are letters, digits, _ and -.
    let path = format!("tags/{tag}/?op=update_nodes");
    client.post(&path, &form).await?;
    Ok(sent)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
