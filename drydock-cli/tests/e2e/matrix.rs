//! The crash matrix with the real drivers, on simulators: whatever a task can do is done in a life of a site, and at every place of a kind that the
//! instances come by on their way - before each intent, after it, after the call, after the outcome, everywhere else - one dies, is stopped
//! for a minute, loses a call or its answer, or loses its claims. Everything ends as without it, and the simulators' log shows
//! nothing done twice that interrupts a machine or wipes it.
//!
//! The errands come from the registries and the places from the life in which nothing happens, so that a new action is in it without
//! anyone thinking of it. `drydock-orchestrator` has the same with a driver that is got right less easily, in simulated time.

mod driver;
mod hands;
mod life;
mod maas;
mod script;
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../../drydock-orchestrator/tests/engine/simulated/seams.rs"]
mod seams;
#[allow(dead_code)]
#[path = "../../src/rehearsal/shape.rs"]
mod shape;
mod site;
#[allow(dead_code, clippy::unwrap_used)]
#[path = "../../../drydock-orchestrator/tests/engine/simulated/watched.rs"]
mod watched;

use std::collections::BTreeSet;

use drydock_model::task::{ResultStatus, TaskAction, TaskStatus};

use life::{Errand, Record, Sabotage, Where, errands, live};
use script::{Kind, LIVES, Strikes};
use seams::{APPLY, Fault};
use site::Hands;

/// How it goes when nothing happens; checked, so that a fault that changes nothing is not measured by something that is wrong in itself.
async fn undisturbed(hands: Hands) -> Record {
    let record = live(hands, None, None, Sabotage::default()).await;
    for (errand, end) in errands().iter().zip(&record.ends) {
        let is_refused = errand.action == TaskAction::RelabelNodes;
        let wanted = if is_refused {
            ResultStatus::Failure
        } else {
            ResultStatus::Success
        };
        assert_eq!(end.outcome.status, TaskStatus::Complete, "{errand:?}");
        assert_eq!(end.outcome.result, wanted, "{errand:?}: {end:#?}");
    }
    let count = |errand: usize, verb: &str, after: bool| -> usize {
        let is_it =
            |place: &Where| place.0 == errand && (place.3.verb, place.3.after) == (verb, after);
        let there = record.passed.iter().filter(|(place, _)| is_it(place));
        there.map(|(_, count)| count).sum()
    };
    for (index, errand) in errands().iter().enumerate() {
        let changes = count(index, "record_intent", false);
        for (verb, after) in [
            ("record_intent", true),
            (APPLY, true),
            ("record_outcome", true),
        ] {
            assert_eq!(count(index, verb, after), changes, "{errand:?}: {verb}");
        }
        let drives = matches!(
            errand.action,
            TaskAction::PrepareSite
                | TaskAction::PrepareNodes
                | TaskAction::DeployNodes
                | TaskAction::DestroyNodes
        );
        assert!(!drives || changes > 0, "{errand:?} changes nothing");
    }
    record
}

/// What is otherwise than in the life in which nothing happened.
fn differences(wanted: &Record, found: &Record, what: &str) -> Vec<String> {
    let mut different = Vec::new();
    for ((errand, wanted), found) in errands().iter().zip(&wanted.ends).zip(&found.ends) {
        let Errand { action, oob } = errand;
        let about = format!("{what}: {action} {oob:?}");
        if (&found.outcome, &found.steps) != (&wanted.outcome, &wanted.steps) {
            different.push(format!("{about}: {found:#?}\ninstead of\n{wanted:#?}"));
        }
        let kept = |end: &life::End| serde_json::Value::from(end.kept.clone());
        let found = maas::differences("", &kept(wanted), &kept(found));
        different.extend(found.iter().map(|text| format!("{about}: {text}")));
    }
    let dangerous = wanted.dangerous.union(&found.dangerous);
    let phases = wanted.witness.keys().chain(found.witness.keys());
    let phases = phases.filter(|seen| seen.starts_with("phase "));
    for seen in dangerous.chain(phases).collect::<BTreeSet<_>>() {
        let count = |record: &Record| record.witness.get(seen).copied().unwrap_or(0);
        if count(found) != count(wanted) {
            different.push(format!(
                "{what}: {seen}: {} times instead of {}",
                count(found),
                count(wanted)
            ));
        }
    }
    different
}

