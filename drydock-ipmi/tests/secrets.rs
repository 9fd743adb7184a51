//! No password and no K_g in any log line, error or Debug output.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench::{Bench, USER, config};
use drydock_ipmi::bmc::{Account, Bmc, Faults};
use drydock_ipmi::{Client, Control};
use tracing_subscriber::fmt::MakeWriter;

const PASSWORD: &str = "planted-Pa55word";
const KG: &str = "planted-K3y";

/// Everything that is logged, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn planted_secrets_are_nowhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let mut shown = String::new();
    let mut show = |thing: &dyn std::fmt::Debug| shown.push_str(&format!("{thing:?} {thing:#?}\n"));

    let mut config = config();
    config.accounts = vec![Account::administrator(USER, PASSWORD.into())];
    config.kg = Some(KG.into());
    show(&config);
    let faults = Faults {
        duplicate_every: Some(1),
        drop_request_every: Some(4),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config.clone(), faults).await;
    show(&Bmc::new(config, bench.machine.clone(), [3; 32]));

    let mut target = bench.target();
    target.password = PASSWORD.into();
    target.kg = Some(KG.into());
    target.timeout = Duration::from_millis(30);
    show(&target);
    let mut session = Client::connect(target.clone()).await.unwrap();
    session.chassis_control(Control::On).await.unwrap();
    show(&session);
    bench.machine.refuse_with(0xd4);
    show(&session.chassis_control(Control::On).await.unwrap_err());
    session.close().await.unwrap();

    // Each secret in the wrong place, too long, and against a BMC that does not answer.
    for spoil in [
        (|target| target.password = format!("{PASSWORD}!").into()) as fn(&mut drydock_ipmi::Target),
        |target| target.kg = Some(format!("{KG}!").into()),
        |target| target.kg = None,
        |target| target.username = "nobody".into(),
        |target| target.password = PASSWORD.repeat(2).into(),
        |target| target.kg = Some(KG.repeat(2).into()),
        |target| target.addr.set_port(1),
    ] {
        let mut wrong = target.clone();
        spoil(&mut wrong);
        let error = Client::connect(wrong).await.unwrap_err();
        show(&error);
        show(&error.to_string());
    }

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for words in ["datagram dropped", "request dropped on purpose"] {
        assert!(logged.contains(words), "{words:?} was not logged: {logged}");
    }
    for text in [&shown, &logged] {
        for secret in [PASSWORD, KG, "planted"] {
            assert!(!text.contains(secret), "{secret:?} is in {text}");
        }
    }
}
