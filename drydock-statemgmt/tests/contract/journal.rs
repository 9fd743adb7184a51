//! The journal: order, outcomes, whose hand.

use std::time::Duration;

use drydock_model::change::ChangeOutcome;
use drydock_model::store::StoreError;

use crate::claims::intent;
use crate::place::{Place, claim_one, done, instance, lead, nodes, pipeline, plan, planned};

pub async fn entries_stand_in_order_with_their_outcomes(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let task = planned(&store, leader, &plan([vec![pipeline(Some("a"), 2)]])).await;
    let claim = claim_one(&store).await;
    let mut expected = vec![];
    for (verb, outcome) in [
        ("power_off", Some(ChangeOutcome::Done)),
        ("boot_device", Some(ChangeOutcome::Refused)),
        ("power_on", Some(ChangeOutcome::Unknown)),
        ("power_on", None),
    ] {
        let mut entry = intent(&claim, verb);
        store.record_intent(claim.token, &entry).await.unwrap();
        if let Some(outcome) = outcome {
            let latency = Duration::from_micros(12_999);
            let evidence = "0x00\u{0}ok";
            store
                .record_outcome(claim.token, entry.id, outcome, evidence, latency)
                .await
                .unwrap();
            entry.outcome = Some(outcome);
            entry.evidence = Some(evidence.to_owned());
            entry.latency_ms = Some(12);
        }
        expected.push(entry);
    }
    store
        .finish_step(claim.step.id, claim.token, &done())
        .await
        .unwrap();
    let second = claim_one(&store).await;
    let last = intent(&second, "wipe");
    store.record_intent(second.token, &last).await.unwrap();
    let mut journal = store.step_journal(claim.step.id).await.unwrap();
    for (found, expected) in journal.iter_mut().zip(&mut expected) {
        assert!(
            found.intended > claim.step.updated,
            "the store says when it was written"
        );
        expected.intended = found.intended;
    }
    assert_eq!(journal, expected);
    let whole = store.task_journal(task).await.unwrap();
    assert_eq!(whole[..4], journal);
    assert_eq!((whole.len(), whole[4].id), (5, last.id));
    assert_eq!(
        store.step_journal(second.step.id).await.unwrap(),
        whole[4..]
    );
}

pub async fn a_repeated_write_is_no_fault(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(&store, leader, &plan([nodes(&["a"])])).await;
    let claim = claim_one(&store).await;
    let entry = intent(&claim, "power_off");
    let (token, zero) = (claim.token, Duration::ZERO);
    for _ in 0..2 {
        store.record_intent(token, &entry).await.unwrap();
    }
    for _ in 0..2 {
        store
            .record_outcome(token, entry.id, ChangeOutcome::Done, "ok", zero)
            .await
            .unwrap();
    }
    let other = store
        .record_outcome(token, entry.id, ChangeOutcome::Refused, "no", zero)
        .await;
    assert!(matches!(other, Err(StoreError::Conflict(_))), "{other:?}");
    let journal = store.step_journal(claim.step.id).await.unwrap();
    assert_eq!(
        (journal.len(), journal[0].outcome),
        (1, Some(ChangeOutcome::Done))
    );
    let unknown = intent(&claim, "x").id;
    let missing = store
        .record_outcome(token, unknown, ChangeOutcome::Done, "ok", zero)
        .await;
    assert_eq!(missing, Err(StoreError::NotFound));
}

pub async fn only_the_holder_writes(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    planned(&store, leader, &plan([nodes(&["a", "b"])])).await;
    let claims = store.claim_steps(instance(), 2).await.unwrap();
    let [a, b] = &claims[..] else {
        panic!("{claims:?}")
    };
    // The token of another step held by the same instance is no right to this one.
    let foreign = store.record_intent(b.token, &intent(a, "wipe")).await;
    assert_eq!(foreign, Err(StoreError::StaleClaim));
    let entry = intent(a, "power_off");
    store.record_intent(a.token, &entry).await.unwrap();
    let outcome = ChangeOutcome::Done;
    let foreign = store
        .record_outcome(b.token, entry.id, outcome, "", Duration::ZERO)
        .await;
    assert_eq!(foreign, Err(StoreError::NotFound));
    // Nor does a newer claim conclude what an older one intended: nobody knows what came of it.
    store.return_step(a.step.id, a.token).await.unwrap();
    let again = claim_one(&store).await;
    let late = store
        .record_outcome(again.token, entry.id, outcome, "", Duration::ZERO)
        .await;
    assert_eq!(late, Err(StoreError::StaleClaim));
    let stolen = store.record_intent(again.token, &entry).await;
    assert!(matches!(stolen, Err(StoreError::Conflict(_))), "{stolen:?}");
    let journal = store.step_journal(a.step.id).await.unwrap();
    assert_eq!((journal.len(), journal[0].outcome), (1, None));
}
