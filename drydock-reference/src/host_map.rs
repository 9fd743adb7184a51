//! The host map `references.map`: where a host really is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use drydock_model::reference::{ReferenceError, ReferenceFault};
use url::{Host, Url};

/// Hosts that are not looked up.
#[derive(Clone, Default)]
pub(crate) struct HostMap {
    hosts: BTreeMap<String, Target>,
}

/// Where a mapped host is. Without a port, the reference's own is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    address: IpAddr,
    port: Option<u16>,
}

impl HostMap {
    /// Reads `references.map`.
    ///
    /// # Errors
    /// A host that is none, or a target that is not an address or `address:port`: names the host.
    pub(crate) fn parse(map: &BTreeMap<String, String>) -> Result<HostMap, ReferenceError> {
        let mut hosts = BTreeMap::new();
        for (host, target) in map {
            let faulty = |why: &str| {
                let message = format!("references.map: {host}: {why}");
                ReferenceError::new(ReferenceFault::Malformed, message)
            };
            // The same normal form that the URL parser gives to the host of a reference.
            let host = Host::parse(host).map_err(|error| faulty(&error.to_string()))?;
            let target = if let Ok(address) = target.parse::<IpAddr>() {
                Target {
                    address,
                    port: None,
                }
            } else if let Ok(address) = target.parse::<SocketAddr>() {
                Target {
                    address: address.ip(),
                    port: Some(address.port()),
                }
            } else {
                return Err(faulty(&format!(
                    "{target:?} is not an address; write 127.0.0.1, 127.0.0.1:8080 or [::1]:8080"
                )));
            };
            hosts.insert(host.to_string(), target);
        }
        Ok(HostMap { hosts })
    }

    /// Names with the address that stands in for a DNS answer. Port 0: the URL's own counts.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.hosts
            .iter()
            .map(|(host, target)| (host.as_str(), SocketAddr::new(target.address, 0)))
    }

    /// The URL to connect to. A name stays in it, for TLS; [`HostMap::names`] gives its address.
    pub(crate) fn apply(&self, url: &Url) -> Url {
        let mut mapped = url.clone();
        let Some(target) = url.host_str().and_then(|host| self.hosts.get(host)) else {
            return mapped;
        };
        // Both setters fail only on URLs that cannot have a host; these have one.
        if !matches!(url.host(), Some(Host::Domain(_))) {
            let _ = mapped.set_ip_host(target.address);
        }
        if target.port.is_some() {
            let _ = mapped.set_port(target.port);
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(host: &str, target: &str) -> Result<HostMap, ReferenceError> {
        HostMap::parse(&BTreeMap::from([(host.to_owned(), target.to_owned())]))
    }

    #[test]
    fn maps_hosts() {
        for (host, target, url, mapped) in [
            (
                "h.example",
                "127.0.0.1",
                "http://h.example/a",
                "http://h.example/a",
            ),
            (
                "H.Example",
                "127.0.0.1:81",
                "http://h.example/a?b",
                "http://h.example:81/a?b",
            ),
            (
                "h.example",
                "127.0.0.1:443",
                "https://h.example:8/a",
                "https://h.example/a",
            ),
            (
                "h.example",
                "127.0.0.1:81",
                "http://other.example/",
                "http://other.example/",
            ),
            (
                "192.0.2.1",
                "127.0.0.1",
                "http://192.0.2.1:8/",
                "http://127.0.0.1:8/",
            ),
            (
                "[2001:db8::1]",
                "[::1]:81",
                "http://[2001:db8::1]/",
                "http://[::1]:81/",
            ),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(map(host, target).unwrap().apply(&url).as_str(), mapped);
        }
    }

    #[test]
    fn names_the_faulty_entry() {
        for (host, target) in [
            ("h.example", "localhost"),
            ("h.example", "127.0.0.1:x"),
            ("h example", "::1"),
        ] {
            let Err(error) = map(host, target) else {
                panic!("{host} -> {target} was taken")
            };
            assert!(error.message.starts_with("references.map: h"), "{error}");
        }
    }
}
