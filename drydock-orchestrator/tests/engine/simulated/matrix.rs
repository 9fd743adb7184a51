//! The crash matrix: every action of a task and every action of a step, something happening at every place that an instance comes by on its way through
//! it. The task ends as without it, and nothing is done to the world twice. The actions come from their registries and the places from a run
//! in which nothing happens, so that a new action is in it without anyone thinking of it.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::driver::DriverKind;
use drydock_model::id::{IdSource, InstanceId, TaskId};
use drydock_model::step::{Condition, PipelinePlan, StepAction, StepPlanned, StepStatus, TaskPlan};
use drydock_model::task::{NewTask, ResultStatus, TaskAction, TaskStatus};
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::outcome::{self, Outcome};
use drydock_orchestrator::system::RandomIds;
use serde_json::{Map, Value};

use super::scripted::{Scripted, World};
use super::seams::{APPLY, Fault, Point, Way, WayClock};
use super::site::{Instance, Nature, Site};
use super::watched::Watched;

const MINUTE: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, Copy, Debug)]
enum What {
    /// As the planner plans it.
    Task(TaskAction),
    /// As this dry run has told it, and nothing else.
    Plan(TaskAction, TaskId),
    /// A plan of this one step, on a node.
    Step(StepAction),
}

/// All there is, from the registries.
fn everything() -> impl Iterator<Item = What> {
    let tasks = TaskAction::ALL.iter().copied().map(What::Task);
    tasks.chain(StepAction::ALL.iter().copied().map(What::Step))
}

/// What is broken on purpose, to see whether the matrix notices.
#[derive(Clone, Copy, Default)]
struct Sabotage {
    forgets_intents: bool,
    clock_stands_still: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
struct End {
    outcome: Outcome,
    steps: Vec<(StepAction, StepStatus, Map<String, Value>)>,
    /// What was done to the world, in order: the place of the step in its task, and the verb.
    witness: Vec<(usize, String)>,
}

struct Play<'a> {
    site: &'a Site,
    world: Arc<World>,
    task: TaskId,
    sabotage: Sabotage,
}

/// One site serves many plays, one after another: each has a task, a world and instances of its own.
async fn site() -> Site {
    let plain = Nature {
        takes: Duration::ZERO,
        refuses: None,
        hangs: None,
        answers: Duration::ZERO,
    };
    let mut site = Site::new(&[("n1".into(), None)], plain).await;
    // A minute is long enough to lose one's claims, and for another to go on with them.
    site.settings.grace_period = Duration::from_secs(20);
    site.settings.heartbeat = Duration::from_secs(8);
    site.settings.claim_interval = Duration::from_secs(8);
    site.settings.poll_interval = Duration::from_secs(20);
    site
}

impl<'a> Play<'a> {
    async fn new(site: &'a Site, what: What, sabotage: Sabotage) -> Self {
        let mut play = Play {
            site,
            world: Arc::default(),
            task: TaskId(RandomIds.uuid()),
            sabotage,
        };
        play.task = match what {
            What::Task(action) => {
                let task = site.task(action);
                site.store.create_task(&task).await.unwrap().id
            }
            What::Plan(action, plan) => {
                let plan = Some(plan);
                let task = NewTask {
                    plan,
                    ..site.task(action)
                };
                site.store.create_task(&task).await.unwrap().id
            }
            What::Step(action) => planned(site, action).await,
        };
        play
    }

    fn start(&self, trip: Option<(usize, Fault)>) -> (Instance, Arc<Way>) {
        let site = self.site;
        let script = move |index, _| trip.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
        let way = Way::new(Arc::clone(&site.store), Box::new(script));
        let mut store = Watched::new(Arc::clone(&site.store), Arc::clone(&site.traffic));
        store.seams = Some(Arc::clone(&way) as _);
        let driver = |kind| {
            Arc::new(Scripted {
                kind,
                world: Arc::clone(&self.world),
                clock: site.clock.clone(),
                way: Arc::clone(&way),
                forgets_intents: self.sabotage.forgets_intents,
            })
        };
        let engine = Engine::new(Parts {
            store: Arc::new(store.clone()),
            designs: Arc::clone(&site.designs),
            drivers: Arc::new(DriverSet {
                oob: vec![driver(DriverKind::Oob)],
                node: Some(driver(DriverKind::Node)),
                network: Some(driver(DriverKind::Network)),
            }),
            clock: Arc::new(WayClock {
                clock: Arc::new(site.clock.clone()),
                way: Arc::clone(&way),
                stands_still: self.sabotage.clock_stands_still,
            }),
            ids: Arc::new(RandomIds),
            settings: site.settings.clone(),
        });
        way.is_of(engine.instance());
        (Site::run(store, engine), way)
    }

