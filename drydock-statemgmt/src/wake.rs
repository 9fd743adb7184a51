//! Wake-up calls within this process.

use async_trait::async_trait;
use drydock_model::store::Wake;
use tokio::sync::watch;

/// One subscriber. The number it watches says nothing, only that it grew.
pub(crate) struct Subscriber(pub(crate) watch::Receiver<u64>);

#[async_trait]
impl Wake for Subscriber {
    async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The store is gone: nothing will ever change again.
            std::future::pending::<()>().await;
        }
    }
}

/// Calls all subscribers.
pub(crate) fn call(sender: &watch::Sender<u64>) {
    sender.send_modify(|count| *count = count.wrapping_add(1));
}
