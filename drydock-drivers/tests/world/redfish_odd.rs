//! The Redfish driver against servers that speak TLS and answer as they like.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_drivers::oob::{Controller, Switched};
use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::driver::{Driver, DriverError, ErrorClass};
use drydock_model::effective::Node;
use drydock_model::step::StepAction as A;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::run::Step;
use crate::site::{PASSWORD, bmc, design, loopback};

/// What a server answers: the request's first line, and the whole of what is sent back.
type Script = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A server that speaks TLS and answers as it likes.
pub struct Odd {
    pub driver: RedfishDriver,
    step: Step,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

impl Odd {
    async fn start(block: u8, script: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with(block, |_| {}, script).await
    }

    /// With a design that is a little different.
    pub async fn with(
        block: u8,
        change: impl FnOnce(&mut Node),
        script: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let key = rcgen::generate_simple_self_signed(vec!["bmc".to_owned()]).unwrap();
        let der = key.cert.der().clone();
        let private =
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let address = SocketAddr::new(bmc(block, 1), 0);
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let witness = Arc::clone(&asked);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
                let witness = Arc::clone(&witness);
                open.spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut request = Vec::new();
                    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                        let mut part = [0; 4096];
                        match stream.read(&mut part).await {
                            Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                            _ => return,
                        }
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let line = request.lines().next().unwrap_or_default().to_owned();
                    witness.lock().unwrap().push(line.clone());
                    let reply = script(&line);
                    let _ = stream.write_all(&reply).await;
                    if reply.ends_with(b"MORE") {
                        while stream.write_all(&[b' '; 65_536]).await.is_ok() {}
                    }
                    if !reply.is_empty() {
                        let _ = stream.shutdown().await;
                    } else {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        let settings = RedfishSettings {
            port,
            gap_floor: Duration::from_millis(1),
            gap_ceiling: Duration::from_millis(20),
            timeout: Duration::from_secs(2),
            tls: TlsPolicy {
                fingerprints: vec![Fingerprint::of(&der)],
                ..TlsPolicy::default()
            },
            state_timeout: Duration::from_secs(2),
            settle_after_reset: Duration::from_secs(1),
            poll: Duration::from_millis(20),
            ..RedfishSettings::default()
        };
        let mut design = design(block, 1);
        change(Arc::get_mut(&mut design.nodes[0]).unwrap());
        let design = Arc::new(design);
        Odd {
            driver: RedfishDriver::new(settings, loopback()).unwrap(),
            step: Step::new(A::PowerOnNode, &design, Some("n1")),
            asked,
            _serving: serving,
        }
    }

    /// How many requests begin so.
    pub fn count(&self, start: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|line| line.starts_with(start)).count()
    }

    pub fn node(&self) -> &Node {
        self.step.cx.node().unwrap()
    }

    async fn refusal(&self) -> DriverError {
        let error = self.driver.observe(&self.step.cx).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(PASSWORD), "{shown}");
        error
    }
}

#[tokio::test]
async fn garbage_is_told_as_such_and_comes_to_an_end() {
    let cases: [(&str, ErrorClass, Vec<u8>); 9] = [
        (
            "no JSON",
            ErrorClass::Permanent,
            answer("200 OK", "", "<html>"),
        ),
        ("no JSON", ErrorClass::Permanent, answer("200 OK", "", "")),
        (
            "no object",
            ErrorClass::Permanent,
            answer("200 OK", "", "[]"),
        ),
        (
            "no JSON",
            ErrorClass::Permanent,
            answer("200 OK", "", &"[".repeat(100_000)),
        ),
        (
            "middle",
            ErrorClass::Transient,
            answer("200 OK", "", "{\"a\": "),
        ),
        (
            "302",
            ErrorClass::Permanent,
            answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        ),
        (
            "404",
            ErrorClass::Permanent,
            answer("404 Not Found", "", "{\"error\": []}"),
        ),
        (
            "no answer",
            ErrorClass::Transient,
            b"SSH-2.0-OpenSSH\r\n".to_vec(),
        ),
        (
            "longer than",
            ErrorClass::Permanent,
            b"HTTP/1.1 200 OK\r\n\r\n{\"a\": \"MORE".to_vec(),
        ),
    ];
    for (block, (said, class, reply)) in (192u8..).zip(cases) {
        let odd = Odd::start(block, move |_| reply.clone()).await;
        let began = Instant::now();
        let error = odd.refusal().await;
        assert_eq!(error.class, class, "{error}");
        assert!(error.got.contains(said), "wanted {said:?}: {error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{error}");
        odd.driver.shutdown().await;
    }
}

