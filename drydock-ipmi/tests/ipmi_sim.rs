//! The client against a BMC written by others: `ipmi_sim` of the Debian package `openipmi`.
#![allow(clippy::unwrap_used)]

#[path = "rig/inventory.rs"]
mod sample;
#[path = "rig/simulator.rs"]
mod simulator;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use drydock_ipmi::{
    BootDevice, BootMode, CipherSuite, Client, Control, Error, Persistence, SdrBody, SdrRecord,
    SelEntry, SelEvent, SelRecord, Target,
};
use simulator::{SLOTS, Simulator};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Stands between a client and a BMC and loses every n-th answer.
async fn losing_answers(bmc: SocketAddr, every: usize) -> (SocketAddr, JoinHandle<()>) {
    let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    back.connect(bmc).await.unwrap();
    let addr = front.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut there, mut here) = ([0u8; 1024], [0u8; 1024]);
        let (mut console, mut answers) = (None, 0);
        loop {
            tokio::select! {
                Ok((len, from)) = front.recv_from(&mut there) => {
                    console = Some(from);
                    back.send(&there[..len]).await.unwrap();
                }
                Ok(len) = back.recv(&mut here) => {
                    answers += 1;
                    if let Some(console) = console.filter(|_| answers % every != 0) {
                        front.send_to(&here[..len], console).await.unwrap();
                    }
                }
            }
        }
    });
    (addr, task)
}

#[tokio::test]
async fn power_and_boot_device() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut session = Client::connect(simulator.target()).await.unwrap();
    assert_eq!(
        session.suite(),
        CipherSuite::Suite3,
        "ipmi_sim knows suite 3 only"
    );
    assert_eq!(session.device_id().await.unwrap().firmware_major, 9);
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.chassis_control(Control::On).await.unwrap();
    assert!(session.chassis_status().await.unwrap().power_on);
    session
        .set_boot_device(BootDevice::Pxe, BootMode::Bios, Persistence::Once)
        .await
        .unwrap();
    let options = session.boot_options().await.unwrap();
    assert_eq!(options.device, Some(BootDevice::Pxe));
    session.chassis_control(Control::Off).await.unwrap();
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.close().await.unwrap();
    assert_eq!(simulator.log(), ["power 1", "boot pxe", "power 0"]);
}

#[tokio::test]
async fn wrong_credentials() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut target = simulator.target();
    target.password = "wrong".into();
    let error = Client::connect(target).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    let mut target = simulator.target();
    target.username = "nobody".to_owned();
    let error = Client::connect(target).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    Client::connect(simulator.target()).await.unwrap();
}

/// Opens as many sessions as it has slots, and closes them again.
async fn all_slots_are_free(simulator: &Simulator) {
    let mut sessions = Vec::new();
    for number in 1..=SLOTS {
        match Client::connect(simulator.target()).await {
            Ok(session) => sessions.push(session),
            Err(error) => panic!("session {number} of {SLOTS} at a time: {error}"),
        }
    }
    let error = Client::connect(simulator.target()).await.unwrap_err();
    assert!(
        matches!(error, Error::SessionSlotsUsedUp { .. }),
        "more than all slots: {error}"
    );
    for session in sessions {
        session.close().await.unwrap();
    }
}

/// Closed or dropped, with the command under way ended or not.
#[tokio::test]
async fn two_hundred_sessions_leave_all_slots_free() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    for round in 0..200 {
        let mut session = Client::connect(simulator.target()).await.unwrap();
        session.chassis_status().await.unwrap();
        if round % 2 == 0 {
            session.close().await.unwrap();
        }
    }
    all_slots_are_free(&simulator).await;
}

/// Where the process that is killed finds the address of its BMC.
const TO_BE_KILLED: &str = "DRYDOCK_IPMI_TEST_BMC";

/// Logs in, says so, and uses the session until the process is killed.
async fn hold_a_session(addr: &str) {
    let mut target = Target::new(addr.parse().unwrap(), "admin", "secret".into());
    target.timeout = Duration::from_millis(500);
    let mut session = Client::connect(target).await.unwrap();
    println!("logged in");
    loop {
        session.chassis_status().await.unwrap();
    }
}

