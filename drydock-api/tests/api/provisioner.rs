//! A node provisioner of a test: remembers what was done to which node, and fails where it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use drydock_model::build_data::{Collected, Element};
use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, Report, StepContext,
    StepPlan, Then,
};
use serde_json::json;

pub struct Provisioner {
    machines: Mutex<Result<Vec<Machine>, String>>,
    broken: Mutex<BTreeSet<String>>,
    done: Mutex<Vec<(String, String)>>,
    looks: AtomicUsize,
}

impl Provisioner {
    /// With machines of these names.
    pub fn new(names: &[&str]) -> Arc<Self> {
        let machine = |name: &&str| Machine {
            hostname: (*name).to_owned(),
            memory: Some(4096),
            cpu_count: Some(4),
            status_name: "Deployed".to_owned(),
            power_state: Some("on".to_owned()),
            ..Machine::default()
        };
        Arc::new(Provisioner {
            machines: Mutex::new(Ok(names.iter().map(machine).collect())),
            broken: Mutex::default(),
            done: Mutex::default(),
            looks: AtomicUsize::new(0),
        })
    }

    /// From now on it cannot be reached.
    pub fn fall_sick(&self) {
        *self.machines.lock().unwrap() = Err("connection refused".to_owned());
    }

    /// Changes of these nodes, and of no others, are refused from now on.
    pub fn refuse(&self, nodes: &[&str]) {
        *self.broken.lock().unwrap() = nodes.iter().map(|name| (*name).to_owned()).collect();
    }

    /// How often its health was asked for.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn answer(&self) -> Result<Vec<Machine>, DriverError> {
        self.machines.lock().unwrap().clone().map_err(|got| {
            DriverError::transient("listing machines", "the test's provisioner", got, "cure it")
        })
    }
}

fn key(cx: &StepContext) -> (String, String) {
    let node = cx.node.as_ref().map_or("site", |node| &node.name);
    (cx.step.to_string(), node.to_owned())
}

#[async_trait]
impl Driver for Provisioner {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Node
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        Ok(Observation(json!(
            self.done.lock().unwrap().contains(&key(cx))
        )))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, _: &[JournalEntry]) -> StepPlan {
        let (_, node) = key(cx);
        if observed.0 == json!(true) {
            let collected = |generator: &str, element| Collected {
                generator: generator.to_owned(),
                element,
            };
            let mut report = Report::new(format!("{node} is done"));
            report.build_data = vec![
                collected(
                    "recorder",
                    Element::Json(json!({"touched": node, "password": "sesame"})),
                ),
                collected(
                    "words",
                    Element::Text {
                        media_type: "text/plain".to_owned(),
                        text: format!("{node} \u{0} was touched"),
                    },
                ),
            ];
            return StepPlan {
                changes: Vec::new(),
                then: Then::Done(report),
            };
        }
        StepPlan::apply(vec![Change {
            target: format!("machine {node}"),
            verb: "touch".to_owned(),
            before: json!(false),
            after: json!(true),
            risk: Risk::Reversible,
            why: "the test wants it".to_owned(),
        }])
    }

    async fn apply(&self, cx: &StepContext, _: &Change) -> Result<String, DriverError> {
        let key = key(cx);
        if self.broken.lock().unwrap().contains(&key.1) {
            return Err(DriverError::permanent(
                "touching", &key.1, "refused", "leave it",
            ));
        }
        self.done.lock().unwrap().push(key);
        Ok("touched".to_owned())
    }
}

#[async_trait]
impl NodeProvisioner for Provisioner {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        self.answer()
    }

    async fn health(&self) -> Result<(), DriverError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.answer().map(drop)
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        let kernels = BTreeSet::from(["ga-22.04".to_owned()]);
        self.answer()
            .map(|_| [("jammy".to_owned(), kernels)].into())
    }
}
