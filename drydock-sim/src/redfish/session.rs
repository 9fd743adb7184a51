//! Who may ask: sessions with tokens, and basic authentication.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::answer::Reply;
use super::{Service, State};

/// Path of the sessions.
pub(super) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

#[derive(Debug)]
struct Session {
    id: u64,
    token: String,
    used: Instant,
}

/// The open sessions of a service.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Vec<Session>,
    last: u64,
    /// Whether the password was another one when these were opened.
    other_password: bool,
}

impl Sessions {
    /// Ends what was idle too long, and all when the password changed.
    pub(super) fn settle(&mut self, life: Duration, other_password: bool) {
        if self.other_password != other_password {
            self.open.clear();
            self.other_password = other_password;
        }
        self.open.retain(|session| session.used.elapsed() < life);
    }

    /// Ends them all.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    fn known(&mut self, token: &str) -> bool {
        let found = self.open.iter_mut().find(|session| session.token == token);
        found.is_some_and(|session| {
            session.used = Instant::now();
            true
        })
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.open.iter().map(|session| session.id).collect()
    }
}

impl Service {
    /// Whether this request shows a session's token, or user and password; otherwise the refusal.
    pub(super) fn admit(&self, headers: &HeaderMap, state: &mut State) -> Result<(), Reply> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(token) = text("X-Auth-Token") {
            return if state.sessions.known(token) {
                Ok(())
            } else {
                Err(unauthorized())
            };
        }
        let basic = text("Authorization").and_then(|value| value.strip_prefix("Basic "));
        let Some(basic) = basic else {
            return Err(unauthorized());
        };
        let decoded = STANDARD.decode(basic.trim()).unwrap_or_default();
        let decoded = String::from_utf8(decoded).unwrap_or_default();
        let (user, password) = decoded.split_once(':').unwrap_or_default();
        if !self.knows(user, password) {
            return Err(unauthorized());
        }
        if self.ways().is.basic_takes_slot && self.slots_full(state) {
            return Err(no_slot());
        }
        Ok(())
    }

    fn knows(&self, user: &str, password: &str) -> bool {
        let shape = &self.machine.shape;
        !self.faults().bmc_wrong_password
            && user == shape.bmc_user
            && password == shape.bmc_password.expose_secret()
    }

    fn slots_full(&self, state: &State) -> bool {
        self.faults().bmc.slots_taken || state.sessions.open.len() >= self.ways().session_slots()
    }

    /// A login.
    pub(super) fn log_in(&self, body: &Value, state: &mut State) -> Reply {
        let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if !self.knows(field("UserName"), field("Password")) {
            return unauthorized();
        }
        if self.slots_full(state) {
            return no_slot();
        }
        state.sessions.last += 1;
        let id = state.sessions.last;
        let token = format!("{:032x}", rand::random::<u128>());
        state.sessions.open.push(Session {
            id,
            token: token.clone(),
            used: Instant::now(),
        });
        Reply::new(201, Some(self.session(id)))
            .with("X-Auth-Token", token)
            .with("Location", format!("{SESSIONS}/{id}"))
    }

    /// A logout.
    pub(super) fn log_out(id: &str, state: &mut State) -> Reply {
        let before = state.sessions.open.len();
        state
            .sessions
            .open
            .retain(|session| session.id.to_string() != id);
        if state.sessions.open.len() == before {
            return Reply::missing(&format!("{SESSIONS}/{id}"));
        }
        Reply::new(204, None)
    }

    pub(super) fn session(&self, id: u64) -> Value {
        json!({
            "@odata.id": format!("{SESSIONS}/{id}"),
            "@odata.type": "#Session.v1_7_0.Session",
            "Id": id.to_string(),
            "Name": "User Session",
            "UserName": self.machine.shape.bmc_user,
        })
    }
}

fn unauthorized() -> Reply {
    Reply::refusal(
        401,
        "Base.1.18.NoValidSession",
        "There is no valid session established with the implementation.",
    )
    .with("WWW-Authenticate", "Basic realm=\"Redfish\"")
}

fn no_slot() -> Reply {
    Reply::refusal(
        503,
        "Base.1.18.SessionLimitExceeded",
        "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.",
    )
}
