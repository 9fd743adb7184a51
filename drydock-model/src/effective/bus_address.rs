//! Addresses of device aliases: one device by its address, or the one that a regular expression finds.

use regex_lite::{Regex, RegexBuilder};

use super::DeviceAlias;

/// Before a regular expression.
const PREFIX: &str = "regexp:";

/// Bytes of a regular expression. An address on any bus is far shorter.
const PATTERN_LIMIT: usize = 256;

/// Bytes that a regular expression may take when it is compiled.
const COMPILED_LIMIT: usize = 1 << 20;

/// What an alias's address says.
#[derive(Clone, Debug)]
pub enum BusAddress<'a> {
    /// This address.
    Exact(&'a str),
    /// An address that the expression matches from its beginning.
    Pattern(Regex),
}

impl DeviceAlias {
    /// Reads the address.
    ///
    /// # Errors
    /// Why what stands behind `regexp:` is no regular expression that can be used.
    pub fn bus_address(&self) -> Result<BusAddress<'_>, String> {
        let Some(pattern) = self.address.strip_prefix(PREFIX) else {
            return Ok(BusAddress::Exact(&self.address));
        };
        if pattern.is_empty() {
            return Err("the regular expression is empty, so it matches every device".to_owned());
        }
        if pattern.len() > PATTERN_LIMIT {
            return Err(format!(
                "the regular expression has {} bytes; at most {PATTERN_LIMIT} are taken",
                pattern.len()
            ));
        }
        RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(COMPILED_LIMIT)
            .build()
            .map(BusAddress::Pattern)
            .map_err(|error| format!("the regular expression cannot be read: {error}"))
    }
}

impl BusAddress<'_> {
    /// Whether it means a device with this address. The case of letters does not count. An expression is matched from the beginning of the
    /// address and need not reach its end, as Python's `re.match` has it, which the Python Drydock uses.
    #[must_use]
    pub fn is(&self, address: &str) -> bool {
        match self {
            BusAddress::Exact(exact) => exact.eq_ignore_ascii_case(address),
            BusAddress::Pattern(pattern) => pattern
                .find(address)
                .is_some_and(|found| found.start() == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn alias(address: &str) -> DeviceAlias {
        DeviceAlias {
            bus_type: "pci".into(),
            address: address.into(),
            dev_type: None,
        }
    }

    #[test]
    fn an_expression_matches_from_the_beginning() {
        for (written, address, expected) in [
            ("0000:00:1F.6", "0000:00:1f.6", true),
            ("0000:00:1f", "0000:00:1f.6", false),
            ("regexp:0000:00:1F", "0000:00:1f.6", true),
            ("regexp:^0000:00:.*6$", "0000:00:1f.6", true),
            ("regexp:1f", "0000:00:1f.6", false),
            ("regexp:(x|0000:3b)", "0000:3b:00.0", true),
            (r"regexp:\d+:00:0[34]\.0$", "0000:00:05.0", false),
        ] {
            let alias = alias(written);
            let read = alias.bus_address().unwrap();
            assert_eq!(read.is(address), expected, "{written} on {address}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for (written, says) in [
            ("regexp:", "empty"),
            ("regexp:(0000", "cannot be read"),
            ("regexp:a{9000}{9000}", "cannot be read"),
            (&format!("regexp:{}", "a".repeat(257)), "257 bytes"),
        ] {
            let fault = alias(written).bus_address().unwrap_err();
            assert!(fault.contains(says), "{written}: {fault}");
        }
    }
}
