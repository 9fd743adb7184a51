//! The Redfish driver against servers that speak TLS and answer as they like.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::driver::{Driver, DriverError, ErrorClass};
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
struct Odd {
    driver: RedfishDriver,
    step: Step,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

impl Odd {
    async fn start(block: u8, script: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
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
        let design = Arc::new(design(block, 1));
        Odd {
            driver: RedfishDriver::new(settings, loopback()).unwrap(),
            step: Step::new(A::PowerOnNode, &design, Some("n1")),
            asked,
            _serving: serving,
        }
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
