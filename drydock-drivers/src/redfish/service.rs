//! A Redfish service that took our credentials: its documents, changes, actions, and the tasks that come of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nv_redfish::core::action::ActionTarget;
use nv_redfish::core::{
    Action, Bmc, EntityTypeRef, ModificationResponse, ODataId, Raw, RepairError,
};
use nv_redfish::quirks::{BmcQuirks, CompatBmc, RootEvidence};
use serde_json::Value;

use super::transport::Transport;
use super::trouble::{Refusal, Trouble, without_userinfo};
use super::wire::Wire;
use crate::oob::account::Account;

/// Where a service begins (DSP0266, section "Resource URI patterns").
const ROOT: &str = "/redfish/v1/";
/// Where sessions are opened when nobody says where.
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
/// First and longest pause between two looks at a task.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// Most pages of a collection.
const PAGES: usize = 20;

/// One service, with its session.
pub(super) struct Service {
    wire: Arc<Wire>,
    compat: CompatBmc<Transport>,
    root: Value,
    /// How long a task may take.
    patience: Duration,
}

impl Service {
    /// Reads the root and opens a session; where there are no sessions, and with `slotless` also where none is free, each request
    /// proves who we are. Whoever holds the wire can end the session, also when this is not awaited to its end.
    ///
    /// # Errors
    /// What went wrong; then there is no session.
    pub(super) async fn open(
        wire: Arc<Wire>,
        account: &Account,
        slotless: bool,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        let transport = Arc::new(Transport(Arc::clone(&wire)));
        let id = ODataId::from(ROOT.to_owned());
        let read = transport.get::<Raw>(&id).await;
        let (root, shut) = match read {
            // Anybody may read the root, but not everywhere.
            Err(Trouble::Credentials(_)) => (None, true),
            other => (Some(object(other?)?), false),
        };
        let named = root.as_ref().and_then(|root| sessions_of(root.value()));
        match named {
            Some(path) => log_in(&wire, &path, account, slotless).await?,
            None if shut => log_in(&wire, SESSIONS, account, slotless).await?,
            None => wire.use_basic(account),
        }
        let root = match root {
            Some(root) => root,
            None => match transport.get::<Raw>(&id).await.and_then(object) {
                Ok(root) => root,
                Err(trouble) => {
                    let _ = wire.log_out().await;
                    return Err(trouble);
                }
            },
        };
        let root = root.value().clone();
        let quirks = BmcQuirks::classify(&RootEvidence::from_root(&root));
        Ok(Service {
            wire,
            compat: CompatBmc::new(transport, Arc::new(quirks)),
            root,
            patience,
        })
    }

    /// Its root.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The client crate's view of it, with the repairs for its maker.
    pub(super) fn compat(&self) -> &CompatBmc<Transport> {
        &self.compat
    }

    /// From now on this long passes between two requests.
    pub(super) fn set_gap(&self, gap: Duration) {
        self.wire.set_gap(gap);
    }

    /// Whether it put a request off since this was last asked.
    pub(super) fn was_busy(&self) -> bool {
        self.wire.was_put_off()
    }

    /// Ends the session.
    pub(super) async fn close(&self) -> Result<(), Trouble> {
        self.wire.log_out().await
    }

    /// Reads a document.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Trouble> {
        let id = ODataId::from(path.to_owned());
        let raw = self.compat.get::<Raw>(&id).await.map_err(plain)?;
        Ok(Arc::try_unwrap(raw).map_or_else(|raw| raw.value().clone(), Raw::into_value))
    }

    /// References of the members of a collection, over all its pages.
    pub(super) async fn members(&self, path: &str) -> Result<Vec<Value>, Trouble> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        for _ in 0..PAGES {
            let Some(path) = next.take() else { break };
            let mut page = self.get(&path).await?;
            next = page["Members@odata.nextLink"].as_str().map(str::to_owned);
            match page["Members"].take() {
                Value::Array(members) => all.extend(members),
                _ => return Err(Trouble::Garbage(format!("{path} has no Members"))),
            }
        }
        Ok(all)
    }

    /// Changes a resource, on the condition that it is still as it was read, and follows the change to its end.
    pub(super) async fn patch(&self, path: &str, change: &Value) -> Result<(), Trouble> {
        let id = ODataId::from(path.to_owned());
        for last in [false, true] {
            let now = self.compat.get::<Raw>(&id).await.map_err(plain)?;
            let changed = self.compat.update::<Value, Raw>(&id, now.etag(), change);
            match changed.await.map_err(plain) {
                // Somebody changed something else in between.
                Err(Trouble::Refused(refusal)) if refusal.status == 412 && !last => {}
                outcome => return self.follow(outcome?).await,
            }
        }
        Ok(())
    }

    /// Runs an action and follows it to its end.
    pub(super) async fn act(&self, target: &str, parameters: &Value) -> Result<(), Trouble> {
        let action: Action<Value, Raw> = Action::new(ActionTarget::new(target.to_owned()));
        let started = self.compat.action(&action, parameters).await;
        self.follow(started.map_err(plain)?).await
    }

    /// Waits until the task that a change became has ended (DSP0266, section "Asynchronous operations").
    async fn follow(&self, response: ModificationResponse<Raw>) -> Result<(), Trouble> {
        let ModificationResponse::Task(mut task) = response else {
            return Ok(());
        };
        let end = Instant::now() + self.patience;
        let mut pause = FIRST_LOOK;
        let mut said = "nothing".to_owned();
        loop {
            let rest = task.retry_after.unwrap_or(pause).max(pause);
            if Instant::now() + rest >= end {
                return Err(Trouble::Unfinished(said));
            }
            tokio::time::sleep(rest).await;
            pause = (pause * 2).min(LONGEST_LOOK);
            let document = match self
                .compat
                .poll::<Raw>(&task.location.0)
                .await
                .map_err(plain)
            {
                Ok(ModificationResponse::Task(next)) => {
                    task = next;
                    continue;
                }
                Ok(ModificationResponse::Entity(raw)) => raw.into_value(),
                Ok(ModificationResponse::Message(_) | ModificationResponse::Empty) => return Ok(()),
                // It has ended and is forgotten; what is read back tells how.
                Err(Trouble::Refused(refusal)) if matches!(refusal.status, 404 | 410) => {
                    return Ok(());
                }
                // It is the look that came at a bad time, not the work.
                Err(Trouble::Refused(refusal)) if matches!(refusal.status, 408 | 409 | 429) => {
                    task.retry_after = refusal.retry_after;
                    continue;
                }
                // The monitor answers what the request would have been answered, and says why.
                Err(Trouble::Refused(refusal))
                    if refusal.status == 400 && !refusal.words.is_empty() =>
                {
                    return Err(Trouble::Failed(refusal.text));
                }
                // That it may not be looked at tells nothing of the work, which was accepted.
                Err(Trouble::Refused(refusal)) if matches!(refusal.status, 400..=499) => {
                    let Refusal { status, text, .. } = refusal;
                    return Err(Trouble::Unfinished(format!("{status} to its task: {text}")));
                }
                Err(other) => return Err(other),
            };
            match progress(&document) {
                Progress::Ended => return Ok(()),
                Progress::Failed(why) => return Err(Trouble::Failed(why)),
                Progress::Running(state) => said = state,
            }
        }
    }
}

