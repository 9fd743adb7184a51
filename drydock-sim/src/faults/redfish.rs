//! What can be peculiar about a Redfish service.

use serde::{Deserialize, Serialize};

/// Peculiarities of a Redfish service. They add to those of the BMC's `vendor`; numbers that are 0 leave what the vendor has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedfishFaults {
    /// So many other systems are listed, before the machine's own; they answer to everything and are nobody's.
    pub other_systems: u8,
    /// There is no session service: basic authentication only.
    pub no_sessions: bool,
    /// Session slots; 16 where it is 0.
    pub session_slots: u16,
    /// Milliseconds without a request after which a session ends; 30 minutes where it is 0.
    pub session_ms: u64,
    /// Basic authentication takes a session slot for its moment, too: refused while all are taken.
    pub basic_takes_slot: bool,
    /// The service root has no `Links`.
    pub no_root_links: bool,
    /// Entity tags.
    pub etags: Etags,
    /// How an accepted change is answered.
    pub accepted: Accepted,
    /// Milliseconds that a task takes; 50 where it is 0.
    pub task_ms: u64,
    /// Tasks end with an exception, and the change is not made.
    pub tasks_fail: bool,
    /// Boot settings are refused unless target, enabled and mode all come.
    pub wants_whole_boot: bool,
    /// Boot settings are refused when a field has the value already.
    pub refuses_unchanged: bool,
    /// `Continuous` is refused.
    pub refuses_continuous: bool,
    /// Boot settings are taken by the settings resource only.
    pub boot_on_settings: bool,
    /// Milliseconds after the firmware began to boot during which boot settings are refused.
    pub post_ms: u64,
    /// Milliseconds after Off during which On is refused, with 409.
    pub on_after_off_ms: u64,
    /// Power commands for what is so already are refused.
    pub refuses_same_power: bool,
    /// There is no `PowerCycle`.
    pub no_power_cycle: bool,
    /// While the power is on its way, it says so, where others name the state that they leave.
    pub shows_power_on_its_way: bool,
    /// Virtual media are inserted by PATCH; there are no actions.
    pub media_by_patch: bool,
    /// Seconds in `Retry-After` of what is put off; 1 where it is 0.
    pub retry_after_s: u32,
    /// Every so many requests are carried out, and the connection is closed in place of the answer; 0 never.
    pub cuts_off_every: u32,
}

impl RedfishFaults {
    /// Nothing peculiar.
    pub(crate) const NONE: RedfishFaults = RedfishFaults {
        other_systems: 0,
        no_sessions: false,
        session_slots: 0,
        session_ms: 0,
        basic_takes_slot: false,
        no_root_links: false,
        etags: Etags::Usual,
        accepted: Accepted::Usual,
        task_ms: 0,
        tasks_fail: false,
        wants_whole_boot: false,
        refuses_unchanged: false,
        refuses_continuous: false,
        boot_on_settings: false,
        post_ms: 0,
        on_after_off_ms: 0,
        refuses_same_power: false,
        no_power_cycle: false,
        shows_power_on_its_way: false,
        media_by_patch: false,
        retry_after_s: 0,
        cuts_off_every: 0,
    };
}

/// What a service does about entity tags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Etags {
    /// What the vendor does; without one, they are offered, and `If-Match` is honoured.
    #[default]
    Usual,
    /// There are none, and `If-Match` is ignored.
    None,
    /// A change without `If-Match` is refused with 428.
    Required,
}

/// How a change is answered that was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accepted {
    /// As the vendor does; without one, by 204.
    #[default]
    Usual,
    /// By 200 and a body.
    Content,
    /// By 202 and a task. Boot settings are in force when the task has ended; a power command begins at once.
    Task,
}
