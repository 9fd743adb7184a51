//! BMCs with faults and peculiarities, and what machines say of themselves.

use drydock_ipmi::{
    BootDevice, BootMode, CipherSuite, Client, CompletionCode, Condition, Control, Error,
    Persistence,
};
use drydock_sim::{BmcFaults, Faults, MachineFaults, Vendor};

use crate::site::{Site, broken, within};

fn with(bmc: BmcFaults) -> Faults {
    broken(MachineFaults {
        bmc,
        ..MachineFaults::default()
    })
}

#[tokio::test]
async fn a_machine_tells_what_it_is_and_how_it_is() {
    let site = Site::start(111, 1, Faults::default()).await;
    let mut session = site.session(1).await;
    let product = session.fru(0).await.unwrap().product.unwrap();
    let state = &site.world.machine_states()[0];
    assert_eq!(
        (product.name.as_str(), product.serial.as_str()),
        ("Simulated Server", state.name.as_str())
    );
    let records = session.sdr_records().await.unwrap();
    let sensors = session.sensors(&records).await.unwrap();
    assert_eq!(sensors.len(), 6);
    assert!(sensors.iter().all(|sensor| !sensor.condition.is_alarm()));
    let fan = |sensors: &[drydock_ipmi::Sensor]| {
        sensors
            .iter()
            .find(|sensor| sensor.name == "Fan 1")
            .map(|sensor| sensor.condition)
    };
    assert_eq!(fan(&sensors), Some(Condition::Unknown), "it is off");
    session.chassis_control(Control::On).await.unwrap();
    within("power on", async {
        while !session.chassis_status().await.unwrap().power_on {}
    })
    .await;
    let sensors = session.sensors(&records).await.unwrap();
    assert_eq!(fan(&sensors), Some(Condition::Normal));
    assert_eq!(session.sel_tail(10).await.unwrap().len(), 1);
    let lan = session.lan_configuration().await.unwrap();
    assert_eq!(
        lan.address.map(std::net::IpAddr::from),
        Some(site.target(1).addr.ip())
    );

    site.world
        .set_faults(with(BmcFaults {
            sensor_alarm: true,
            ..BmcFaults::default()
        }))
        .unwrap();
    let sensors = session.sensors(&records).await.unwrap();
    let alarms: Vec<String> = sensors
        .iter()
        .filter(|sensor| sensor.condition.is_alarm())
        .map(ToString::to_string)
        .collect();
    assert_eq!(alarms, ["PSU 2: critical (present, input lost)"]);
    let log = session.sel_tail(10).await.unwrap();
    assert_eq!(log[1].to_string(), "power supply 0x11: input lost");
}

#[tokio::test]
async fn a_bad_network_slows_and_spoils_nothing() {
    let weather = with(BmcFaults {
        loss_per_mille: 150,
        duplicate_per_mille: 150,
        reorder_per_mille: 150,
        reorder_ms: 5,
        delay_ms: 2,
        ..BmcFaults::default()
    });
    let site = Site::start(112, 1, weather).await;
    let mut target = site.target(1);
    target.timeout = std::time::Duration::from_millis(25);
    target.retries = 9;
    let traffic = target.traffic.clone();
    let mut session = Client::connect(target).await.unwrap();
    for _ in 0..30 {
        assert!(!session.chassis_status().await.unwrap().power_on);
    }
    let seen = traffic.snapshot();
    assert!(seen.retransmissions > 0 && seen.dropped > 0, "{seen:?}");
}

#[tokio::test]
async fn busy_full_and_falling_over() {
    let site = Site::start(
        113,
        1,
        with(BmcFaults {
            busy_every: Some(2),
            ..BmcFaults::default()
        }),
    )
    .await;
    let mut session = site.session(1).await;
    // Setting the privilege level was the first command.
    let error = session.chassis_status().await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    session.chassis_status().await.unwrap();

    let full = BmcFaults {
        slots_taken: true,
        ..BmcFaults::default()
    };
    site.world.set_faults(with(full)).unwrap();
    within("full", async {
        while !matches!(
            Client::connect(site.target(1)).await,
            Err(Error::SessionSlotsUsedUp { .. })
        ) {}
    })
    .await;

    let weak = BmcFaults {
        crashes_above: Some(20),
        crash_ms: 200,
        ..BmcFaults::default()
    };
    site.world.set_faults(with(weak)).unwrap();
    let mut target = site.target(1);
    target.timeout = std::time::Duration::from_millis(30);
    target.retries = 1;
    within("a crash", async {
        loop {
            let Ok(mut session) = Client::connect(target.clone()).await else {
                continue;
            };
            // As fast as it answers, until it does no more.
            while session.chassis_status().await.is_ok() {}
            return;
        }
    })
    .await;
    site.world.set_faults(Faults::default()).unwrap();
    within("the BMC is back", async {
        while Client::connect(target.clone()).await.is_err() {}
    })
    .await;
}

#[tokio::test]
async fn vendors_have_their_ways() {
    let site = Site::start(114, 1, Faults::default()).await;
    for vendor in [
        Vendor::Minimal,
        Vendor::Openbmc,
        Vendor::Supermicro,
        Vendor::Pyghmi,
        Vendor::IpmiSim,
    ] {
        let faults = BmcFaults {
            vendor,
            ..BmcFaults::default()
        };
        site.world.set_faults(with(faults)).unwrap();
        // The BMC restarts with its vendor: whose it is shows in the first thing that differs.
        within("the vendor", async {
            loop {
                let Ok(mut session) = Client::connect(site.target(1)).await else {
                    continue;
                };
                if shows(&mut session, vendor).await == Ok(true) {
                    return;
                }
            }
        })
        .await;
    }
}

/// Whether a session behaves as this vendor's would; whatever vendor it is, all of the client's commands must work.
async fn shows(session: &mut drydock_ipmi::Session, vendor: Vendor) -> Result<bool, String> {
    let said = |error: Error| error.to_string();
    let device = session.device_id().await.map_err(said)?;
    session
        .set_boot_device(BootDevice::Disk, BootMode::Uefi, Persistence::Persistent)
        .await
        .map_err(said)?;
    let flags = session.boot_options().await.map_err(said)?;
    assert_eq!(flags.device, Some(BootDevice::Disk), "{vendor:?}");
    assert_eq!(session.fru(0).await.map_err(said)?.damaged, []);
    let cycle = session.chassis_control(Control::Cycle).await;
    Ok(match vendor {
        Vendor::Plain | Vendor::Idrac | Vendor::Ilo | Vendor::Xcc | Vendor::SushyTools => true,
        Vendor::Minimal => device.auxiliary.is_empty() && flags.mode == BootMode::Bios,
        Vendor::Openbmc => flags.mode == BootMode::Uefi,
        Vendor::Supermicro => device.manufacturer == 10_876 && flags.raw[1] == 0x24,
        Vendor::Pyghmi => {
            session.suite() == CipherSuite::Suite3
                && matches!(cycle, Err(Error::CompletionCode { code, .. }) if code == CompletionCode::INVALID_FIELD)
        }
        Vendor::IpmiSim => session.suite() == CipherSuite::Suite3,
    })
}
