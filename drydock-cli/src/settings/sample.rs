//! The sample configuration, made from the types and their defaults.

use secrecy::SecretString;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Settings;

/// What each setting means. One line for each key of [`Settings`]; a test holds the two together.
const MEANINGS: &[(&str, &str)] = &[
    (
        "api.listen",
        "address and port of the HTTP API; loopback only until there is access control",
    ),
    (
        "api.public_url",
        "what machines call back, such as http://10.0.0.5:9000; made from listen when absent",
    ),
    (
        "api.max_body",
        "longest request body in bytes; a longer one is answered 413",
    ),
    (
        "database.url",
        "sqlite://FILE, or postgres://USER:PASSWORD@HOST/DATABASE for several servers; or env:NAME, or file:PATH",
    ),
    (
        "database.pool_size",
        "connections to the database; on PostgreSQL up to three more are taken for heartbeats and wake-ups",
    ),
    (
        "database.connect_timeout",
        "how long to wait for a connection",
    ),
    (
        "leader.grace_period",
        "a leader or a server that is silent for longer loses its place and its claims",
    ),
    (
        "leader.claim_interval",
        "how often leadership is claimed or renewed",
    ),
    (
        "leader.clock_skew",
        "how far clocks may differ: a server that cannot say that it lives stops so much before its grace ends",
    ),
    ("engine.poll_interval", "the slow net under the wake-ups"),
    ("engine.workers", "steps in flight in this process"),
    ("engine.heartbeat", "how often a server says that it lives"),
    (
        "engine.retry_base",
        "first pause after a transient error; doubles with each further one",
    ),
    ("engine.retry_cap", "longest pause after a transient error"),
    (
        "timeouts.drydock_timeout",
        "deadline of every step not named below",
    ),
    ("timeouts.create_network_template", "deadline of this step"),
    (
        "timeouts.configure_user_credentials",
        "deadline of this step",
    ),
    ("timeouts.identify_node", "deadline of this step"),
    ("timeouts.configure_hardware", "deadline of this step"),
    ("timeouts.apply_node_networking", "deadline of this step"),
    ("timeouts.apply_node_storage", "deadline of this step"),
    ("timeouts.apply_node_platform", "deadline of this step"),
    ("timeouts.deploy_node", "deadline of this step"),
    (
        "timeouts.bootaction_report",
        "how long to wait for the boot actions of a deployed machine",
    ),
    ("timeouts.destroy_node", "deadline of this step"),
    ("timeouts.relabel_node", "deadline of this step"),
    (
        "timeouts.operator",
        "how long to wait for what an operator does by hand (oob.type: manual)",
    ),
    (
        "limits.destroy_nodes",
        "most nodes that one destroy_nodes may take; absent: no limit",
    ),
    (
        "limits.in_flight_per_site",
        "most nodes begun on and not ended, over all tasks and servers; absent: no limit",
    ),
    ("limits.maas_requests", "requests to MaaS in flight"),
    (
        "drivers.oob",
        "enabled out-of-band drivers: ipmi, redfish, libvirt, manual",
    ),
    ("drivers.node", "the node provisioner: maas; empty: none"),
    (
        "drivers.maas.url",
        "base URL of the region, ending in /MAAS",
    ),
    (
        "drivers.maas.api_key",
        "consumer:token:secret, or env:NAME, or file:PATH",
    ),
    (
        "drivers.maas.ca_file",
        "certificates (PEM) to trust instead of the system's",
    ),
    (
        "drivers.maas.poll_interval",
        "how often to look at a machine that is busy",
    ),
    (
        "drivers.allow_networks",
        "networks that drivers may contact; absent: no limit; what lies outside is refused before a packet is sent",
    ),
    (
        "oob.ipmi.port",
        "UDP port, unless the design says otherwise (oob.port)",
    ),
    (
        "oob.ipmi.gap_floor",
        "least pause between two commands to one controller",
    ),
    (
        "oob.ipmi.gap_ceiling",
        "longest pause between two commands to one controller",
    ),
    ("oob.ipmi.timeout", "how long to wait for one answer"),
    ("oob.ipmi.retries", "how often to ask again"),
    (
        "oob.ipmi.poll_interval",
        "how often to look whether a machine has reached a power state",
    ),
    (
        "oob.ipmi.cipher_suites",
        "cipher suites in order of preference: 17 (SHA-256), 3 (SHA-1)",
    ),
    ("oob.ipmi.privilege", "administrator, operator or user"),
    (
        "oob.ipmi.kg",
        "BMC key (K_g) of controllers that want two-key logins, or env:NAME, or file:PATH; absent: one-key logins",
    ),
    (
        "oob.redfish.port",
        "TCP port, unless the design says otherwise (oob.port)",
    ),
    (
        "oob.redfish.gap_floor",
        "least pause between two commands to one controller",
    ),
    (
        "oob.redfish.gap_ceiling",
        "longest pause between two commands to one controller",
    ),
    (
        "oob.redfish.timeout",
        "how long one request may take, its answer included",
    ),
    (
        "oob.redfish.poll_interval",
        "how often to look whether a machine has reached a power state",
    ),
    (
        "oob.redfish.ca_file",
        "certificates (PEM) of authorities to trust in place of the system's",
    ),
    (
        "oob.redfish.fingerprints",
        "SHA-256 of controllers' certificates that are good as they are, such as self-signed ones",
    ),
    (
        "oob.redfish.insecure",
        "take any certificate; whoever sits in between can then read passwords",
    ),
    (
        "oob.settle_after_reset",
        "after a reset, how long a reported power state is not believed",
    ),
    ("oob.state_timeout", "how long a change of power may take"),
    (
        "oob.in_flight",
        "commands to all controllers together that may be under way at once; enough for 10,000 of them",
    ),
    (
        "design.allow_refs",
        "URL prefixes and folders that design references and boot-action locations may name; none unless listed",
    ),
    (
        "design.cache_bytes",
        "memory that compiled designs may hold together, in bytes; the least recently used go first",
    ),
    (
        "references.map",
        "host: address or address:port, applied to references after the check, and to Keystone",
    ),
    (
        "references.keystone.auth_url",
        "who gives tokens for deckhand+ and promenade+ references, such as https://keystone.example:5000/v3",
    ),
    (
        "references.keystone.username",
        "who logs in there, by password",
    ),
    (
        "references.keystone.password",
        "the password, or env:NAME, or file:PATH",
    ),
    (
        "references.keystone.user_domain",
        "name of the domain of the user",
    ),
    (
        "references.keystone.project",
        "name of the project that tokens are for",
    ),
    (
        "references.keystone.project_domain",
        "name of the domain of the project",
    ),
    (
        "references.keystone.ca_file",
        "certificates (PEM) to trust besides the system's",
    ),
    (
        "rules.levels",
        "rule id: error, warning, info or off, such as reference/rack: info; see docs/rules",
    ),
    (
        "log.level",
        "error, warn, info, debug, trace, or a filter such as info,drydock_ipmi=debug",
    ),
    ("log.format", "text or json"),
];