/// Where the fault has to come to pass, and how often.
fn due<'a>(
    wanted: &'a Record,
    (fault, kinds): Strikes,
    only: Option<&BTreeSet<usize>>,
) -> Vec<(&'a Where, usize)> {
    let places = wanted.passed.iter().filter(|((errand, _, _, point), _)| {
        kinds.contains(&Kind::of(*point))
            && fault.fits(*point)
            // Whether a step waits, and whether a task is seen ended before its leader goes on, depends on who is faster.
            && !["wait_step", "end_task"].contains(&point.verb)
            && only.is_none_or(|only| only.contains(errand))
    });
    places.map(|(place, count)| (place, *count)).collect()
}

async fn survives(hands: Hands, fault: Fault, lives: &[&'static [Kind]]) {
    let wanted = undisturbed(hands).await;
    // Everything else is no different whoever operates the controller.
    let only = (hands != Hands::Ipmi).then_some(&wanted.out_of_band);
    let mut different = Vec::new();
    for kinds in lives.iter().copied() {
        let strikes = (fault, kinds);
        let due = due(&wanted, strikes, only);
        if due.is_empty() {
            continue;
        }
        let found = live(hands, Some(strikes), only, Sabotage::default()).await;
        let what = format!("{hands:?}, {fault:?}, {kinds:?}");
        eprintln!(
            "{what}: {} strikes in {:.1} s; without {:.1} s",
            found.struck.values().sum::<usize>(),
            found.seconds,
            wanted.seconds
        );
        let times = |place| found.struck.get(place).copied().unwrap_or(0);
        let spared = due
            .into_iter()
            .filter(|(place, count)| times(place) < *count);
        different.extend(spared.map(|place| format!("{what}: did not come to pass: {place:?}")));
        different.extend(differences(&wanted, &found, &what));
    }
    assert!(
        different.is_empty(),
        "{}:\n{}",
        different.len(),
        different[..different.len().min(20)].join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_at_a_change_is_followed_and_nothing_is_done_twice() {
    survives(Hands::Ipmi, Fault::Dies, &LIVES[..2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_elsewhere_is_followed_and_nothing_is_done_twice() {
    survives(Hands::Ipmi, Fault::Dies, &LIVES[2..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_stopped_at_a_change_for_a_minute_does_nothing_when_it_wakes() {
    survives(Hands::Ipmi, Fault::Sleeps, &LIVES[..2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_stopped_elsewhere_for_a_minute_does_nothing_when_it_wakes() {
    survives(Hands::Ipmi, Fault::Sleeps, &LIVES[2..]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_call_and_any_answer_may_get_lost() {
    survives(Hands::Ipmi, Fault::Loses, &LIVES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_step_may_be_repeated_while_its_first_attempt_goes_on() {
    survives(Hands::Ipmi, Fault::IsRobbed, &LIVES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redfish_does_nothing_twice_whoever_dies() {
    survives(Hands::Redfish, Fault::Dies, &LIVES[..2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redfish_does_nothing_twice_whatever_gets_lost() {
    survives(Hands::Redfish, Fault::Loses, &LIVES[..2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_asked_once_whoever_dies() {
    survives(Hands::Operator, Fault::Dies, &LIVES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_asked_once_whatever_gets_lost() {
    survives(Hands::Operator, Fault::Loses, &LIVES).await;
}

/// The matrix can fail: without intents in the journal something is done to the machine twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_intents_a_death_does_something_twice() {
    let wanted = undisturbed(Hands::Ipmi).await;
    let sabotage = Sabotage {
        forgets_intents: true,
    };
    let strikes: Strikes = (Fault::Dies, &[Kind::AfterCall]);
    let found = live(Hands::Ipmi, Some(strikes), None, sabotage).await;
    let different = differences(&wanted, &found, "sabotage");
    assert!(
        different
            .iter()
            .any(|text| text.contains("times instead of")),
        "{different:#?}"
    );
}
