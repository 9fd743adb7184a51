//! What can go wrong with a Redfish service, by kind, and what it means for the driver.

use std::fmt;
use std::time::Duration;

use drydock_model::driver::{DriverError, ErrorClass};
use nv_redfish::core::{ActionError, BmcError, BmcErrorClass};
use serde_json::Value;

use crate::oob::gate::Lesson;

/// How long a BMC without a free session is left alone.
const SLOTS_PAUSE: Duration = Duration::from_secs(15);
/// How long a machine is left alone that takes no settings while its firmware starts.
const POST_PAUSE: Duration = Duration::from_secs(10);
/// When to look again at a machine on its way from on to off or back.
const UNSETTLED_PAUSE: Duration = Duration::from_secs(2);
/// How much of an answer is shown, characters.
const SHOWN: usize = 300;

/// Why there is no result. Holds nothing of what was sent.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No way to it: why.
    Unreachable(String),
    /// No answer, or none in time.
    Silent(String),
    /// Its certificate is not trusted: why.
    Certificate(String),
    /// It does not take the credentials: what it says.
    Credentials(String),
    /// It does not know our session any more.
    SessionLost,
    /// It opened a session a moment ago and does not know it.
    SessionUseless,
    /// All its session slots are used up, and it takes no credentials without a session, or not these.
    SessionsOnly,
    /// It answered with an error.
    Refused(Refusal),
    /// It answered something that cannot be understood: what.
    Garbage(String),
    /// It has nothing for this: what is missing.
    Unsupported(String),
    /// It accepted the work and has not ended it yet: what it says of it.
    Unfinished(String),
    /// It accepted the work and failed: what it says of it.
    Failed(String),
    /// It said yes, and what was read back is something else.
    NotHonoured(String),
    /// Some state is not to be had just now: it passes by itself.
    NotYet(String),
}

/// An answer that is an error.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// What it says, messages first (DSP0266, section "Error responses").
    pub(super) text: String,
    /// Ids of its messages, and the properties that they are about.
    pub(super) words: Vec<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn of(status: u16, body: &Value, retry_after: Option<Duration>) -> Self {
        let error = body.get("error").unwrap_or(body);
        let messages = error["@Message.ExtendedInfo"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let mut words = Vec::new();
        let mut texts: Vec<&str> = Vec::new();
        for message in messages {
            words.extend(message["MessageId"].as_str().map(str::to_owned));
            // Not its MessageArgs: they quote what was sent (DSP0266, section "Error responses").
            let about = message["RelatedProperties"].as_array();
            let about = about.map_or(&[][..], Vec::as_slice).iter();
            words.extend(about.filter_map(Value::as_str).map(str::to_owned));
            texts.extend(message["Message"].as_str());
        }
        words.extend(error["code"].as_str().map(str::to_owned));
        if texts.is_empty() {
            texts.extend(error["message"].as_str());
        }
        let text = if texts.is_empty() {
            words.join(" ")
        } else {
            texts.join(" ")
        };
        Refusal {
            status,
            text: without_userinfo(text.trim()).chars().take(SHOWN).collect(),
            words,
            retry_after,
        }
    }

    /// The same without anything that the service may have quoted from a request that held this secret: its ids remain.
    pub(super) fn without_quotes(mut self, secret: &str) -> Self {
        let told = |word: &String| secret.is_empty() || !word.contains(secret);
        self.words.retain(told);
        self.text = if self.words.is_empty() {
            "it says no more that could be shown".to_owned()
        } else {
            self.words.join(" ").chars().take(SHOWN).collect()
        };
        self
    }

    /// Whether one of its messages has this key, in whatever registry and version, or is about this property.
    pub(super) fn is_about(&self, key: &str) -> bool {
        self.words
            .iter()
            .any(|word| word.rsplit(['.', '/']).next() == Some(key))
    }

    /// Every session is taken: Redfish's own message, and iDRAC's (Dell, event and error message reference: RAC0218).
    pub(super) fn is_about_slots(&self) -> bool {
        self.is_about("SessionLimitExceeded") || self.is_about("RAC0218")
    }

    /// How long to wait until this very request may be sent again: it was not looked at (RFC 9110 section 15.6.4).
    pub(super) fn moment(&self) -> Option<Duration> {
        let busy = matches!(self.status, 429 | 503) && !self.is_about_slots();
        self.retry_after.filter(|_| busy)
    }

    /// Whether it refuses what was shown at a login. Some answer 400 or 403 in place of 401, HPE's iLO among them.
    pub(super) fn is_about_credentials(&self) -> bool {
        let passes = self.retry_after.is_some() || self.is_about_slots() || self.is_about_post();
        matches!(self.status, 400 | 403) && !passes
    }

    /// HPE's firmware takes no settings while it starts (ironcore-dev/metal-operator issue 997).
    fn is_about_post(&self) -> bool {
        self.is_about("UnableToModifyDuringSystemPOST")
    }
}