#[tokio::test]
async fn silence_after_the_handshake_ends_in_time() {
    let odd = Odd::start(202, |_| Vec::new()).await;
    let began = Instant::now();
    let error = odd.refusal().await;
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{error}");
}

/// The root may be shut, sessions may not be named, and the root may be odd in all that is not asked for.
#[tokio::test]
async fn an_odd_service_is_used_as_far_as_it_goes() {
    let sessions = AtomicUsize::new(0);
    let odd = Odd::start(203, move |line| {
        let asked = line.split(' ').nth(1).unwrap_or_default();
        match asked {
            "/redfish/v1/" if sessions.load(Ordering::SeqCst) == 0 => {
                answer("401 Unauthorized", "", "")
            }
            "/redfish/v1/" => answer(
                "200 OK",
                "",
                r#"{"Links": 7, "UUID": "", "Systems": {"@odata.id": "/redfish/v1/Systems"}}"#,
            ),
            "/redfish/v1/SessionService/Sessions" => {
                sessions.fetch_add(1, Ordering::SeqCst);
                answer(
                    "201 Created",
                    "X-Auth-Token: t0ken\r\nLocation: https://10.1.2.3/redfish/v1/S/1\r\n",
                    "",
                )
            }
            "/redfish/v1/Systems" => answer(
                "200 OK",
                "",
                r#"{"Members": [{"@odata.id": "/redfish/v1/Systems/a"}]}"#,
            ),
            "/redfish/v1/Systems/a" => answer(
                "200 OK",
                "",
                r#"{"PowerState": "Off", "LastResetTime": "0000", "Boot": null, "Status": "x"}"#,
            ),
            _ => answer("204 No Content", "", ""),
        }
    })
    .await;
    let observed = odd.driver.observe(&odd.step.cx).await.unwrap();
    assert_eq!(observed.0["power_on"], false);
    // There is no reset action: that is told, not guessed.
    let change = odd.driver.plan(&odd.step.cx, &observed, &[]).changes[0].clone();
    let error = odd.driver.apply(&odd.step.cx, &change).await.unwrap_err();
    assert!(error.got.contains("#ComputerSystem.Reset"), "{error}");
    odd.driver.shutdown().await;
    let asked = odd.asked.lock().unwrap().clone();
    assert_eq!(
        asked.last().unwrap(),
        "DELETE /redfish/v1/S/1 HTTP/1.1",
        "{asked:#?}"
    );
}

/// All slots are taken, and there is no other way in: the credentials are shown once without a session.
#[tokio::test]
async fn basic_authentication_in_place_of_a_session_is_tried_once() {
    let full = r#"{"error": {"code": "Base.1.8.SessionLimitExceeded", "message": "no"}}"#;
    let odd = Odd::start(206, move |line| {
        match line.split(' ').nth(1).unwrap_or_default() {
            "/redfish/v1/" => answer(
                "200 OK",
                "",
                r#"{"Links": {"Sessions": {"@odata.id": "/s"}}, "Systems": {"@odata.id": "/systems"}}"#,
            ),
            "/s" => answer("400 Bad Request", "Retry-After: 0\r\n", full),
            _ => answer("401 Unauthorized", "", ""),
        }
    })
    .await;
    let error = odd.refusal().await;
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(
        error.got.contains("refuses basic authentication"),
        "{error}"
    );
    let asked = odd.asked.lock().unwrap().clone();
    let systems = asked
        .iter()
        .filter(|line| line.contains("/systems"))
        .count();
    assert_eq!(systems, 1, "{asked:#?}");
}

