//! The king of the hill.

use std::time::Duration;

use crate::place::{GRACE, Place, instance, lead, nodes, plan, planned};

pub async fn one_of_sixteen_wins(place: Place) {
    let stores = [place.open().await, place.open().await];
    assert_eq!(stores[0].leader().await.unwrap(), None);
    let contenders: Vec<_> = (0..16)
        .map(|number| {
            let store = stores[number % 2].clone();
            tokio::spawn(async move { store.claim_leadership(instance(), GRACE).await.unwrap() })
        })
        .collect();
    let mut kings = vec![];
    for contender in contenders {
        kings.extend(contender.await.unwrap());
    }
    assert_eq!(kings.len(), 1, "{kings:?}");
    assert_eq!(stores[1].leader().await.unwrap(), Some(kings[0]));
    // The king itself does not get a second reign by asking.
    let king = kings[0];
    assert_eq!(
        stores[0]
            .claim_leadership(king.instance, GRACE)
            .await
            .unwrap(),
        None
    );
    assert!(stores[0].renew_leadership(king).await.unwrap());
}

pub async fn a_silent_king_is_followed_by_the_next_epoch(place: Place) {
    let store = place.open().await;
    let grace = Duration::from_millis(500);
    let old = store
        .claim_leadership(instance(), grace)
        .await
        .unwrap()
        .unwrap();
    place.pass(grace * 3 / 4).await;
    assert!(store.renew_leadership(old).await.unwrap());
    place.pass(grace * 3 / 4).await;
    // Longer than the grace since the claim, shorter since the renewal.
    assert_eq!(
        store.claim_leadership(instance(), grace * 2).await.unwrap(),
        None
    );
    place.pass(grace).await;
    let new = store
        .claim_leadership(instance(), grace)
        .await
        .unwrap()
        .unwrap();
    assert!(new.epoch > old.epoch);
    assert!(!store.renew_leadership(old).await.unwrap());
    assert!(store.renew_leadership(new).await.unwrap());
    store.abdicate(old).await.unwrap();
    assert_eq!(
        store.leader().await.unwrap(),
        Some(new),
        "a deposed king has nothing to give up"
    );
}

pub async fn abdication_frees_the_hill_at_once(place: Place) {
    let store = place.open().await;
    let old = lead(&store).await;
    assert_eq!(
        store.claim_leadership(instance(), GRACE).await.unwrap(),
        None
    );
    store.abdicate(old).await.unwrap();
    assert_eq!(store.leader().await.unwrap(), None);
    assert!(!store.renew_leadership(old).await.unwrap());
    let new = store
        .claim_leadership(old.instance, GRACE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(new.epoch.0, old.epoch.0 + 1);
    assert!(
        !store.renew_leadership(old).await.unwrap(),
        "the same instance, an older reign"
    );
}

pub async fn a_heartbeat_says_farewell(place: Place) {
    let store = place.open().await;
    let leader = lead(&store).await;
    let me = instance();
    planned(&store, leader, &plan([nodes(&["a"])])).await;
    store.heartbeat(me).await.unwrap();
    store.heartbeat(me).await.unwrap();
    store.claim_steps(me, 1).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 0);
    store.farewell(me).await.unwrap();
    store.farewell(me).await.unwrap();
    store.heartbeat(me).await.unwrap();
    assert_eq!(store.reclaim_silent(leader, GRACE).await.unwrap(), 0);
}
