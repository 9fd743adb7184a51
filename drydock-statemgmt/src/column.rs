//! Values to columns and back, the same on both back ends.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use drydock_model::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::fault::Fault;

/// An id as it stands in a list that is bound as JSON.
pub(crate) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// A value as JSON text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Internal(format!("cannot be written as JSON: {error}")).into())
}

/// A value from JSON text; `column` says where it stood.
pub(crate) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Internal(format!("column {column}: {error}")).into())
}

/// A value from a word or a written id; `column` says where it stood.
pub(crate) fn from_word<T: FromStr>(column: &str, text: &str) -> Result<T, Fault>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| StoreError::Internal(format!("column {column}: {error}")).into())
}

/// A moment as both back ends can keep it: whole microseconds.
pub(crate) fn moment(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// `now + delay`, or the end of the year 9999 when that is later.
pub(crate) fn after(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let latest = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    TimeDelta::from_std(delay)
        .ok()
        .and_then(|delta| now.checked_add_signed(delta))
        .map_or(latest, |at| moment(at.min(latest)))
}

/// `now - span`, or 1970 when that is earlier.
pub(crate) fn before(now: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|delta| now.checked_sub_signed(delta))
        .map_or(DateTime::UNIX_EPOCH, |at| {
            moment(at.max(DateTime::UNIX_EPOCH))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_beyond_the_calendar_are_held_to_it() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        assert_eq!(
            after(now, Duration::MAX).to_rfc3339(),
            "9999-12-31T23:59:59+00:00"
        );
        assert_eq!(before(now, Duration::MAX), DateTime::UNIX_EPOCH);
        assert_eq!(
            after(now, Duration::from_secs(3)) - now,
            TimeDelta::seconds(3)
        );
        assert_eq!(
            now - before(now, Duration::from_millis(1500)),
            TimeDelta::milliseconds(1500)
        );
    }
}