impl Trouble {
    /// The status of the answer, if it was one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Trouble::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    /// Whether it is that all session slots are used up.
    pub(super) fn is_about_slots(&self) -> bool {
        matches!(self, Trouble::Refused(refusal) if refusal.is_about_slots())
    }

    /// What it tells of how the BMC bears us.
    pub(super) fn lesson(&self) -> Lesson {
        match self {
            Trouble::Unreachable(_) | Trouble::Silent(_) => Lesson::Silent,
            Trouble::SessionLost => Lesson::Busy,
            Trouble::Refused(refusal) if matches!(refusal.status, 429 | 503) => Lesson::Busy,
            _ => Lesson::Answered,
        }
    }

    /// How long it wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let refusal = match self {
            Trouble::Refused(refusal) => refusal,
            Trouble::SessionsOnly => return Some(SLOTS_PAUSE),
            _ => return None,
        };
        let own = if refusal.is_about_slots() {
            Some(SLOTS_PAUSE)
        } else if refusal.is_about_post() {
            Some(POST_PAUSE)
        } else {
            None
        };
        refusal.retry_after.or(own)
    }

    fn class(&self) -> ErrorClass {
        match self {
            Trouble::Unreachable(_)
            | Trouble::Silent(_)
            | Trouble::SessionLost
            | Trouble::SessionsOnly
            | Trouble::Unfinished(_)
            | Trouble::NotYet(_) => ErrorClass::Transient,
            Trouble::Credentials(_) => ErrorClass::Auth,
            Trouble::Refused(refusal) => match refusal.status {
                _ if refusal.is_about_slots() || refusal.is_about_post() => ErrorClass::Transient,
                401 | 403 => ErrorClass::Auth,
                408 | 412 | 429 | 500 | 502..=599 => ErrorClass::Transient,
                _ => ErrorClass::Permanent,
            },
            Trouble::Certificate(_)
            | Trouble::SessionUseless
            | Trouble::Garbage(_)
            | Trouble::Unsupported(_)
            | Trouble::Failed(_)
            | Trouble::NotHonoured(_) => ErrorClass::Permanent,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Trouble::Certificate(_) => {
                "compare the SHA-256 with the BMC's own certificate and write it into oob.redfish.fingerprints, or set oob.redfish.ca_file"
            }
            Trouble::Credentials(_) => {
                "correct oob.account or oob.credential; it is not tried again"
            }
            Trouble::Refused(refusal) if refusal.is_about_slots() => {
                "end sessions that nobody uses, in the BMC's own pages"
            }
            Trouble::SessionsOnly => "end sessions that nobody uses, in the BMC's own pages",
            Trouble::Refused(Refusal { status: 403, .. }) => {
                "give the user of oob.account the privilege"
            }
            Trouble::SessionUseless => {
                "see in the BMC's own pages what the user of oob.account may do, or reset the BMC"
            }
            Trouble::Unreachable(_) => "check that the BMC is up and reachable",
            Trouble::NotHonoured(_) => "do it by hand, or update or reset the BMC",
            Trouble::Garbage(_) => "see whether this is a Redfish service, and update the BMC",
            Trouble::Unsupported(_) => "update the BMC, or use another oob.type for the node",
            _ if self.class() == ErrorClass::Permanent => "see what the BMC says",
            _ => "",
        }
    }

    /// As the driver tells it.
    pub(super) fn into_error(self, tried: &str, target: &str) -> DriverError {
        let mut error =
            DriverError::new(self.class(), tried, target, self.to_string(), self.advice());
        error.retry_after = match self {
            // The BMC itself may be asked at once.
            Trouble::NotYet(_) => Some(UNSETTLED_PAUSE),
            _ => self.retry_after(),
        };
        error
    }
}

