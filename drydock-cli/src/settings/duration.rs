//! Durations as people write them: `5s`, `0.1s`, `100ms`, `45m`, `2h`, or a bare number of seconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span(Duration);

impl Span {
    /// So many seconds; not negative.
    pub fn seconds(seconds: f64) -> Self {
        Span(Duration::from_secs_f64(seconds.max(0.0)))
    }

    /// Shortened or stretched.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Span(self.0.mul_f64(factor.max(0.0)))
    }

    /// At least this long.
    #[must_use]
    pub fn at_least(self, floor: Duration) -> Self {
        Span(self.0.max(floor))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Span(duration)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let digits = trimmed
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let wrong =
            || format!("{text:?} is no duration; write for example 5s, 0.1s, 100ms, 45m or 2h");
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "" | "s" => number,
            "ms" => number / 1000.0,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86400.0,
            _ => return Err(wrong()),
        };
        Duration::try_from_secs_f64(seconds)
            .map(Span)
            .map_err(|_| wrong())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis > 0 && millis.is_multiple_of(60_000) {
            write!(f, "{}m", millis / 60_000)
        } else if millis.is_multiple_of(1000) {
            write!(f, "{}s", millis / 1000)
        } else {
            write!(f, "{}ms", self.0.as_secs_f64() * 1000.0)
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for (text, seconds, shown) in [
            ("5s", 5.0, "5s"),
            ("0.1s", 0.1, "100ms"),
            ("100ms", 0.1, "100ms"),
            ("45m", 2700.0, "45m"),
            ("2h", 7200.0, "120m"),
            ("30", 30.0, "30s"),
            ("0", 0.0, "0s"),
        ] {
            let span: Span = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(span, Span::seconds(seconds), "{text}");
            assert_eq!(span.to_string(), shown, "{text}");
            assert_eq!(span.to_string().parse::<Span>(), Ok(span), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_an_example() {
        for text in ["", "s", "5 parsecs", "-3s", "1e99h"] {
            let error = text.parse::<Span>().expect_err(text);
            assert!(error.contains("100ms"), "{error}");
        }
    }
}
