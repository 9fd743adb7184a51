//! A life of a site: everything that a task can do, one after another, with faults at every place of a kind on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use drydock_model::driver::DriverKind;
use drydock_model::id::{IdSource, TaskId};
use drydock_model::oob::{OobCommand, OobVerb};
use drydock_model::step::{StepAction, StepStatus};
use drydock_model::store::TaskTree;
use drydock_model::task::{NewTask, TaskAction};
use drydock_orchestrator::outcome::{self, Outcome};
use drydock_orchestrator::system::RandomIds;
use serde_json::{Map, Value, json};

use super::driver::{ids, witness};
use super::hands;
use super::maas;
use super::script::{Place, Script, Strikes};
use super::seams::{Fault, Point};
use super::site::{Hands, Instance, Site};
use crate::processes::PATIENCE;

/// After this everybody has lost what it held.
const GRACE: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// What a task can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errand {
    pub action: TaskAction,
    pub oob: Option<OobCommand>,
}

/// All there is, from the registries.
pub fn errands() -> Vec<Errand> {
    let mut errands = Vec::new();
    for action in TaskAction::ALL.iter().copied() {
        if action != TaskAction::OobNodes {
            errands.push(Errand { action, oob: None });
            continue;
        }
        for verb in OobVerb::ALL {
            let written = json!({ "verb": verb.as_str() });
            let oob = serde_json::from_value(written).expect("a command");
            errands.push(Errand { action, oob });
        }
    }
    errands
}

/// What is broken on purpose, to see whether the matrix notices.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sabotage {
    pub forgets_intents: bool,
}

/// What came of an errand.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    pub outcome: Outcome,
    pub steps: Vec<(StepAction, StepStatus, Map<String, Value>)>,
    /// What MaaS keeps, if anything was changed.
    pub kept: Map<String, Value>,
}

/// A place, in words that are the same in each life: errand, step by its number, change, point. The change is told without what it names, since
/// names differ.
pub type Where = (usize, Option<usize>, Option<String>, Point);

/// What came of a life.
pub struct Record {
    pub ends: Vec<End>,
    /// The errands with something to do at the machine's controller.
    pub out_of_band: BTreeSet<usize>,
    /// How often each altering call was made, and how often something was done to the machine.
    pub witness: BTreeMap<String, usize>,
    /// Those of the calls that interrupt the machine or wipe it.
    pub dangerous: BTreeSet<String>,
    pub passed: BTreeMap<Where, usize>,
    pub struck: BTreeMap<Where, usize>,
    pub seconds: f64,
}

/// Those who work on the site, and how much of what happened to them has had its consequences.
#[derive(Default)]
struct Crew(Vec<(Instance, usize)>);

struct Life<'a> {
    site: &'a Site,
    script: Arc<Script>,
    sabotage: Sabotage,
    crew: Crew,
}