/// A process that is killed closes nothing. What it held comes back when the BMC notices; the next one gets in meanwhile. The
/// process is this test once more, told by its environment.
#[tokio::test]
async fn after_a_kill_the_next_run_gets_in() {
    if let Ok(addr) = std::env::var(TO_BE_KILLED) {
        return hold_a_session(&addr).await;
    }
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    Client::connect(simulator.target()).await.unwrap();
    for _ in 0..5 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--nocapture", "--exact"])
            .arg("after_a_kill_the_next_run_gets_in")
            .env(TO_BE_KILLED, simulator.addr.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines
                .map_while(Result::ok)
                .any(|line| line.contains("logged in")),
            "the process did not log in"
        );
        // On Unix this is SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let mut session = Client::connect(simulator.target()).await.unwrap();
        session.chassis_control(Control::On).await.unwrap();
        assert!(session.chassis_status().await.unwrap().power_on);
        session.close().await.unwrap();
    }
}

/// What ipmi_sim is told in its own words, our client reads.
#[tokio::test]
async fn inventory_log_and_sensors() {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut line, byte| {
            write!(line, " {byte:#04x}").unwrap();
            line
        })
    };
    let fru = sample::fru().encode();
    let mut commands = format!(
        "mc_add_fru_data 0x20 0 {:#x} data{}\n",
        fru.len(),
        hex(&fru)
    );
    for number in 1..=20 {
        let record = sample::event(number).encode();
        writeln!(commands, "sel_add 0x20 0x02{}", hex(&record[3..])).unwrap();
    }
    // It has one sensor for a record.
    let alone = |record: &SdrRecord| match &record.body {
        SdrBody::Sensor(sensor) => sensor.shared.count == 1,
        _ => false,
    };
    let records: Vec<SdrRecord> = sample::records().into_iter().filter(alone).collect();
    for record in &records {
        writeln!(commands, "main_sdr_add 0x20{}", hex(&record.encode())).unwrap();
    }
    commands.push_str(
        "sensor_add 0x20 0 0x30 0x01 0x01\nsensor_set_threshold 0x20 0 0x30 settable 011000 0 180 160 0 0 0\n\
         sensor_set_value 0x20 0 0x30 85 0\n\
         sensor_add 0x20 0 0x31 0x04 0x01\nsensor_set_threshold 0x20 0 0x31 settable 000010 0 0 0 0 5 0\n\
         sensor_set_value 0x20 0 0x31 3 0\n",
    );
    let Some(simulator) = Simulator::with(&commands).await else {
        return;
    };
    let mut session = Client::connect(simulator.target()).await.unwrap();
    assert_eq!(session.fru(0).await.unwrap(), sample::fru());

    assert_eq!(session.sel_info().await.unwrap().entries, 20);
    let tail = session.sel_tail(3).await.unwrap();
    // It puts its own time into the records.
    let without_time = |entry: SelEntry| match entry.record {
        SelRecord::Event(event) => SelEvent {
            timestamp: 0,
            ..event
        },
        other => panic!("{other:?}"),
    };
    let expected: Vec<SelEvent> = (18..=20)
        .map(|id| without_time(sample::event(id)))
        .collect();
    let found: Vec<SelEvent> = tail.into_iter().map(without_time).collect();
    assert_eq!(found, expected);

    let found = session.sdr_records().await.unwrap();
    let bodies = |records: &[SdrRecord]| -> Vec<SdrBody> {
        records.iter().map(|record| record.body.clone()).collect()
    };
    assert_eq!(bodies(&found), bodies(&records));
    let sensors: Vec<String> = session
        .sensors(&found)
        .await
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        sensors,
        [
            "CPU Temp: 42.5 °C, normal",
            "Fan 1: 300 RPM, critical (below lower critical)"
        ]
    );
    let error = session.sensor_reading(0x55).await.unwrap_err();
    assert!(matches!(error, Error::CompletionCode { .. }), "{error}");
}

/// ipmi_sim carries out repeated packets again: a reset whose answer was lost must still happen once. Reads get their
/// answer all the same.
#[tokio::test]
async fn lost_answers() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut session = Client::connect(simulator.target()).await.unwrap();
    session.chassis_control(Control::On).await.unwrap();
    session.close().await.unwrap();

    let (addr, proxy) = losing_answers(simulator.addr, 4).await;
    let mut target = simulator.target();
    target.addr = addr;
    target.timeout = Duration::from_millis(100);
    target.retries = 4;
    let mut session = Client::connect(target).await.unwrap();
    let mut open = 0;
    for round in 0..8 {
        match session.chassis_control(Control::Reset).await {
            Ok(()) => {}
            Err(Error::Timeout { .. }) => open += 1,
            Err(error) => panic!("{error}"),
        }
        let mut expected = vec!["power 1"];
        expected.resize(round + 2, "reset 1");
        assert_eq!(simulator.log(), expected);
        assert!(session.chassis_status().await.unwrap().power_on);
    }
    assert!(open > 0, "no answer to a reset was lost");
    proxy.abort();
}
