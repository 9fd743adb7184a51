//! Values of one document, read into what they mean; what cannot be is told with its place.

use std::fmt::Display;
use std::net::IpAddr;

use drydock_model::design::Document;
use drydock_model::finding::Level;
use ipnet::IpNet;

use crate::report::{Report, at};
use crate::rules::value;

/// One document whose values are being read.
pub(super) struct Reader<'a, 'r> {
    pub(super) document: &'a Document,
    pub(super) report: &'r mut Report,
}

impl Reader<'_, '_> {
    /// Tells a value that cannot be understood.
    pub(super) fn bad(&mut self, path: &[&str], message: impl Display, diagnostic: &str) {
        let Document { kind, name, .. } = self.document;
        let field = path.join(".");
        self.report.add(
            &value::VALID,
            format!("{kind} {name}: {field}: {message}"),
            diagnostic,
            at(self.document, path),
        );
    }

    /// Tells a value that is taken as it is, and that a careful colleague would ask about.
    pub(super) fn odd(&mut self, path: &[&str], message: impl Display, diagnostic: &str) {
        let Document { kind, name, .. } = self.document;
        let field = path.join(".");
        self.report.add_level(
            &value::VALID,
            Level::Warning,
            format!("{kind} {name}: {field}: {message}"),
            diagnostic,
            at(self.document, path),
        );
    }

    /// An address of either family.
    pub(super) fn address(&mut self, text: Option<&str>, path: &[&str]) -> Option<IpAddr> {
        let text = text?.trim();
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.bad(
                    path,
                    format_args!("{text:?} is not an IP address"),
                    "write an IPv4 or IPv6 address",
                );
                None
            }
        }
    }

    /// A prefix of either family.
    pub(super) fn prefix(&mut self, text: &str, path: &[&str]) -> Option<IpNet> {
        match text.trim().parse() {
            Ok(prefix) => Some(prefix),
            Err(_) => {
                self.bad(
                    path,
                    format_args!("{text:?} is not a network"),
                    "write an address and a prefix length, such as 10.0.0.0/24",
                );
                None
            }
        }
    }

    /// A number that is not negative.
    pub(super) fn number(&mut self, value: Option<i64>, path: &[&str]) -> Option<u32> {
        let value = value?;
        match u32::try_from(value) {
            Ok(number) => Some(number),
            Err(_) => {
                self.bad(
                    path,
                    format_args!("{value} is out of range"),
                    "write a number from 0 to 4294967295",
                );
                None
            }
        }
    }

    /// A word that must be there.
    pub(super) fn required(&mut self, value: Option<&str>, path: &[&str]) -> Option<String> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            self.bad(path, "is missing", "set it");
            return None;
        };
        Some(value.to_owned())
    }
}
