//! Tasks: what a service does after it has answered (DSP0266 section 8.7.1).

use std::time::Instant;

use serde_json::{Value, json};

use super::answer::Reply;
use super::boot::Flags;
use super::{Service, State};

/// Tasks that are remembered; older ones are gone.
const KEPT: usize = 32;

#[derive(Debug)]
struct Task {
    id: u64,
    due: Instant,
    fails: bool,
    /// Boot flags to be set when it ends.
    boot: Option<Flags>,
    ended: bool,
}

/// The tasks of a service, oldest first.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    all: Vec<Task>,
    last: u64,
}

impl Tasks {
    pub(super) fn ids(&self) -> Vec<u64> {
        self.all.iter().map(|task| task.id).collect()
    }
}

fn monitor(id: u64) -> String {
    format!("/redfish/v1/TaskService/TaskMonitors/{id}")
}

impl Service {
    /// Begins a task, and answers with it.
    pub(super) fn begin_task(&self, boot: Option<Flags>, state: &mut State) -> Reply {
        let ways = self.ways();
        let tasks = &mut state.tasks;
        tasks.last += 1;
        let task = Task {
            id: tasks.last,
            due: Instant::now() + ways.task_time(),
            fails: ways.is.tasks_fail,
            boot,
            ended: false,
        };
        let reply = running(&task);
        tasks.all.push(task);
        let surplus = tasks.all.len().saturating_sub(KEPT);
        tasks.all.drain(..surplus);
        reply
    }

    /// Ends the tasks whose time has come. Nobody can see a task between two requests, so this is done at each.
    pub(super) fn settle_tasks(&self, state: &mut State) {
        for task in &mut state.tasks.all {
            if task.ended || Instant::now() < task.due {
                continue;
            }
            task.ended = true;
            if let Some(flags) = task.boot.filter(|_| !task.fails) {
                self.machine.boot_flags_from_bmc(flags);
            }
        }
    }
}

/// `Tasks/{id}`.
pub(super) fn shown(id: &str, state: &State) -> Option<Reply> {
    find(id, state).map(|task| Reply::resource(body(task)))
}

/// `TaskMonitors/{id}`: 202 until it ends, then what the request itself would have been answered.
pub(super) fn monitored(id: &str, state: &State) -> Option<Reply> {
    let task = find(id, state)?;
    Some(match (task.ended, task.fails) {
        (false, _) => running(task),
        (true, false) => Reply::new(204, None),
        (true, true) => Reply::refusal(
            400,
            "Base.1.18.OperationFailed",
            "An error occurred internal to the service as part of the overall request.",
        ),
    })
}

fn find<'a>(id: &str, state: &'a State) -> Option<&'a Task> {
    let id: u64 = id.parse().ok()?;
    state.tasks.all.iter().find(|task| task.id == id)
}

fn running(task: &Task) -> Reply {
    Reply::new(202, Some(body(task))).with("Location", monitor(task.id))
}

fn body(task: &Task) -> Value {
    let (state, status) = match (task.ended, task.fails) {
        (false, _) => ("Running", "OK"),
        (true, false) => ("Completed", "OK"),
        (true, true) => ("Exception", "Critical"),
    };
    let id = task.id;
    json!({
        "@odata.id": format!("/redfish/v1/TaskService/Tasks/{id}"),
        "@odata.type": "#Task.v1_7_4.Task",
        "Id": id.to_string(),
        "Name": format!("Task {id}"),
        "TaskState": state,
        "TaskStatus": status,
        "TaskMonitor": monitor(id),
        "Messages": [],
    })
}