impl Life<'_> {
    fn hire(&mut self) {
        let forgets = self.sabotage.forgets_intents;
        self.crew
            .0
            .push((self.site.start(&self.script, forgets), 0));
    }

    /// What follows when something has happened to somebody.
    async fn attend(&mut self) {
        for index in (0..self.crew.0.len()).rev() {
            let (instance, seen) = &mut self.crew.0[index];
            let fault = instance.way.struck().borrow().get(*seen).copied();
            let Some(fault) = fault else { continue };
            *seen += 1;
            match fault {
                Fault::Dies => {
                    self.crew.0.remove(index).0.kill().await;
                    self.site.clock.jump(GRACE);
                    self.hire();
                }
                // The one who was stopped before wakes up and finds its work gone on.
                Fault::Sleeps => {
                    self.site.clock.jump(MINUTE);
                    for (at, (other, _)) in self.crew.0.iter().enumerate() {
                        if at != index {
                            other.way.wake();
                        }
                    }
                }
                Fault::Loses | Fault::IsRobbed => {}
            }
        }
    }

    async fn run(&mut self, errand: Errand) -> TaskTree {
        let store = &self.site.store;
        let mut wake = store.subscribe().await.expect("a subscription");
        let task = NewTask {
            id: TaskId(RandomIds.uuid()),
            action: errand.action,
            design_ref: self.site.design_ref.clone(),
            node_filter: None,
            priority: 0,
            dry_run: false,
            strategy: None,
            oob: errand.oob,
            plan: None,
            retry: 0,
            created_by: "test".into(),
            context_marker: None,
            idempotency_key: None,
            created: Utc::now(),
        };
        let id = store.create_task(&task).await.expect("a task").id;
        let begun = Instant::now();
        loop {
            self.attend().await;
            let tree = self.site.store.tree(id).await.expect("the task");
            if tree.task.status.is_final() {
                return tree;
            }
            hands::lend(self.site, id).await;
            assert!(
                begun.elapsed() < PATIENCE,
                "{errand:?} does not end: {tree:#?}\n{:#?}",
                self.script.struck().last()
            );
            // Often enough to see what has happened to whom.
            tokio::select! {
                () = wake.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
    }

    /// Who is late has its say.
    async fn end(mut self) {
        self.script.end();
        self.attend().await;
        for (instance, _) in self.crew.0.drain(..) {
            let ended = tokio::time::timeout(PATIENCE, instance.end()).await;
            ended.expect("an instance that ends");
        }
    }
}

/// Lives a life. `only`: in which of the errands anything happens; `None`: in all.
pub async fn live(
    hands: Hands,
    strikes: Option<Strikes>,
    only: Option<&BTreeSet<usize>>,
    sabotage: Sabotage,
) -> Record {
    let begun = Instant::now();
    let site = Site::new(hands).await;
    let mut life = Life {
        site: &site,
        script: Arc::new(Script::new(strikes)),
        sabotage,
        crew: Crew::default(),
    };
    let crew = match strikes {
        Some((Fault::Sleeps | Fault::IsRobbed, _)) => 2,
        _ => 1,
    };
    for _ in 0..crew {
        life.hire();
    }
    let mut ends = Vec::new();
    let mut out_of_band = BTreeSet::new();
    let mut places: BTreeMap<TaskId, usize> = BTreeMap::new();
    for (index, errand) in errands().into_iter().enumerate() {
        let is_on = only.is_none_or(|only| only.contains(&index));
        life.script.begin(index, is_on);
        let tree = life.run(errand).await;
        let steps = tree.steps.iter().enumerate();
        places.extend(steps.map(|(place, step)| (step.id, place)));
        let is_oob = |action: StepAction| action.driver_kind() == Some(DriverKind::Oob);
        if tree.steps.iter().any(|step| is_oob(step.action)) {
            out_of_band.insert(index);
        }
        let changed = life.script.has_changed(index);
        ends.push(end(&site, &tree, changed).await);
    }
    let script = Arc::clone(&life.script);
    life.end().await;
    let record = Record {
        ends,
        out_of_band,
        witness: witness(&site.world.call_log()),
        dangerous: site.dangerous.calls(),
        passed: told(script.passed(), &places),
        struck: told(script.struck(), &places),
        seconds: begun.elapsed().as_secs_f64(),
    };
    site.end().await;
    record
}

async fn end(site: &Site, tree: &TaskTree, changed: bool) -> End {
    let ids = ids(&site.world.call_log().since(0));
    let facts = |facts: &Map<String, Value>| match maas::without(&ids, facts.clone().into()) {
        Value::Object(facts) => facts,
        _ => Map::new(),
    };
    End {
        outcome: outcome::of_tree(tree),
        steps: tree
            .steps
            .iter()
            .map(|step| (step.action, step.status, facts(&step.facts)))
            .collect(),
        kept: if changed {
            maas::kept(&site.world).await
        } else {
            Map::new()
        },
    }
}

/// How many changes there were at each place.
fn told(passed: BTreeSet<Place>, places: &BTreeMap<TaskId, usize>) -> BTreeMap<Where, usize> {
    let mut told = BTreeMap::new();
    for place in passed {
        let step = place.step.map(|step| places[&step]);
        let verb = place.change.as_deref().and_then(|it| it.split(' ').next());
        let at = (place.errand, step, verb.map(str::to_owned), place.point);
        *told.entry(at).or_default() += 1;
    }
    told
}
