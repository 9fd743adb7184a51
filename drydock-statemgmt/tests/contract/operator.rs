//! What operators are asked: once, answered once, and heard of at once.

use std::time::Duration;

use drydock_model::id::TaskId;
use drydock_model::operator::OperatorAnswer;
use drydock_model::step::ClaimedStep;
use drydock_model::store::{Store, StoreError};
use std::sync::Arc;

use crate::place::{
    Place, claim_one, digest, done, id, instance, lead, new_task, nodes, plan, planned,
};

const HOUR: Duration = Duration::from_secs(3600);

pub fn answer(done: bool, message: &str) -> OperatorAnswer {
    OperatorAnswer {
        done,
        message: message.into(),
        by: "hedy".into(),
        key: Some("k1".into()),
    }
}

/// A step that waits for an operator.
async fn asking(store: &Arc<dyn Store>, node: &str) -> (TaskId, ClaimedStep) {
    let task = store.create_task(&new_task(0)).await.unwrap().id;
    let leader = store.leader().await.unwrap();
    let leader = match leader {
        Some(leader) => leader,
        None => lead(store).await,
    };
    let shape = plan([nodes(&[node])]);
    store
        .plan_task(leader, task, &digest(), &shape, &[])
        .await
        .unwrap();
    let claim = claim_one(store).await;
    store
        .ask_operator(claim.step.id, claim.token, "press \u{0} it")
        .await
        .unwrap();
    (task, claim)
}

async fn sleep(store: &Arc<dyn Store>, claim: &ClaimedStep) {
    store
        .wait_step(claim.step.id, claim.token, HOUR, "an operator", 0, &[])
        .await
        .unwrap();
}

pub async fn an_answer_wakes_the_step_and_is_final(place: Place) {
    let store = place.open().await;
    let (task, claim) = asking(&store, "a").await;
    let step = claim.step.id;
    // Asked again it is the same request.
    store
        .ask_operator(step, claim.token, "something else")
        .await
        .unwrap();
    sleep(&store, &claim).await;
    assert_eq!(store.claim_steps(instance(), 5).await.unwrap(), []);
    let open = store.operator_requests(task).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].request, "press \u{0} it");
    assert_eq!(
        (open[0].task, open[0].step, open[0].node.as_str()),
        (task, step, "a")
    );
    assert_eq!((&open[0].answer, open[0].answered), (&None, None));

    let given = answer(true, "\u{0} fine");
    let taken = store.answer_operator(step, &given).await.unwrap();
    assert_eq!(taken.answer, Some(given.clone()));
    assert!(taken.answered.unwrap() > taken.opened);
    let awake = claim_one(&store).await;
    assert_eq!(awake.step.id, step, "it is due at once");
    let again = OperatorAnswer {
        key: None,
        ..given.clone()
    };
    let repeated = store.answer_operator(step, &again).await.unwrap();
    assert_eq!(repeated, taken, "the same again is no fault");
    for other in [answer(false, "\u{0} fine"), answer(true, "else")] {
        let refused = store.answer_operator(step, &other).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))));
    }
    store.finish_step(step, awake.token, &done()).await.unwrap();
    // And after its end.
    assert_eq!(store.answer_operator(step, &given).await.unwrap(), taken);
    assert_eq!(store.operator_request(step).await.unwrap(), Some(taken));
}

pub async fn an_answer_during_the_look_is_not_slept_over(place: Place) {
    let store = place.open().await;
    let (_, claim) = asking(&store, "a").await;
    let given = answer(true, "");
    store.answer_operator(claim.step.id, &given).await.unwrap();
    sleep(&store, &claim).await;
    assert_eq!(claim_one(&store).await.step.id, claim.step.id);
}

pub async fn a_request_outlives_a_restart(place: Place) {
    let store = place.open().await;
    let (task, claim) = asking(&store, "a").await;
    sleep(&store, &claim).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(store.operator_requests(task).await.unwrap().len(), 1);
    let given = answer(false, "no key");
    store.answer_operator(claim.step.id, &given).await.unwrap();
    assert_eq!(claim_one(&store).await.step.id, claim.step.id);
}

pub async fn only_the_holder_asks_and_only_what_was_asked_is_answered(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(&store, leader, &plan([nodes(&["a"])])).await;
    let lost = claim_one(&store).await;
    store.return_step(lost.step.id, lost.token).await.unwrap();
    let refused = store.ask_operator(lost.step.id, lost.token, "x").await;
    assert_eq!(refused, Err(StoreError::StaleClaim));
    assert_eq!(store.operator_request(lost.step.id).await, Ok(None));
    for nothing in [lost.step.id, id()] {
        let refused = store.answer_operator(nothing, &answer(true, "")).await;
        assert_eq!(refused, Err(StoreError::NotFound));
    }
}

pub async fn a_step_that_has_ended_takes_no_answer(place: Place) {
    let store = place.open().await;
    let (task, claim) = asking(&store, "a").await;
    sleep(&store, &claim).await;
    store.terminate_task(task, "tester").await.unwrap();
    let late = store
        .answer_operator(claim.step.id, &answer(true, ""))
        .await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    // And goes with its task.
    crate::purge::age(&place, 3).await;
    assert_eq!(store.purge_tasks(1).await, Ok(1));
    assert_eq!(store.operator_request(claim.step.id).await, Ok(None));
    assert_eq!(store.operator_requests(task).await, Ok(vec![]));
}