/// Anything else would be read as a service that has nothing.
fn object(root: Arc<Raw>) -> Result<Arc<Raw>, Trouble> {
    if root.value().is_object() {
        Ok(root)
    } else {
        Err(Trouble::Garbage("its root is no object".to_owned()))
    }
}

async fn log_in(wire: &Wire, path: &str, account: &Account, slotless: bool) -> Result<(), Trouble> {
    match wire.log_in(path, account).await {
        // Perhaps by sessions of our own, before we were killed.
        Err(Trouble::Refused(refusal)) if refusal.is_about_slots() && slotless => {
            wire.use_basic_instead(account);
            Ok(())
        }
        // There is no such thing after all.
        Err(Trouble::Refused(refusal)) if matches!(refusal.status, 404 | 405 | 501) => {
            wire.use_basic(account);
            Ok(())
        }
        // Tried again they would lock the account.
        Err(Trouble::Refused(refusal)) if refusal.is_about_credentials() => {
            let Refusal { status, text, .. } = refusal;
            Err(Trouble::Credentials(format!("{status} {text}")))
        }
        outcome => outcome,
    }
}

/// Where sessions are opened, if the root names a place.
pub(super) fn sessions_of(root: &Value) -> Option<String> {
    let direct = root["Links"]["Sessions"]["@odata.id"].as_str();
    let service = root["SessionService"]["@odata.id"].as_str();
    direct
        .map(str::to_owned)
        .or_else(|| service.map(|service| format!("{}/Sessions", service.trim_end_matches('/'))))
}

pub(super) enum Progress {
    Running(String),
    Ended,
    Failed(String),
}

/// What a document at a task's place tells (DSP0268, Task). What is no task is the result.
pub(super) fn progress(document: &Value) -> Progress {
    let Some(state) = document["TaskState"].as_str() else {
        return Progress::Ended;
    };
    match state {
        "Completed" => Progress::Ended,
        "Exception" | "Killed" | "Cancelled" | "Interrupted" => {
            let messages = document["Messages"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let texts = messages.iter().filter_map(|it| it["Message"].as_str());
            let texts = texts.collect::<Vec<_>>().join(" ");
            Progress::Failed(format!("{state} {}", without_userinfo(&texts)))
        }
        other => Progress::Running(other.to_owned()),
    }
}

/// The crate's errors are ours with its decoding errors beside them.
pub(super) fn plain(error: RepairError<Trouble>) -> Trouble {
    match error {
        RepairError::Transport(trouble) => trouble,
        RepairError::Decode(error) => Trouble::Garbage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sessions_are_where_the_root_says() {
        let at = |root: Value| sessions_of(&root);
        let link = |path: &str| json!({"@odata.id": path});
        let direct = at(json!({"Links": {"Sessions": link("/a")}, "SessionService": link("/b")}));
        assert_eq!(direct.as_deref(), Some("/a"));
        let below = at(json!({"SessionService": link("/b/")}));
        assert_eq!(below.as_deref(), Some("/b/Sessions"));
        assert_eq!(at(json!({"Links": {}})), None);
    }

    #[test]
    fn tasks_end_well_or_not() {
        for (state, ended) in [
            ("Completed", Some(true)),
            ("Exception", Some(false)),
            ("New", None),
        ] {
            let told = match progress(&json!({"TaskState": state, "Messages": [{"Message": "x"}]}))
            {
                Progress::Running(_) => None,
                Progress::Ended => Some(true),
                Progress::Failed(_) => Some(false),
            };
            assert_eq!(told, ended, "{state}");
        }
        assert!(matches!(progress(&json!({"Id": "1"})), Progress::Ended));
    }
}
