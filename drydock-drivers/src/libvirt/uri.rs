//! Where a hypervisor is: the URIs that are taken (<https://libvirt.org/uri.html>).
//!
//! A URI comes from a design, and libvirt lets one name a program to run (`command`, `netcat`, `proxy`, the transport `ext`). Only
//! what is listed here gets through.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use url::Url;

use crate::allow::AllowNetworks;

/// Hypervisors: QEMU, and libvirt's own test driver.
const DRIVERS: [&str; 2] = ["qemu", "test"];

/// Parameters that choose a socket, a key or how a host is trusted, and run nothing.
const PARAMETERS: [&str; 6] = [
    "keyfile",
    "known_hosts",
    "known_hosts_verify",
    "mode",
    "no_verify",
    "socket",
];

/// A checked URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HypervisorUri {
    /// As it is handed to virsh.
    text: String,
    /// The user at the other end; empty where it names none.
    pub(super) user: String,
}

impl fmt::Display for HypervisorUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl HypervisorUri {
    /// Checks a URI of a design.
    ///
    /// # Errors
    /// What is wrong with it, without what may be a secret in it.
    pub(super) fn parse(text: &str, allow: &AllowNetworks) -> Result<Self, String> {
        let text = text.trim();
        let mut url = Url::parse(text).map_err(|error| format!("it is no URI: {error}"))?;
        let scheme = url.scheme().to_owned();
        let (driver, transport) = match scheme.split_once('+') {
            Some((driver, transport)) => (driver, Some(transport)),
            None => (scheme.as_str(), None),
        };
        if !DRIVERS.contains(&driver) {
            return Err(format!("{driver:?} is none of {}", DRIVERS.join(", ")));
        }
        if url.password().is_some() {
            return Err("there is a password in it; SSH logs in by key".to_owned());
        }
        for (name, _) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) {
                return Err(format!(
                    "the parameter {name:?} is none of {}",
                    PARAMETERS.join(", ")
                ));
            }
        }
        let user = url.username().to_owned();
        let host = url.host_str().unwrap_or_default().to_owned();
        let remote = match transport {
            None | Some("unix") => false,
            Some("ssh") => true,
            Some(other) => {
                return Err(format!(
                    "the transport {other:?} is none of ssh and unix: nothing else is both secret and authenticated here"
                ));
            }
        };
        if remote == host.is_empty() {
            return Err(if remote {
                "it names no host".to_owned()
            } else {
                "it names a host, which takes the transport ssh".to_owned()
            });
        }
        if host.starts_with('-') || user.starts_with('-') {
            return Err("host and user cannot begin with a hyphen".to_owned());
        }
        may_contact(&host, allow)?;
        if remote {
            // Without it, ssh may wait for somebody to type a password.
            url.query_pairs_mut().append_pair("no_tty", "1");
        }
        Ok(HypervisorUri {
            text: url.into(),
            user,
        })
    }
}

/// A host that is no address is looked up by ssh itself, after any check of ours. So where addresses are limited, it has to be one.
fn may_contact(host: &str, allow: &AllowNetworks) -> Result<(), String> {
    let literal = host.trim_matches(['[', ']']);
    let address = match literal.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) if host.is_empty() || host == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Err(_) if allow.is_unlimited() => return Ok(()),
        Err(_) => {
            return Err(format!(
                "{host:?} is a name, and drivers.allow_networks limits addresses: write the host's address"
            ));
        }
    };
    allow.check(address).map_err(|refused| refused.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn loopback() -> AllowNetworks {
        AllowNetworks::only(vec!["127.0.0.0/8".parse().unwrap()])
    }

    #[test]
    fn local_ones_and_ssh_are_taken() {
        for (text, handed) in [
            ("qemu:///system", "qemu:///system"),
            (
                "qemu+unix:///system?socket=/run/x",
                "qemu+unix:///system?socket=/run/x",
            ),
            ("test:///default", "test:///default"),
            (
                "qemu+ssh://me@10.1.2.3/system",
                "qemu+ssh://me@10.1.2.3/system?no_tty=1",
            ),
            (
                "QEMU+SSH://[fd00::1]:2222/system?keyfile=/k",
                "qemu+ssh://[fd00::1]:2222/system?keyfile=/k&no_tty=1",
            ),
            (
                "qemu+ssh://hv.example/system",
                "qemu+ssh://hv.example/system?no_tty=1",
            ),
        ] {
            let uri = HypervisorUri::parse(text, &AllowNetworks::unlimited()).unwrap();
            assert_eq!(uri.to_string(), handed);
        }
    }

    #[test]
    fn what_could_run_a_program_or_leak_a_password_is_refused() {
        for text in [
            "qemu+ext:///system?command=/bin/sh",
            "qemu+ssh://h/system?command=/bin/sh",
            "qemu+ssh://h/system?netcat=/bin/sh",
            "qemu+ssh://h/system?proxy=x",
            "qemu+ssh://h/system?no_tty=0",
            "qemu+ssh://-oProxyCommand=x/system",
            "qemu+ssh://-l@h/system",
            "qemu+tcp://h/system",
            "qemu+tls://h/system",
            "qemu://h/system",
            "qemu+ssh:///system",
            "esx://h/",
            "http://h/",
            "not a URI",
            "",
        ] {
            let refused = HypervisorUri::parse(text, &AllowNetworks::unlimited());
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
        let hush = HypervisorUri::parse("qemu+ssh://me:hush@h/system", &AllowNetworks::unlimited());
        assert!(!hush.unwrap_err().contains("hush"));
    }

    #[test]
    fn only_allowed_addresses_are_contacted() {
        for (text, allowed) in [
            ("qemu:///system", true),
            ("qemu+ssh://127.0.0.3/system", true),
            ("qemu+ssh://localhost/system", true),
            ("qemu+ssh://10.0.0.1/system", false),
            ("qemu+ssh://[fd00::1]/system", false),
            ("qemu+ssh://hv.example/system", false),
        ] {
            let parsed = HypervisorUri::parse(text, &loopback());
            assert_eq!(parsed.is_ok(), allowed, "{text}: {parsed:?}");
        }
        let none = AllowNetworks::only(Vec::new());
        assert!(HypervisorUri::parse("qemu:///system", &none).is_err());
    }
}
