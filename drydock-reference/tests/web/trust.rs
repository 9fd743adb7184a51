//! Whose certificates are trusted.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use drydock_model::reference::ReferenceFault;
use drydock_reference::{Fetcher, KeystoneSettings, ReferenceSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::{Server, echo, fetch, settings};

/// An authority that no system knows, and a server with a certificate of its making for 127.0.0.1, which gives everybody
/// a token.
struct Authority {
    pem: String,
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Authority {
    fn start() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                // One that does not trust us breaks off.
                if answer(StreamOwned::new(connection, stream.unwrap())).is_ok() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Authority {
            pem: issuer.pem(),
            address,
            asked,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Answers one request, whatever it asks.
fn answer(mut stream: impl io::Read + io::Write) -> io::Result<()> {
    let mut request = [0; 4096];
    if stream.read(&mut request)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let body =
        r#"{"token": {"issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T01:00:00Z"}}"#;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 201 Created\r\nX-Subject-Token: t0\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

fn with_keystone(address: SocketAddr, ca_file: Option<&Path>, allow: &str) -> ReferenceSettings {
    ReferenceSettings {
        keystone: Some(KeystoneSettings {
            auth_url: format!("https://{address}/v3"),
            username: "drydock".into(),
            password: "p4ssw0rd".into(),
            user_domain: "Default".into(),
            project: "service".into(),
            project_domain: "Default".into(),
            ca_file: ca_file.map(Path::to_owned),
        }),
        ..settings(allow)
    }
}

#[actix_web::test]
async fn keystone_is_trusted_by_the_file_and_nothing_else_is() {
    let (authority, server) = (Authority::start(), Server::start(echo));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, &authority.pem).unwrap();
    let uri = format!("deckhand+{}", server.url("/a"));

    let error = fetch(with_keystone(authority.address, None, &uri), &uri)
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused, "{error}");
    assert_eq!((authority.asked(), server.asked()), (0, 0));

    let settings = with_keystone(authority.address, Some(&ca_file), &uri);
    let said = fetch(settings, &uri).await.unwrap();
    assert!(said.ends_with("token=t0"), "{said}");
    assert_eq!(authority.asked(), 1);

    // The file is Keystone's alone.
    let uri = format!("https://{}/a", authority.address);
    let settings = with_keystone(authority.address, Some(&ca_file), &uri);
    let error = fetch(settings, &uri).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused, "{error}");
    assert_eq!(authority.asked(), 1);
}

#[test]
fn a_file_that_holds_no_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for (name, text) in [
        ("absent", None),
        ("empty", Some("")),
        (
            "broken",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ),
    ] {
        let file = folder.path().join(name);
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let settings = with_keystone(address, Some(&file), "/");
        let made = Fetcher::new(settings);
        let Err(error) = made else {
            panic!("{name} was taken")
        };
        assert!(
            error.message.contains("references.keystone.ca_file") && error.message.contains(name),
            "{error}"
        );
    }
}

#[actix_web::test]
async fn https_wants_a_certificate() {
    let server = Server::start(echo);
    let url = format!("https://{}/a", server.address);
    let error = fetch(settings(&url), &url).await.unwrap_err();
    // Refused: a machine without root certificates.
    assert!(
        matches!(
            error.fault,
            ReferenceFault::Unavailable | ReferenceFault::Refused
        ),
        "{error}"
    );
    assert_eq!(server.asked(), 0);
}
