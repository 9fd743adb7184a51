//! Talks to a server's API.

use std::time::Duration;

use anyhow::{Context, Result};
use drydock_model::finding::{Finding, told};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::commands::finding::show_all;
use crate::exit::{Exit, Failure, is_passing};

/// For an answer that goes on as long as its subject does.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// The server at this base URL (without `/api/v1.0`).
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(120))
            .no_proxy()
            .build()
            .context("no HTTP client could be made")?;
        Ok(Client {
            http,
            base: url.trim_end_matches('/').to_owned(),
        })
    }

    /// GET below `/api/v1.0`.
    ///
    /// # Errors
    /// With the exit code that fits the answer.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None, None).await
    }

    /// POST of JSON below `/api/v1.0`.
    ///
    /// # Errors
    /// With the exit code that fits the answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(
            Method::POST,
            path,
            Some(("application/json", body.to_string())),
            None,
        )
        .await
    }

    /// POST of YAML below `/api/v1.0`.
    ///
    /// # Errors
    /// With the exit code that fits the answer.
    pub async fn post_yaml(&self, path: &str, text: String) -> Result<Value> {
        self.send(Method::POST, path, Some(("application/x-yaml", text)), None)
            .await
    }

    /// POST of JSON that makes something, once: an answer that gets lost is asked for again under the same key.
    ///
    /// # Errors
    /// With the exit code that fits the answer.
    pub async fn post_once(&self, path: &str, body: &Value) -> Result<Value> {
        let key = uuid::Uuid::new_v4().to_string();
        let first = self
            .send(
                Method::POST,
                path,
                Some(("application/json", body.to_string())),
                Some(&key),
            )
            .await;
        match first {
            Err(error) if is_passing(&error) => {
                self.send(
                    Method::POST,
                    path,
                    Some(("application/json", body.to_string())),
                    Some(&key),
                )
                .await
            }
            other => other,
        }
    }

    /// The JSON body and the status of an answer, whatever it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Result<(StatusCode, Value)> {
        self.exchange(method, path, body, None).await
    }

    /// The events of a task from the one after this id on, as they come: the answer has no end before the task has one.
    ///
    /// # Errors
    /// With the exit code that fits the answer.
    pub async fn events(&self, id: &str, after: Option<&str>) -> Result<reqwest::Response> {
        let path = format!("/tasks/{id}/events");
        let url = format!("{}/api/v1.0{path}", self.base);
        let mut request = self.http.get(&url).timeout(FOREVER);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let response = request.send().await.map_err(|error| {
            anyhow::Error::new(Failure {
                exit: Exit::Failed,
                message: format!("GET {url}: no answer ({})", innermost(&error)),
                passing: true,
            })
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.unwrap_or_default();
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Err(refusal(&Method::GET, &path, status, &value))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        key: Option<&str>,
    ) -> Result<(StatusCode, Value)> {
        let url = format!("{}/api/v1.0{path}", self.base);
        let mut request = self.http.request(method.clone(), &url);
        if let Some((media_type, text)) = body {
            request = request.header("Content-Type", media_type).body(text);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Ok(user) = std::env::var("USER") {
            request = request.header("X-End-User", user);
        }
        let no_answer = |what: String| {
            anyhow::Error::new(Failure {
                exit: Exit::Failed,
                message: what,
                passing: true,
            })
        };
        let response = request.send().await.map_err(|error| {
            no_answer(format!(
                "{method} {url}: no answer ({}); is a server running there (drydock serve), and is --url or DRYDOCK_URL right?",
                innermost(&error)
            ))
        })?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| {
            no_answer(format!(
                "{method} {url}: the answer broke off ({})",
                innermost(&error)
            ))
        })?;
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Ok((status, value))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        key: Option<&str>,
    ) -> Result<Value> {
        let (status, value) = self.exchange(method.clone(), path, body, key).await?;
        if status.is_success() {
            return Ok(value);
        }
        Err(refusal(&method, path, status, &value))
    }
}

/// An answer that is none, as an error with the exit code that fits it.
fn refusal(method: &Method, path: &str, status: StatusCode, value: &Value) -> anyhow::Error {
    let exit = match status {
        StatusCode::BAD_REQUEST
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::PAYLOAD_TOO_LARGE => Exit::Usage,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Denied,
        _ => Exit::Failed,
    };
    let (message, findings) = reason(value);
    let request = value["request_id"]
        .as_str()
        .map_or_else(String::new, |id| format!(" (request {id})"));
    anyhow::Error::new(Failure {
        exit,
        message: format!("{method} {path}: {status}: {message}{request}{findings}"),
        passing: matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        ),
    })
}

/// What a refusal says, and below it the findings that it came for, each as a validation tells it.
fn reason(answer: &Value) -> (String, String) {
    let Some(message) = answer["message"].as_str() else {
        return (answer.to_string(), String::new());
    };
    match Vec::<Finding>::deserialize(&answer["details"]) {
        Ok(findings) if !findings.is_empty() => {
            let headline = message
                .strip_suffix(&told(&findings, "; "))
                .unwrap_or(message);
            let findings = format!("\n{}", show_all(&findings, &[]));
            (headline.trim_end_matches([' ', ':']).to_owned(), findings)
        }
        _ => (message.to_owned(), String::new()),
    }
}

/// The cause at the bottom: "connection refused" tells more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
