//! The Redfish driver against a service written by others: the emulator of `sushy-tools`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::build_data::Element;
use drydock_model::driver::{Driver, ErrorClass};
use drydock_model::effective::EffectiveDesign;
use drydock_model::step::StepAction as A;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::run::Step;
use crate::site::{bmc, design, loopback};

/// Where `cargo xtask test` tells of a Python that has sushy-tools; its emulator stands beside it.
const PYTHON: &str = "DRYDOCK_TEST_PYTHON";

/// User and password of the tests, as the emulator wants to have them (bcrypt).
const AUTH: &str = "admin:$2b$04$8I1qbp21GKL4inOJlsAZm.gDSEurCuDs8ip8aawckz7dL2MEvj3Su\n";

/// The emulator, with one machine.
struct Emulator {
    address: SocketAddr,
    certificate: Vec<u8>,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl Emulator {
    /// `None` where there is no sushy-tools; in continuous integration that is a failure.
    async fn start(address: IpAddr) -> Option<Self> {
        let python = std::env::var(PYTHON).ok();
        let program = python.as_deref().and_then(|python| {
            let program = Path::new(python).parent()?.join("sushy-emulator");
            program.exists().then_some(program)
        });
        let Some(program) = program else {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(
                !required,
                "there is no sushy-tools: `cargo xtask test` installs it"
            );
            eprintln!("skipped: {PYTHON} names no Python with sushy-tools");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["bmc".to_owned()]).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let settings = format!(
            "SUSHY_EMULATOR_LISTEN_IP = '{address}'\n\
             SUSHY_EMULATOR_LISTEN_PORT = 0\n\
             SUSHY_EMULATOR_SSL_CERT = '{}'\n\
             SUSHY_EMULATOR_SSL_KEY = '{}'\n\
             SUSHY_EMULATOR_AUTH_FILE = '{}'\n\
             SUSHY_EMULATOR_STATE_DIR = '{}'\n\
             SUSHY_EMULATOR_FAKE_DRIVER = True\n\
             SUSHY_EMULATOR_FAKE_SYSTEMS = [{{'uuid': 'c7a5fdbd-cdaf-9455-926a-d65c16db1809', 'name': 'n1', \
             'power_state': 'Off', 'external_notifier': False, 'nics': [{{'mac': '52:54:00:00:00:01', 'ip': '127.0.0.1'}}]}}]\n",
            file("cert.pem", &key.cert.pem()),
            file("key.pem", &key.signing_key.serialize_pem()),
            file("auth", AUTH),
            folder.path().display(),
        );
        let mut process = Command::new(program)
            .args(["--fake", "--config", &file("emulator.conf", &settings)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
        let port = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let line = said.next_line().await.unwrap().expect("it ended");
                if let Some((_, port)) = line.split_once(&format!("https://{address}:")) {
                    break port.trim().parse().unwrap();
                }
            }
        });
        let port = port.await.expect("the emulator does not start");
        // A pipe that is full would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Some(Emulator {
            address: SocketAddr::new(address, port),
            certificate: key.cert.der().to_vec(),
            _process: process,
            _folder: folder,
        })
    }

    fn driver(&self) -> RedfishDriver {
        let settings = RedfishSettings {
            port: self.address.port(),
            gap_floor: Duration::from_millis(1),
            gap_ceiling: Duration::from_millis(50),
            timeout: Duration::from_secs(30),
            tls: TlsPolicy {
                fingerprints: vec![Fingerprint::of(&self.certificate)],
                ..TlsPolicy::default()
            },
            // Its machines take up to eleven seconds.
            settle_after_reset: Duration::from_secs(15),
            state_timeout: Duration::from_secs(30),
            poll: Duration::from_millis(200),
            ..RedfishSettings::default()
        };
        RedfishDriver::new(settings, loopback()).unwrap()
    }
}

fn step(design: &Arc<EffectiveDesign>, action: A) -> Step {
    Step::new(action, design, Some("n1"))
}

#[tokio::test]
async fn the_emulator_is_interrogated_and_switched() {
    let Some(emulator) = Emulator::start(bmc(220, 1)).await else {
        return;
    };
    let design = Arc::new(design(220, 1));
    let driver = emulator.driver();
    let report = step(&design, A::InterrogateOob).run(&driver).await.unwrap();
    assert!(report.message.contains("power is off"), "{report:?}");
    let Element::Json(data) = &report.build_data[0].element else {
        panic!("{report:?}")
    };
    assert_eq!(data["vendor"], "Sushy Emulator", "{data:#}");
    assert_eq!(
        data["interfaces"][0]["mac"], "52:54:00:00:00:01",
        "{data:#}"
    );
    for action in [
        A::SetNodeBoot,
        A::PowerOnNode,
        A::PowerCycleNode,
        A::PowerOffNode,
    ] {
        let mut first = step(&design, action);
        let outcome = first.run(&driver).await;
        assert!(outcome.is_ok(), "{action}: {outcome:?}");
        assert!(!first.verbs().is_empty(), "{action} changed nothing");
    }
    let mut second = step(&design, A::PowerOffNode);
    second.run(&driver).await.unwrap();
    assert!(second.verbs().is_empty());
    driver.shutdown().await;
}

#[tokio::test]
async fn the_emulator_refuses_a_wrong_password_once() {
    let Some(emulator) = Emulator::start(bmc(221, 1)).await else {
        return;
    };
    let mut design = design(221, 1);
    let node = Arc::get_mut(&mut design.nodes[0]).unwrap();
    node.oob.credential = Some("wr0ng-and-secret".to_owned().into());
    let design = Arc::new(design);
    let driver = emulator.driver();
    let cx = step(&design, A::PowerOnNode).cx;
    let error = driver.observe(&cx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth, "{error}");
    let again = driver.observe(&cx).await.unwrap_err();
    assert!(again.got.contains("refused a short while ago"), "{again}");
    for error in [error, again] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("wr0ng-and-secret"), "{shown}");
    }
    driver.shutdown().await;
}
