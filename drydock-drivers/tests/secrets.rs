//! A planted password and the tokens that it buys are in no line that is logged, at whatever level.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::sync::{Arc, Mutex};

use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::step::StepAction as A;
use drydock_sim::{
    BmcKind, Faults, MachineFaults, RedfishFaults, SiteShape, Timing, Transport, World,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::run::Step;
use crate::site::{PASSWORD, design, loopback, machine};

#[allow(dead_code)]
#[path = "world/run.rs"]
mod run;
#[allow(dead_code)]
#[path = "world/site.rs"]
mod site;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_holds_a_password_or_a_token() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .init();
    // Basic authentication as its header has it, too.
    let basic = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"))
    };
    let mut texts = Vec::new();
    for (block, no_sessions, wrong) in [
        (210, false, false),
        (211, true, false),
        (212, false, true),
        (213, true, true),
    ] {
        let mut shape = machine(block, 1);
        shape.bmc = BmcKind::Redfish(Transport::SelfSigned);
        let faults = MachineFaults {
            bmc_wrong_password: wrong,
            redfish: RedfishFaults {
                no_sessions,
                ..RedfishFaults::default()
            },
            ..MachineFaults::default()
        };
        let faults = Faults {
            machines: [("n1".to_owned(), faults)].into(),
            ..Faults::default()
        };
        let site = SiteShape {
            machines: vec![shape],
            ..SiteShape::default()
        };
        let world = World::start(site, Timing { scale: 0.002 }, faults)
            .await
            .unwrap();
        let settings = RedfishSettings {
            port: world.redfish_port(),
            tls: TlsPolicy {
                fingerprints: vec![Fingerprint::of(world.redfish_certificate("n1").unwrap())],
                ..TlsPolicy::default()
            },
            ..RedfishSettings::default()
        };
        texts.push(format!("{settings:?}"));
        let driver = RedfishDriver::new(settings, loopback()).unwrap();
        let design = Arc::new(design(block, 1));
        let mut step = Step::new(A::SetNodeBoot, &design, Some("n1"));
        match step.run(&driver).await {
            Ok(report) => texts.push(format!("{report:?}")),
            Err(error) => texts.push(format!("{error} {error:?}")),
        }
        texts.push(step.stored());
        driver.shutdown().await;
        world.stop().await;
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("redfish answered") && logged.contains("TRACE"),
        "it logs"
    );
    // A connection serves many requests, and none is opened on the side.
    let opened = logged.matches("starting new connection").count();
    let answered = logged.matches("redfish answered").count();
    assert!(
        opened * 3 <= answered,
        "{opened} connections for {answered} answers"
    );
    texts.push(logged);
    for text in &texts {
        for secret in [PASSWORD, &basic] {
            let at = text.find(secret).map(|at| {
                let line = text[..at].rfind('\n').map_or(0, |start| start + 1);
                text[line..].lines().next().unwrap().to_owned()
            });
            assert_eq!(at, None);
        }
        assert!(!text.contains("X-Auth-Token: "), "a token is shown");
    }
}