/// A text without users and passwords in the URLs that it holds.
pub(super) fn without_userinfo(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let ends = |it: char| it.is_whitespace() || "/?#\"'<>\\".contains(it);
        let authority = &after[..after.find(ends).unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => &after[at + 1..],
            None => after,
        };
    }
    shown + rest
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Trouble::Silent(why) => write!(f, "no answer: {why}"),
            Trouble::Certificate(why) => write!(f, "its certificate is not trusted: {why}"),
            Trouble::Credentials(said) => write!(f, "it refuses the credentials: {said}"),
            Trouble::SessionLost => f.write_str("it does not know the session any more"),
            Trouble::SessionUseless => {
                f.write_str("it opens sessions, and answers 401 to requests in them")
            }
            Trouble::SessionsOnly => f.write_str(
                "all its session slots are used up, and it refuses basic authentication",
            ),
            Trouble::Refused(refusal) if refusal.is_about_slots() => write!(
                f,
                "all its session slots are used up ({}: {})",
                refusal.status, refusal.text
            ),
            Trouble::Refused(refusal) => write!(f, "{}: {}", refusal.status, refusal.text),
            Trouble::Garbage(what) => write!(f, "an answer that cannot be understood: {what}"),
            Trouble::Unsupported(what) => write!(f, "it does not support this: {what}"),
            Trouble::Unfinished(said) => {
                write!(f, "it accepted this and has not ended it yet: {said}")
            }
            Trouble::Failed(said) => write!(f, "it accepted this and failed: {said}"),
            Trouble::NotHonoured(read) => write!(f, "it said yes, read back {read}"),
            Trouble::NotYet(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {}

impl BmcError for Trouble {
    fn error_class(&self) -> BmcErrorClass {
        match self {
            Trouble::Refused(refusal) => BmcErrorClass::HttpResponse {
                status: refusal.status,
            },
            Trouble::Garbage(_) => BmcErrorClass::ResponseParse,
            Trouble::Unreachable(_) | Trouble::Silent(_) | Trouble::Certificate(_) => {
                BmcErrorClass::Transport
            }
            _ => BmcErrorClass::Other,
        }
    }
}

impl ActionError for Trouble {
    fn not_supported() -> Self {
        Trouble::Unsupported("the action".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(status: u16, id: &str) -> Trouble {
        let body = json!({"error": {"code": id, "message": "no", "@Message.ExtendedInfo": [{"MessageId": id, "Message": "No."}]}});
        Trouble::Refused(Refusal::of(status, &body, None))
    }

    #[test]
    fn answers_are_sorted_by_what_can_be_done() {
        use ErrorClass::{Auth, Permanent, Transient};
        for (status, id, class) in [
            (400, "Base.1.8.PropertyValueNotInList", Permanent),
            (400, "iLO.2.37.UnableToModifyDuringSystemPOST", Transient),
            (401, "Base.1.8.NoValidSession", Auth),
            (403, "Base.1.8.InsufficientPrivilege", Auth),
            (403, "Base.1.8.SessionLimitExceeded", Transient),
            (404, "Base.1.8.ResourceMissingAtURI", Permanent),
            (409, "IDRAC.2.8.PSU501", Permanent),
            (412, "Base.1.8.PreconditionFailed", Transient),
            (500, "Base.1.8.InternalError", Transient),
            (501, "Base.1.8.ActionNotSupported", Permanent),
            (503, "Base.1.8.ServiceTemporarilyUnavailable", Transient),
        ] {
            let error = answered(status, id).into_error("power on", "BMC x of n1");
            assert_eq!(error.class, class, "{error}");
            assert!(error.got.contains("No."), "{error}");
        }
        assert!(answered(503, "Base.1.18.SessionLimitExceeded").retry_after() == Some(SLOTS_PAUSE));
    }

    #[test]
    fn what_was_sent_is_not_shown() {
        let body = json!({"error": {"@Message.ExtendedInfo": [{
            "MessageId": "Base.1.8.PropertyValueError", "MessageArgs": ["hunter2", "Password"],
            "RelatedProperties": ["#/Password"],
        }]}});
        let refusal = Refusal::of(400, &body, None);
        assert_eq!(refusal.text, "Base.1.8.PropertyValueError #/Password");
        let body = json!({"error": {"code": "Base.hunter2", "message": "'hunter2' is too short"}});
        let refusal = Refusal::of(400, &body, None).without_quotes("hunter2");
        assert!(!format!("{refusal:?}").contains("hunter2"), "{refusal:?}");
        for (text, shown) in [
            (
                "no http://u:p@w@127.0.0.1/a@b here",
                "no http://127.0.0.1/a@b here",
            ),
            ("'nfs://u@h' and cifs://x:y@z", "'nfs://h' and cifs://z"),
            ("http://h/x mail a@b", "http://h/x mail a@b"),
            ("://", "://"),
        ] {
            assert_eq!(without_userinfo(text), shown);
        }
    }

    #[test]
    fn an_error_of_another_shape_is_told_all_the_same() {
        for body in [
            json!(null),
            json!([1]),
            json!({"error": "x"}),
            json!("gone"),
        ] {
            let refusal = Refusal::of(404, &body, None);
            assert!(!refusal.is_about("Success"), "{body}");
            assert!(Trouble::Refused(refusal).to_string().starts_with("404"));
        }
    }
}