/// The sample: every setting with its default and meaning. A setting without a default is commented out.
///
/// # Errors
/// When the defaults cannot be written: a defect.
pub fn sample() -> serde_json::Result<String> {
    let mut text = String::from(
        "# Settings of Drydock, with their defaults. Made by `cargo xtask genconfig`.\n\
         # Each can be set by an environment variable, too: DRYDOCK__SECTION__KEY, such as DRYDOCK__API__LISTEN.\n",
    );
    write_map(
        &serde_json::to_value(Settings::default())?,
        "",
        0,
        &mut text,
    );
    Ok(text)
}

fn write_map(value: &Value, path: &str, depth: usize, text: &mut String) {
    let Value::Object(entries) = value else {
        return;
    };
    let indent = "  ".repeat(depth);
    for (key, value) in entries {
        let full = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let meaning = MEANINGS
            .iter()
            .find(|(name, _)| *name == full)
            .map(|(_, meaning)| *meaning);
        if depth == 0 {
            text.push('\n');
        }
        if let Some(meaning) = meaning {
            text.push_str(&format!("{indent}# {meaning}\n"));
        }
        match value {
            Value::Object(inner) if meaning.is_none() && !inner.is_empty() => {
                text.push_str(&format!("{indent}{key}:\n"));
                write_map(value, &full, depth + 1, text);
            }
            Value::Null => text.push_str(&format!("{indent}# {key}:\n")),
            // JSON is YAML.
            other => text.push_str(&format!("{indent}{key}: {other}\n")),
        }
    }
}

/// Never writes a secret.
pub(super) fn hidden<S: Serializer>(
    value: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(|_| "********").serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: &Value, path: &str, into: &mut Vec<String>) {
        match value {
            Value::Object(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    let full = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    keys(value, &full, into);
                }
            }
            _ => into.push(path.to_owned()),
        }
    }

    #[test]
    fn every_setting_has_a_meaning_and_stands_in_the_sample() {
        let mut all = Vec::new();
        keys(
            &serde_json::to_value(Settings::default()).expect("defaults"),
            "",
            &mut all,
        );
        let explained: Vec<_> = MEANINGS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(all, explained);
    }

    #[test]
    fn the_sample_reads_back_as_the_defaults() {
        let text = sample().expect("sample");
        let mut documents =
            drydock_ingester::parse_tree(&text, "sample").expect("the sample is YAML");
        let read: Settings = documents.remove(0).read().expect("the sample is settings");
        assert_eq!(
            serde_json::to_value(read).expect("settings"),
            serde_json::to_value(Settings::default()).expect("defaults")
        );
    }
}
