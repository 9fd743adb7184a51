//! A driver of any kind of controller: observe, plan, apply and read back.

use async_trait::async_trait;
use chrono::Utc;
use drydock_model::change::{Change, JournalEntry};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, ErrorClass, Observation, StepContext, StepPlan,
};
use drydock_model::effective::Node;
use drydock_model::step::StepAction;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{self, Kind, POWER_OFF, POWER_ON, SET_BOOT, Seen};
use super::{Boot, Controller, Interrogation, Override, Reading, Switched, Timing, Words};

/// The driver for one `oob.type`. One for a process, so that a controller has one actor.
pub struct OobDriver<C> {
    controller: C,
    timing: Timing,
}

impl<C: Controller> OobDriver<C> {
    /// The driver of these controllers. Nothing is sent yet.
    #[must_use]
    pub fn of(controller: C, timing: Timing) -> Self {
        OobDriver { controller, timing }
    }

    /// What it speaks to controllers with.
    #[must_use]
    pub fn controller(&self) -> &C {
        &self.controller
    }

    /// Ends all sessions; commands under way end first. Later calls open new ones.
    pub async fn shutdown(&self) {
        self.controller.shutdown().await;
    }

    async fn switch(&self, node: &Node, on: bool) -> Result<String, DriverError> {
        let switched = match self.controller.set_power(node, on).await {
            Ok(switched) => switched,
            Err(error) => self.unless_so_already(node, on, error).await?,
        };
        if on && switched != Switched::SoAlready {
            // A machine may switch itself off again before the next look, so what is seen now is kept. Failing to
            // see it is no failure of the command.
            return Ok(plan::power_evidence(self.controller.power(node).await.ok()));
        }
        Ok(plan::evidence(switched))
    }

    /// Some controllers refuse what is so already ("not possible in the present state", IPMI v2.0 table 5-2: D5h, CCh), as it
    /// is after an answer was lost. Then that is no fault.
    async fn unless_so_already(
        &self,
        node: &Node,
        wanted: bool,
        error: DriverError,
    ) -> Result<Switched, DriverError> {
        if error.class == ErrorClass::Permanent
            && self.controller.power(node).await.ok() == Some(wanted)
        {
            return Ok(Switched::SoAlready);
        }
        Err(error)
    }

    /// Sets the boot device and reads it back: some controllers say yes and keep the old value.
    async fn set_boot(&self, node: &Node, change: &Change) -> Result<String, DriverError> {
        let wanted = Boot::deserialize(&change.after)
            .map_err(|error| unknown_change(change, &error.to_string()))?;
        let Override::To(device) = wanted.device else {
            return Err(unknown_change(change, "no boot device is asked for"));
        };
        self.controller.set_boot(node, &wanted).await?;
        let now = self.controller.boot(node).await?;
        if self.controller.honoured(&wanted, &now) {
            return Ok(format!("read back {now}"));
        }
        let Words { controller, .. } = self.controller.words();
        Err(DriverError::permanent(
            change.verb.clone(),
            change.target.clone(),
            format!(
                "the {controller} of {} said yes, read back {now}",
                node.name
            ),
            format!(
                "set {} by hand or update the {controller}'s firmware",
                device.boot()
            ),
        ))
    }

    async fn look(&self, cx: &StepContext, seen: &mut Seen) -> Result<(), DriverError> {
        let node = cx.node()?;
        seen.bmc = self.controller.address(node, cx.action.as_str())?;
        let power_on = self.controller.power(node).await?;
        seen.power_on = Some(power_on);
        if matches!(
            cx.action,
            StepAction::SetNodeBoot | StepAction::PowerCycleNode
        ) {
            seen.boot = Some(self.controller.boot(node).await?);
        }
        if cx.action == StepAction::InterrogateOob {
            let Interrogation {
                description,
                inventory,
            } = self
                .controller
                .interrogate(node, power_on, cx.time_left)
                .await?;
            seen.device = Some(description);
            seen.inventory = Some(self.with_boot(node, &seen.bmc, inventory).await);
        }
        seen.at = Utc::now();
        Ok(())
    }
}

