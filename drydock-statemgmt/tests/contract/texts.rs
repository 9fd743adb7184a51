//! Long names, and times: as they were given, whatever the database makes of them inside.

use chrono::{TimeDelta, Utc};
use drydock_model::clock::Clock as _;

use crate::boot::{context, open};
use crate::claims::intent;
use crate::place::{Place, claim_one, done, lead, message, new_task, nodes, plan, planned};

/// 500 characters, of which no two halves are alike.
fn long_name() -> String {
    (0..125).map(|number| format!("ü{number:03}")).collect()
}

pub async fn long_names_survive(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let name = long_name();
    assert_eq!(name.chars().count(), 500);
    let task = planned(&store, leader, &plan([nodes(&[&name])])).await;
    let claim = claim_one(&store).await;
    assert_eq!(claim.step.node.as_ref(), Some(&name));
    let entry = intent(&claim, &name);
    store.record_intent(claim.token, &entry).await.unwrap();
    open(&store, &claim, &context(&name, task)).await.unwrap();
    let text = format!("{name}\n").repeat(20);
    assert!(text.chars().count() > 10_000);
    let mut end = done();
    end.messages = vec![message(&text)];
    store
        .finish_step(claim.step.id, claim.token, &end)
        .await
        .unwrap();
    let tree = store.node_tree(&name).await.unwrap();
    assert_eq!(tree.steps[0].node.as_ref(), Some(&name));
    assert_eq!(tree.steps[0].messages, end.messages);
    let journal = store.node_journal(&name, 9).await.unwrap();
    assert_eq!(journal[0].node.as_ref(), Some(&name));
    assert_eq!(journal[0].change.verb, name);
    assert_eq!(store.boot_context(&name).await.unwrap().node, name);
    let mut long = new_task(0);
    long.created_by = text.clone();
    long.design_ref = text.clone();
    let task = store.create_task(&long).await.unwrap();
    assert_eq!((task.created_by, task.design_ref), (text.clone(), text));
}

/// The PostgreSQL databases of the tests are in the time zone of Kiritimati, fourteen hours ahead of UTC.
pub async fn times_are_utc_whatever_the_zone(place: Place) {
    let store = place.open().await;
    let now = match place.file {
        Some(_) => place.clock.now(),
        None => Utc::now(),
    };
    let task = store.create_task(&new_task(0)).await.unwrap();
    let off = task.created - now;
    assert!(off.abs() < TimeDelta::minutes(10), "{off}");
    assert_eq!(
        store.tree(task.id).await.unwrap().task.created,
        task.created
    );
    let by_time = drydock_model::store::TaskQuery {
        created_after: Some(task.created),
        ..Default::default()
    };
    assert_eq!(store.trees(&by_time).await.unwrap().len(), 1);
    let later = drydock_model::store::TaskQuery {
        created_after: Some(task.created + TimeDelta::microseconds(1)),
        ..Default::default()
    };
    assert_eq!(store.trees(&later).await.unwrap(), []);
}
