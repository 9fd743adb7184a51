//! Tokens of a real Keystone, checked by it. `DRYDOCK_TEST_KEYSTONE` names one, `URL,USER,PASSWORD,PROJECT`; `cargo xtask
//! test` starts it.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use drydock_model::reference::{ReferenceFault, References};
use drydock_reference::{Fetcher, KeystoneSettings, ReferenceSettings};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const VARIABLE: &str = "DRYDOCK_TEST_KEYSTONE";

/// The Keystone of this run, and a token of its administrator.
#[derive(Clone)]
struct Real {
    url: String,
    user: String,
    password: String,
    project: String,
    http: reqwest::Client,
    token: String,
}

impl Real {
    /// `None`: there is none, and the test is to be skipped.
    async fn find() -> Option<Real> {
        let Ok(login) = std::env::var(VARIABLE) else {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "{VARIABLE} must be set in CI"
            );
            eprintln!("skipped: {VARIABLE} is not set");
            return None;
        };
        let parts: Vec<_> = login.split(',').map(str::to_owned).collect();
        let [url, user, password, project] = parts.try_into().expect(VARIABLE);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        let mut real = Real {
            url,
            user,
            password,
            project,
            http,
            token: String::new(),
        };
        real.token = real.log_in().await;
        Some(real)
    }

    /// A token, asked for in the test's own words.
    async fn log_in(&self) -> String {
        let domain = json!({"name": "Default"});
        let user = json!({"name": self.user, "password": self.password, "domain": domain});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": self.project, "domain": domain}},
        }});
        let answer = self
            .http
            .post(format!("{}/auth/tokens", self.url))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.headers()["x-subject-token"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// Asks Keystone about a token, or to revoke it.
    async fn about(&self, method: Method, token: &str) -> (StatusCode, Value) {
        let answer = self
            .http
            .request(method, format!("{}/auth/tokens?nocatalog", self.url))
            .header("x-auth-token", &self.token)
            .header("x-subject-token", token)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    fn settings(&self, allow: &str) -> ReferenceSettings {
        ReferenceSettings {
            allow_refs: vec![allow.to_owned()],
            back_off: Duration::from_millis(1),
            keystone: Some(KeystoneSettings {
                auth_url: self.url.clone(),
                username: self.user.clone(),
                password: self.password.clone().into(),
                user_domain: "Default".into(),
                project: self.project.clone(),
                project_domain: "Default".into(),
                ca_file: None,
            }),
            ..ReferenceSettings::default()
        }
    }
}

/// A service as Deckhand is one: it takes a token and has Keystone judge it.
struct Service {
    address: SocketAddr,
    /// What it was given, in order.
    given: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(real: &Real) -> Service {
        let given = Arc::new(Mutex::new(Vec::new()));
        let shared = web::Data::new((real.clone(), given.clone()));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .default_service(web::to(serve))
        })
        .workers(1)
        .disable_signals()
        .bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap();
        let address = server.addrs()[0];
        actix_web::rt::spawn(server.run());
        Service { address, given }
    }

    fn uri(&self) -> String {
        format!("deckhand+http://{}/revisions/1", self.address)
    }

    fn given(&self) -> Vec<String> {
        self.given.lock().unwrap().clone()
    }
}

type Shared = (Real, Arc<Mutex<Vec<String>>>);

/// Answers with the user and the project that Keystone says the token is of.
async fn serve(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let (real, given) = shared.get_ref();
    let Some(token) = request.headers().get("x-auth-token") else {
        return HttpResponse::Unauthorized().finish();
    };
    let token = token.to_str().unwrap().to_owned();
    given.lock().unwrap().push(token.clone());
    match real.about(Method::GET, &token).await {
        (StatusCode::OK, said) => {
            let name = |of: &str| said["token"][of]["name"].as_str().unwrap().to_owned();
            HttpResponse::Ok().body(format!("{} of {}", name("user"), name("project")))
        }
        (StatusCode::NOT_FOUND, _) => HttpResponse::Unauthorized().finish(),
        (status, said) => panic!("Keystone answered {status}: {said}"),
    }
}

#[actix_web::test]
async fn a_token_is_fetched_once_and_holds() {
    let Some(real) = Real::find().await else {
        return;
    };
    let service = Service::start(&real);
    let uri = service.uri();
    let fetcher = Fetcher::new(real.settings(&uri)).unwrap();
    let answers = join_all((0..4).map(|_| fetcher.fetch(&uri))).await;
    let expected = format!("{} of {}", real.user, real.project);
    for answer in answers {
        assert_eq!(String::from_utf8(answer.unwrap()).unwrap(), expected);
    }
    fetcher.fetch(&uri).await.unwrap();
    let given = service.given();
    assert_eq!(given.len(), 5);
    assert!(given.iter().all(|token| *token == given[0]));
}

#[actix_web::test]
async fn a_revoked_token_is_fetched_anew() {
    let Some(real) = Real::find().await else {
        return;
    };
    let service = Service::start(&real);
    let uri = service.uri();
    let fetcher = Fetcher::new(real.settings(&uri)).unwrap();
    fetcher.fetch(&uri).await.unwrap();
    let (status, said) = real.about(Method::DELETE, &service.given()[0]).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
    fetcher.fetch(&uri).await.unwrap();
    let given = service.given();
    assert_eq!(given.len(), 3, "accepted, refused, accepted");
    assert_eq!(given[0], given[1]);
    assert_ne!(given[1], given[2]);
}

#[actix_web::test]
async fn a_wrong_login_is_refused_for_good_and_names_the_settings() {
    let Some(real) = Real::find().await else {
        return;
    };
    let service = Service::start(&real);
    let uri = service.uri();
    type Spoil = fn(&mut KeystoneSettings);
    let cases: [Spoil; 4] = [
        |login| login.password = "wr0ng".into(),
        |login| login.username = "nobody".into(),
        |login| login.project = "nowhere".into(),
        |login| login.user_domain = "nowhere".into(),
    ];
    for spoil in cases {
        let mut settings = real.settings(&uri);
        // With a second attempt this would take an hour, and not be refused but given up.
        settings.back_off = Duration::from_secs(3600);
        settings.keystone.as_mut().into_iter().for_each(spoil);
        let fetcher = Fetcher::new(settings).unwrap();
        let error = fetcher.fetch(&uri).await.unwrap_err();
        assert_eq!(error.fault, ReferenceFault::Refused, "{error}");
        assert!(
            error.message.contains("401") && error.message.contains("references.keystone.username"),
            "{error}"
        );
        assert!(
            !error.message.contains("wr0ng") && !error.message.contains(&real.password),
            "{error}"
        );
    }
    assert_eq!(service.given(), Vec::<String>::new());
}

#[actix_web::test]
async fn another_path_than_the_identity_api_is_named() {
    let Some(real) = Real::find().await else {
        return;
    };
    let service = Service::start(&real);
    let uri = service.uri();
    let mut settings = real.settings(&uri);
    if let Some(login) = &mut settings.keystone {
        login.auth_url = real.url.replace("/v3", "/identity");
    }
    let error = Fetcher::new(settings)
        .unwrap()
        .fetch(&uri)
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused, "{error}");
    assert!(
        error.message.contains("404") && error.message.contains("references.keystone.auth_url"),
        "{error}"
    );
}
