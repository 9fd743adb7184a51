//! A client that looks at each answer's obligations.

use std::net::SocketAddr;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    what: String,
}

impl Answer {
    /// The JSON body of an answer with this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.what,
            self.text()
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{}",
            self.what
        );
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// The message of an error, whose body must be whole.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> String {
        let body = self.ok(status);
        assert_eq!(body["type"], "error", "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(
            body["request_id"].as_str(),
            self.header("x-drydock-req"),
            "{body}"
        );
        assert_eq!(body["retry"].as_bool(), Some(status == 503), "{body}");
        body["message"].as_str().unwrap().to_owned()
    }

    /// Status without a body.
    #[track_caller]
    pub fn empty(&self, status: u16) {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.what,
            self.text()
        );
        assert!(self.bytes.is_empty(), "{}: {}", self.what, self.text());
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Where `Link: rel="next"` leads, below the base path.
    pub fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let (target, rel) = link.split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"", "{link}");
        Some(target.strip_prefix("</api/v1.0").unwrap().to_owned())
    }
}

/// Headers of a request.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        // Err: somebody else in this process has installed one already, which does as well.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client {
            http,
            base: format!("http://{address}"),
        }
    }

    /// A request to a path below `/api/v1.0`, or to one that begins with `//` from the root.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let url = match path.strip_prefix("//") {
            Some(rest) => format!("{}/{rest}", self.base),
            None => format!("{}/api/v1.0{path}", self.base),
        };
        let mut request = self
            .http
            .request(Method::from_bytes(method.as_bytes()).unwrap(), &url)
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let what = format!("{method} {path}");
        let id = headers.get("x-drydock-req").map(|id| id.to_str().unwrap());
        assert!(
            id.is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()),
            "{what}: X-Drydock-Req is {id:?}"
        );
        Answer {
            status,
            headers,
            bytes: response.bytes().await.unwrap().to_vec(),
            what,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body).await
    }

    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.send(method, path, &headers, body.to_string()).await
    }

    pub async fn post_yaml(&self, path: &str, text: &str) -> Answer {
        self.yaml("POST", path, text).await
    }

    pub async fn yaml(&self, method: &str, path: &str, text: &str) -> Answer {
        let headers = [("Content-Type", "application/x-yaml")];
        self.send(method, path, &headers, text.to_owned()).await
    }
}