impl<C: Controller> OobDriver<C> {
    /// The inventory with what is the same for every kind of controller: its type, its address, what the machine boots from next.
    async fn with_boot(&self, node: &Node, address: &str, mut inventory: Value) -> Value {
        let boot = self.controller.boot(node).await;
        if let Value::Object(data) = &mut inventory {
            data.insert("type".into(), self.controller.words().name.into());
            data.insert("address".into(), address.into());
            match boot {
                Ok(boot) => {
                    data.insert("boot".into(), json!(boot));
                }
                Err(error) => {
                    let missing = data.entry("not_read").or_insert_with(|| json!({}));
                    missing["boot"] = error.to_string().into();
                }
            }
        }
        inventory
    }
}

/// A driver of controllers as the process that runs it looks after it.
#[async_trait]
pub trait Attended: Send + Sync {
    /// Its name in settings.
    fn name(&self) -> &'static str;

    /// The counters of each controller that was spoken to.
    fn readings(&self) -> Vec<Reading>;

    /// Ends all sessions; commands under way end first. Later calls open new ones.
    async fn shutdown(&self);
}

#[async_trait]
impl<C: Controller> Attended for OobDriver<C> {
    fn name(&self) -> &'static str {
        self.controller.words().name
    }

    fn readings(&self) -> Vec<Reading> {
        self.controller.readings()
    }

    async fn shutdown(&self) {
        self.controller.shutdown().await;
    }
}

#[async_trait]
impl<C: Controller> Driver for OobDriver<C> {
    fn name(&self) -> &'static str {
        self.controller.words().name
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Oob
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        use StepAction as A;
        let mut seen = Seen {
            at: Utc::now(),
            bmc: String::new(),
            power_on: None,
            boot: None,
            device: None,
            inventory: None,
        };
        match cx.action {
            // Each controller is asked by its own steps; there is no service in between.
            A::ValidateOobServices | A::ConfigNodePxe => {}
            A::SetNodeBoot
            | A::PowerOffNode
            | A::PowerOnNode
            | A::PowerCycleNode
            | A::InterrogateOob => self.look(cx, &mut seen).await?,
            _ => return Err(foreign(cx, self.controller.words())),
        }
        serde_json::to_value(seen)
            .map(Observation)
            .map_err(|error| unreadable(cx, &error))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        let kind = Kind {
            words: self.controller.words(),
            timing: self.timing,
            wish: &|node, device| self.controller.wish(node, device),
            honoured: &|wanted, seen| self.controller.honoured(wanted, seen),
        };
        match Seen::deserialize(&observed.0) {
            Ok(seen) => plan::plan(cx, kind, &seen, journal).unwrap_or_else(StepPlan::fail),
            Err(error) => StepPlan::fail(unreadable(cx, &error)),
        }
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        let node = cx.node()?;
        match change.verb.as_str() {
            POWER_OFF => self.switch(node, false).await,
            POWER_ON => self.switch(node, true).await,
            SET_BOOT => self.set_boot(node, change).await,
            _ => Err(unknown_change(change, "no action plans such a change")),
        }
    }
}

fn unknown_change(change: &Change, got: &str) -> DriverError {
    DriverError::permanent(
        change.verb.clone(),
        change.target.clone(),
        got,
        "report this as a defect",
    )
}

pub(super) fn foreign(cx: &StepContext, words: Words) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        format!("the {} driver", words.name),
        "an out-of-band driver has no such action",
        "report this as a defect",
    )
}

fn unreadable(cx: &StepContext, error: &serde_json::Error) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        "an observation",
        format!("it is not of the shape that this driver observes: {error}"),
        "report this as a defect",
    )
}