    async fn has_ended(&self) -> bool {
        let tree = self.site.store.tree(self.task).await.unwrap();
        tree.task.status.is_final()
    }

    async fn pause(&self, most: Duration) {
        let end = self.site.clock.monotonic() + most;
        self.site
            .until("the pause", 2 * most, async || {
                self.site.clock.monotonic() >= end
            })
            .await;
    }

    /// To the end, with this happening on the way; the places that the first instance came by.
    async fn on(self, trip: Option<(usize, Fault)>) -> (End, Vec<Point>) {
        let (first, way) = self.start(trip);
        let mut instances = vec![first];
        let site = self.site;
        site.until("the end, or the fault", 60 * MINUTE, async || {
            !way.struck().borrow().is_empty() || self.has_ended().await
        })
        .await;
        match trip {
            None => {}
            // The answer to the last call of all may be what matters: then the task has ended as well.
            Some(_) if way.struck().borrow().is_empty() => {
                panic!("the fault has no place: {:?}", way.passed())
            }
            Some((_, Fault::Dies)) => {
                instances.remove(0).kill().await;
                instances.push(self.start(None).0);
            }
            Some((_, Fault::Sleeps)) => {
                instances.push(self.start(None).0);
                self.pause(MINUTE).await;
                way.wake();
            }
            Some((_, Fault::Loses)) => {}
            Some((_, Fault::IsRobbed)) => instances.push(self.start(None).0),
        }
        site.until("the end", 60 * MINUTE, async || self.has_ended().await)
            .await;
        if matches!(trip, Some((_, Fault::Sleeps | Fault::IsRobbed))) {
            // Who is late has its say.
            self.pause(Duration::from_secs(5)).await;
        }
        let tree = site.store.tree(self.task).await.unwrap();
        let place = |id| tree.steps.iter().position(|step| step.id == id).unwrap();
        let end = End {
            outcome: outcome::of_tree(&tree),
            witness: self
                .world
                .witness()
                .into_iter()
                .map(|(step, _, verb)| (place(step), verb))
                .collect(),
            steps: tree
                .steps
                .iter()
                .map(|step| (step.action, step.status, step.facts.clone()))
                .collect(),
        };
        for instance in &instances {
            instance.stop.cancel();
        }
        site.until("an empty stage", MINUTE, async || {
            instances.iter().all(Instance::has_ended)
        })
        .await;
        (end, way.passed())
    }
}

/// A dry run that has ended.
async fn foretold(site: &Site, action: TaskAction) -> TaskId {
    let task = NewTask {
        dry_run: true,
        ..site.task(action)
    };
    let play = Play {
        site,
        world: Arc::default(),
        task: site.store.create_task(&task).await.unwrap().id,
        sabotage: Sabotage::default(),
    };
    let world = Arc::clone(&play.world);
    let task = play.task;
    play.on(None).await;
    assert!(world.witness().is_empty(), "a dry run does nothing");
    task
}

/// A task that is planned already: one step, whether any recipe has it or not.
async fn planned(site: &Site, action: StepAction) -> TaskId {
    let store = &site.store;
    let task = site.task(TaskAction::Noop);
    let id = store.create_task(&task).await.unwrap().id;
    let design = site.designs.resolve(&site.design_ref).await.unwrap();
    store.pin(&design.digest, &design.sources).await.unwrap();
    let planner = InstanceId(RandomIds.uuid());
    let leader = loop {
        let claimed = store.claim_leadership(planner, Duration::ZERO).await;
        if let Some(leader) = claimed.unwrap() {
            break leader;
        }
        // Who died in the play before this one holds the place for a moment.
        let clock = site.clock.clone();
        let moment = tokio::spawn(async move { clock.sleep(Duration::from_secs(1)).await });
        while !moment.is_finished() {
            tokio::task::yield_now().await;
            site.clock.advance();
        }
    };
    let plan = TaskPlan {
        stages: vec![vec![PipelinePlan {
            id: TaskId(RandomIds.uuid()),
            node: Some("n1".into()),
            steps: vec![StepPlanned {
                id: TaskId(RandomIds.uuid()),
                action,
                condition: Condition::Always,
                timeout: site.settings.timeouts.of(action),
            }],
        }]],
    };
    store
        .plan_task(leader, id, &design.digest, &plan, &[])
        .await
        .unwrap();
    store.abdicate(leader).await.unwrap();
    id
}