const ROOT: &str = r#"{"Links": {"Sessions": {"@odata.id": "/s"}}, "Systems": {"@odata.id": "/systems"}, "Managers": {"@odata.id": "/managers"}}"#;

pub fn ok(body: &str) -> Vec<u8> {
    answer("200 OK", "", body)
}

/// A service of one system, which looks so; what is asked besides is answered by the script.
pub fn service(
    system: &'static str,
    rest: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> impl Fn(&str) -> Vec<u8> + Send + Sync + 'static {
    move |line| match line.trim_end_matches(" HTTP/1.1") {
        "GET /redfish/v1/" => ok(ROOT),
        "POST /s" => answer(
            "201 Created",
            "X-Auth-Token: t0ken\r\nLocation: /s/1\r\n",
            "",
        ),
        "DELETE /s/1" => answer("204 No Content", "", ""),
        "GET /systems" => ok(r#"{"Members": [{"@odata.id": "/systems/a"}]}"#),
        "GET /systems/a" => ok(system),
        other => rest(other),
    }
}

/// Standard messages quote the value that is refused. What is refused is not tried again, whatever the status.
#[tokio::test]
async fn a_quoted_password_is_not_shown_and_not_tried_again() {
    let quoting = [
        format!(r#""Message": "The value '{PASSWORD}' for the property Password is wrong.","#),
        String::new(),
    ];
    let cases = quoting.iter().flat_map(|said| {
        ["400 Bad Request", "401 Unauthorized", "403 Forbidden"].map(|status| (said, status))
    });
    for (block, (said, status)) in (209u8..).zip(cases) {
        let body = format!(
            r##"{{"error": {{"code": "{PASSWORD}", "@Message.ExtendedInfo": [{{{said} "MessageId": "Base.1.8.PropertyValueError",
            "MessageArgs": ["{PASSWORD}", "Password"], "RelatedProperties": ["#/Password"]}}]}}}}"##
        );
        let reply = answer(status, "", &body);
        let odd = Odd::start(block, move |line| match line {
            "GET /redfish/v1/ HTTP/1.1" => ok(ROOT),
            _ => reply.clone(),
        })
        .await;
        for _ in 0..3 {
            let error = odd.refusal().await;
            assert_eq!(error.class, ErrorClass::Auth, "{error}");
        }
        assert_eq!(odd.count("POST /s"), 1, "{status}");
        odd.driver.shutdown().await;
    }
}

/// A power button is a toggle: what is sent a second time would switch off again.
#[tokio::test]
async fn the_power_button_is_not_pushed() {
    let system = r##"{"PowerState": "Off", "Actions": {"#ComputerSystem.Reset": {"target": "/reset",
        "ResetType@Redfish.AllowableValues": ["ForceOff", "PushPowerButton"]}}}"##;
    let odd = Odd::start(215, service(system, |_| answer("204 No Content", "", ""))).await;
    let switched = odd.driver.controller().set_power(odd.node(), true).await;
    let error = switched.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert!(error.got.contains("by hand"), "{error}");
    assert_eq!(odd.count("POST /reset"), 0);
    odd.driver.shutdown().await;
}

