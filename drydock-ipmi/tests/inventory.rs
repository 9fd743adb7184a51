//! What a machine says of itself: FRU inventory, event log, sensors, network settings, sessions.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;
#[path = "rig/inventory.rs"]
mod sample;

use bench::{Bench, config};
use drydock_ipmi::bmc::{Faults, Inventory, Quirks};
use drydock_ipmi::{
    Client, CompletionCode, Condition, Error, FruArea, LanConfiguration, Privilege, SdrBody,
    Sensor, Session,
};

async fn started(quirks: Quirks, inventory: Inventory) -> (Bench, Session) {
    let mut config = config();
    config.quirks = quirks;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    bench.machine.describe(inventory);
    let session = Client::connect(bench.target()).await.unwrap();
    (bench, session)
}

/// How a BMC may want to be read: as it comes, in small pieces, with the reservation lost now and then.
fn manners() -> Vec<Quirks> {
    let mut manners = vec![Quirks::default()];
    for largest_read in [5, 16] {
        for cancels_reservation_every in [None, Some(20), Some(33)] {
            manners.push(Quirks {
                largest_read: Some(largest_read),
                cancels_reservation_every,
                ..Quirks::default()
            });
        }
    }
    manners
}

#[tokio::test]
async fn fru_inventories_are_read() {
    for quirks in manners() {
        let (_bench, mut session) = started(quirks, sample::inventory()).await;
        assert_eq!(session.fru(0).await.unwrap(), sample::fru(), "{quirks:?}");
        let riser = session.fru(1).await.unwrap().product.unwrap();
        assert_eq!(riser.name, "Riser");
        let error = session.fru(2).await.unwrap_err();
        assert!(
            matches!(error, Error::CompletionCode { code, .. } if code == CompletionCode::NOT_PRESENT),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_clock_of_the_event_log_is_told_where_there_is_one() {
    let (_bench, mut session) = started(Quirks::default(), sample::inventory()).await;
    assert_eq!(session.sel_time().await.unwrap(), 1_767_225_600);
    let (_bench, mut session) = started(Quirks::default(), Inventory::default()).await;
    let error = session.sel_time().await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_fru_inventory_is_told() {
    let mut inventory = sample::inventory();
    let bytes = inventory.fru.get_mut(&0).unwrap();
    bytes[12] ^= 1;
    inventory.fru.insert(1, vec![0xff; 64]);
    let (_bench, mut session) = started(Quirks::default(), inventory).await;
    let fru = session.fru(0).await.unwrap();
    assert_eq!(fru.damaged, [FruArea::Chassis]);
    assert_eq!(fru.product, sample::fru().product);
    let error = session.fru(1).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(session.fru_bytes(1).await.unwrap(), vec![0xff; 64]);
}

#[tokio::test]
async fn the_tail_of_the_event_log_is_the_newest_records() {
    let (_bench, mut session) = started(Quirks::default(), sample::inventory()).await;
    assert_eq!(session.sel_info().await.unwrap().entries, 40);
    for count in [0, 1, 3, 40, 100] {
        let ids: Vec<u16> = session
            .sel_tail(count)
            .await
            .unwrap()
            .iter()
            .map(|entry| entry.id)
            .collect();
        let expected: Vec<u16> = (1..=40).skip(40usize.saturating_sub(count)).collect();
        assert_eq!(ids, expected);
    }
    let tail = session.sel_tail(2).await.unwrap();
    assert_eq!(tail, [sample::event(39), sample::event(40)]);
}

/// Ids with gaps, small and large, and ids that began again at 1.
#[tokio::test]
async fn event_logs_with_gaps_are_read_too() {
    let logs: [Vec<u16>; 5] = [
        vec![],
        vec![7],
        vec![2, 3, 7, 15],
        vec![1, 2, 500, 60_000],
        vec![65_533, 65_534, 1, 2],
    ];
    for ids in logs {
        let mut inventory = sample::inventory();
        inventory.sel = ids.iter().map(|id| sample::event(*id)).collect();
        let (_bench, mut session) = started(Quirks::default(), inventory).await;
        let tail = session.sel_tail(3).await.unwrap();
        let found: Vec<u16> = tail.iter().map(|entry| entry.id).collect();
        if ids == [65_533, 65_534, 1, 2] {
            // Downwards there is nothing below 1: what is found is new, if not as much as there is.
            assert_eq!(found, [1, 2]);
        } else {
            assert_eq!(found, ids[ids.len().saturating_sub(3)..]);
        }
    }
}

fn shown(sensors: &[Sensor]) -> Vec<String> {
    sensors.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn sensors_are_read_and_judged() {
    for quirks in manners() {
        let (_bench, mut session) = started(quirks, sample::inventory()).await;
        let records = session.sdr_records().await.unwrap();
        assert_eq!(records, sample::records(), "{quirks:?}");
        let sensors = session.sensors(&records).await.unwrap();
        assert_eq!(
            shown(&sensors),
            [
                "CPU Temp: 42.5 °C, normal",
                "Fan 1: 0 RPM, critical (below lower critical)",
                "PSU1: normal (present)",
                "PSU2: critical (present, input lost)",
            ]
        );
        let alarms = sensors.iter().filter(|sensor| sensor.condition.is_alarm());
        assert_eq!(alarms.count(), 2);
        let thresholds = session.sensor_thresholds(sample::FAN).await.unwrap();
        assert_eq!(thresholds.lower_critical, Some(5));
    }
}

#[tokio::test]
async fn readings_follow_the_machine() {
    let (bench, mut session) = started(Quirks::default(), sample::inventory()).await;
    let records = session.sdr_records().await.unwrap();
    let mut inventory = sample::inventory();
    inventory
        .readings
        .get_mut(&sample::TEMPERATURE)
        .unwrap()
        .raw = 170;
    inventory
        .readings
        .get_mut(&sample::FAN)
        .unwrap()
        .unavailable = true;
    inventory.readings.remove(&sample::SUPPLY);
    bench.machine.describe(inventory);
    let sensors = session.sensors(&records).await.unwrap();
    assert_eq!(
        shown(&sensors),
        [
            "CPU Temp: 85 °C, warning (above upper non-critical)",
            "Fan 1: unknown",
            "PSU2: critical (present, input lost)",
        ],
        "a sensor that is not there is left out"
    );
    assert_eq!(sensors[1].condition, Condition::Unknown);
}

/// The factors of a sensor that is not linear hold for one reading and are asked for with each.
#[tokio::test]
async fn sensors_that_are_not_linear_are_asked_for_their_factors() {
    let mut inventory = sample::inventory();
    let SdrBody::Sensor(sensor) = &mut inventory.sdr[0].body else {
        panic!("the first record is a sensor");
    };
    sensor.conversion.as_mut().unwrap().linearization = 0x70;
    let (bench, mut session) = started(Quirks::default(), inventory).await;
    let records = session.sdr_records().await.unwrap();
    let sensors = session.sensors(&records).await.unwrap();
    assert_eq!(sensors[0].value, Some(42.5));
    let asked = bench
        .machine
        .calls()
        .into_iter()
        .filter(|call| (call.0, call.1) == (0x04, 0x23) && call.2 == [sample::TEMPERATURE, 85]);
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn network_settings_are_read() {
    let (_bench, mut session) = started(Quirks::default(), sample::inventory()).await;
    assert_eq!(
        session.lan_configuration().await.unwrap(),
        sample::inventory().lan
    );
    let (_bench, mut session) = started(Quirks::default(), Inventory::default()).await;
    let found = session.lan_configuration().await.unwrap();
    assert_eq!((found.mac, found.vlan), (None, None));
    assert_eq!(found.address, LanConfiguration::default().address);
}

#[tokio::test]
async fn a_session_knows_of_itself_and_of_others() {
    let (bench, mut session) = started(Quirks::default(), sample::inventory()).await;
    let other = Client::connect(bench.target()).await.unwrap();
    let info = session.session_info().await.unwrap();
    assert_eq!((info.possible, info.active), (63, 2));
    assert_eq!(info.own.unwrap().privilege, Some(Privilege::Administrator));
    other.close().await.unwrap();
    assert_eq!(session.session_info().await.unwrap().active, 1);
}

#[tokio::test]
async fn a_bmc_without_all_this_says_so() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    let errors = [
        session.fru(0).await.unwrap_err(),
        session.sel_info().await.unwrap_err(),
        session.sel_tail(1).await.unwrap_err(),
        session.sdr_records().await.unwrap_err(),
        session.sensor_reading(1).await.unwrap_err(),
        session.lan_configuration().await.unwrap_err(),
        session.session_info().await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
}

/// Answers are lost on the way: everything is read all the same, and rightly.
#[tokio::test]
async fn losses_spoil_no_inventory() {
    let (bench, session) = started(Quirks::default(), sample::inventory()).await;
    drop(session);
    let mut target = bench.target();
    target.timeout = std::time::Duration::from_millis(25);
    target.retries = 6;
    let mut session = Client::connect(target).await.unwrap();
    bench.faults.send_modify(|faults| {
        faults.loss_per_mille = 100;
        faults.duplicate_per_mille = 200;
    });
    assert_eq!(session.fru(0).await.unwrap(), sample::fru());
    let records = session.sdr_records().await.unwrap();
    assert_eq!(records, sample::records());
    assert_eq!(session.sensors(&records).await.unwrap().len(), 4);
    let tail = session.sel_tail(20).await.unwrap();
    assert_eq!(tail, (21..=40).map(sample::event).collect::<Vec<_>>());
}