/// How it goes when nothing happens; checked, so that a fault that changes nothing is not measured by something that is wrong in itself.
async fn undisturbed(site: &Site, what: What) -> (End, Vec<Point>) {
    let play = Play::new(site, what, Sabotage::default()).await;
    let (end, points) = play.on(None).await;
    assert_eq!(end.outcome.status, TaskStatus::Complete, "{what:?}");
    // The one action that this server refuses says so; everything else comes through.
    let action = match what {
        What::Task(action) | What::Plan(action, _) => Some(action),
        What::Step(_) => None,
    };
    if action != Some(TaskAction::RelabelNodes) {
        assert_eq!(
            end.outcome.result,
            ResultStatus::Success,
            "{what:?}: {end:#?}"
        );
    }
    let driven = end
        .steps
        .iter()
        .filter(|(action, ..)| action.driver_kind().is_some())
        .count();
    let count = |after, verb| {
        let wanted = Point { after, verb };
        points.iter().filter(|point| **point == wanted).count()
    };
    for (after, verb) in [
        (false, "record_intent"),
        (true, "record_intent"),
        (true, APPLY),
        (true, "record_outcome"),
    ] {
        assert_eq!(count(after, verb), 3 * driven, "{what:?}: {verb}");
    }
    for after in [false, true] {
        assert_eq!(count(after, "finish_step"), end.steps.len(), "{what:?}");
        assert_eq!(count(after, "wait_step"), driven, "{what:?}");
    }
    assert_eq!(end.witness.len(), 3 * driven, "{what:?}");
    (end, points)
}

/// Everything that ends otherwise when this happens anywhere.
async fn differences(what: What, fault: Fault, sabotage: Sabotage) -> (usize, Vec<String>) {
    differences_at(&site().await, what, fault, sabotage).await
}

async fn differences_at(
    site: &Site,
    what: What,
    fault: Fault,
    sabotage: Sabotage,
) -> (usize, Vec<String>) {
    let (wanted, points) = undisturbed(site, what).await;
    let mut different = Vec::new();
    let mut played = 0;
    for (index, point) in points.iter().enumerate() {
        if !fault.fits(*point) {
            continue;
        }
        played += 1;
        let play = Play::new(site, what, sabotage).await;
        let (end, _) = play.on(Some((index, fault))).await;
        if end != wanted {
            different.push(format!(
                "{what:?}: {fault:?} at place {index}, {point:?}:\n{end:#?}\ninstead of\n{wanted:#?}"
            ));
        }
    }
    (played, different)
}

async fn survives(fault: Fault) {
    let mut different = Vec::new();
    let mut played = 0;
    for what in everything() {
        let (count, found) = differences(what, fault, Sabotage::default()).await;
        played += count;
        different.extend(found);
    }
    judge(fault, played, &different);
}

fn judge(fault: Fault, played: usize, different: &[String]) {
    eprintln!("{fault:?}: {played} cases");
    assert!(
        different.is_empty(),
        "{} of {played}:\n{}",
        different.len(),
        different[..different.len().min(5)].join("\n\n")
    );
}

#[tokio::test]
async fn whoever_dies_anywhere_is_followed_and_nothing_is_done_twice() {
    survives(Fault::Dies).await;
}

#[tokio::test]
async fn a_plan_is_carried_out_as_it_was_made_whoever_dies_meanwhile() {
    let fault = Fault::Dies;
    let mut different = Vec::new();
    let mut played = 0;
    for action in TaskAction::ALL.iter().copied() {
        let site = site().await;
        let what = What::Plan(action, foretold(&site, action).await);
        let (count, found) = differences_at(&site, what, fault, Sabotage::default()).await;
        played += count;
        different.extend(found);
    }
    judge(fault, played, &different);
}

#[tokio::test]
async fn whoever_is_stopped_anywhere_for_a_minute_does_nothing_when_it_wakes() {
    survives(Fault::Sleeps).await;
}

#[tokio::test]
async fn any_call_and_any_answer_may_get_lost() {
    survives(Fault::Loses).await;
}

#[tokio::test]
async fn any_step_may_be_repeated_while_its_first_attempt_goes_on() {
    survives(Fault::IsRobbed).await;
}

/// The matrix can fail: without intents in the journal a power cycle is done twice.
#[tokio::test]
async fn without_intents_a_death_does_something_twice() {
    let sabotage = Sabotage {
        forgets_intents: true,
        ..Sabotage::default()
    };
    let what = What::Step(StepAction::PowerCycleNode);
    let (_, different) = differences(what, Fault::Dies, sabotage).await;
    assert!(
        different.iter().any(|text| text.contains("\"apply\"")),
        "{different:#?}"
    );
}

/// The matrix can fail: an instance that does not notice that it was stopped acts under claims that it has lost.
#[tokio::test]
async fn without_a_look_at_the_clock_whoever_wakes_does_something_twice() {
    let sabotage = Sabotage {
        clock_stands_still: true,
        ..Sabotage::default()
    };
    let what = What::Step(StepAction::PowerCycleNode);
    let (_, different) = differences(what, Fault::Sleeps, sabotage).await;
    assert!(
        different
            .iter()
            .any(|text| text.contains("verb: \"record_intent\"")),
        "{different:#?}"
    );
}