/// A machine on its way is neither on nor off: it is looked at again, and switched off while it starts.
#[tokio::test]
async fn a_machine_on_its_way_is_not_settled() {
    let on = r##"{"PowerState": "PoweringOn", "Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}"##;
    let off = r##"{"PowerState": "PoweringOff", "Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}"##;
    for (block, system, wanted) in [(216, on, false), (217, off, true)] {
        let odd = Odd::start(block, service(system, |_| answer("204 No Content", "", ""))).await;
        let error = odd.refusal().await;
        assert_eq!(error.class, ErrorClass::Transient, "{error}");
        assert!(
            error.retry_after.is_some() && error.got.contains("Powering"),
            "{error}"
        );
        let switched = odd.driver.controller().set_power(odd.node(), wanted).await;
        assert_eq!(switched.unwrap(), Switched::Acknowledged);
        assert_eq!(odd.count("POST /reset"), 1, "{system}");
        odd.driver.shutdown().await;
    }
}

/// A login that leads to nothing is tried twice at most, and each session is ended.
#[tokio::test]
async fn a_session_that_is_of_no_use_is_ended() {
    let odd = Odd::start(218, |line| {
        if line.starts_with("GET /systems") {
            answer("401 Unauthorized", "", "")
        } else {
            service("{}", |_| Vec::new())(line)
        }
    })
    .await;
    let error = odd.refusal().await;
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert_eq!((odd.count("POST /s"), odd.count("DELETE /s/1")), (2, 2));
    odd.driver.shutdown().await;
    assert_eq!(odd.count("DELETE /s/1"), 2);
}

/// The caller gives up after the login, before there was an answer to anything else.
#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_session() {
    let odd = Odd::start(219, |line| match line {
        "GET /redfish/v1/ HTTP/1.1" => answer("401 Unauthorized", "", ""),
        "POST /redfish/v1/SessionService/Sessions HTTP/1.1" => {
            answer("201 Created", "X-Auth-Token: t\r\nLocation: /s/1\r\n", "")
        }
        _ => answer("204 No Content", "", ""),
    })
    .await;
    {
        let mut observing = std::pin::pin!(odd.driver.observe(&odd.step.cx));
        while odd.count("GET /redfish/v1/ ") < 2 {
            assert!(futures::poll!(observing.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    odd.driver.shutdown().await;
    assert_eq!(odd.count("DELETE /s/1"), 1);
}

/// An override that could not be read is not taken for none.
#[tokio::test]
async fn pending_settings_that_cannot_be_read_are_a_failure() {
    let system = r#"{"PowerState": "On", "Boot": {"BootSourceOverrideEnabled": "Disabled"},
        "@Redfish.Settings": {"SettingsObject": {"@odata.id": "/pending"}}}"#;
    for (block, status, taken) in [
        (220, "500 Internal Server Error", false),
        (221, "404 Not Found", true),
    ] {
        let odd = Odd::start(block, service(system, move |_| answer(status, "", ""))).await;
        let boot = odd.driver.controller().boot(odd.node()).await;
        assert_eq!(boot.is_ok(), taken, "{status}: {boot:?}");
        odd.driver.shutdown().await;
    }
}

/// What is answered to a look at accepted work is not what became of the work.
#[tokio::test]
async fn a_refused_look_at_a_task_is_no_failure_of_it() {
    let system =
        r##"{"PowerState": "Off", "Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}"##;
    for (block, status, done) in [(222, "409 Conflict", true), (223, "403 Forbidden", false)] {
        let looks = AtomicUsize::new(0);
        let rest = move |line: &str| match line {
            "POST /reset" => answer("202 Accepted", "Location: /task\r\n", ""),
            _ if looks.fetch_add(1, Ordering::SeqCst) == 0 => answer(status, "", ""),
            _ => answer("204 No Content", "", ""),
        };
        let odd = Odd::start(block, service(system, rest)).await;
        let switched = odd.driver.controller().set_power(odd.node(), true).await;
        assert_eq!(switched.is_ok(), done, "{switched:?}");
        if let Err(error) = switched {
            assert_eq!(error.class, ErrorClass::Transient, "{error}");
            assert!(error.got.contains("has not ended it yet"), "{error}");
        }
        assert_eq!(odd.count("POST /reset"), 1);
        odd.driver.shutdown().await;
    }
}
