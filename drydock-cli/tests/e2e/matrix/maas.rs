//! What the simulated MaaS keeps, read over its own door.

use std::collections::BTreeSet;
use std::time::SystemTime;

use drydock_sim::World;
use serde_json::{Map, Value};

/// Everything that a task makes, alters or removes.
const COLLECTIONS: [&str; 9] = [
    "account/prefs/sshkeys",
    "domains",
    "fabrics",
    "ipranges",
    "machines",
    "package-repositories",
    "static-routes",
    "subnets",
    "tags",
];

/// What it keeps, as far as that is the same in each life.
pub async fn kept(world: &World) -> Map<String, Value> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let read = async |collection: &str| -> Value {
        let url = format!("{}/api/2.0/{collection}/", world.maas_url());
        let request = client.get(url).header("Authorization", signed(world));
        let answer = request.send().await.expect("an answer");
        let answer = answer.error_for_status().expect("a good answer");
        answer.json().await.expect("JSON")
    };
    let mut kept = Map::new();
    for collection in COLLECTIONS {
        kept.insert(collection.to_owned(), read(collection).await);
    }
    let racks = read("rackcontrollers").await;
    let nodes = [&racks, &kept["machines"]];
    let nodes = nodes.into_iter().filter_map(Value::as_array).flatten();
    let ids: BTreeSet<String> = nodes
        .filter_map(|node| node["system_id"].as_str().map(str::to_owned))
        .collect();
    let told = |(name, value)| (name, without(&ids, value));
    kept.into_iter().map(told).collect()
}

/// The places in which two values differ, with both.
pub fn differences(at: &str, wanted: &Value, found: &Value) -> Vec<String> {
    let each = |keys: BTreeSet<String>| -> Vec<String> {
        let of = |value: &Value, key: &str| match value {
            Value::Array(values) => key
                .parse()
                .ok()
                .and_then(|at: usize| values.get(at).cloned()),
            value => value.get(key).cloned(),
        };
        let pairs = keys.into_iter().map(|key| {
            let pair = [wanted, found].map(|it| of(it, &key).unwrap_or(Value::Null));
            (format!("{at}/{key}"), pair)
        });
        pairs
            .flat_map(|(at, [wanted, found])| differences(&at, &wanted, &found))
            .collect()
    };
    match (wanted, found) {
        (Value::Object(one), Value::Object(other)) => {
            each(one.keys().chain(other.keys()).cloned().collect())
        }
        (Value::Array(one), Value::Array(other)) => {
            let longest = one.len().max(other.len());
            each((0..longest).map(|at| at.to_string()).collect())
        }
        _ if wanted == found => Vec::new(),
        _ => vec![format!("{at}: {found} instead of {wanted}")],
    }
}

/// OAuth 1.0 with PLAINTEXT, as MaaS takes it.
fn signed(world: &World) -> String {
    let key = world.maas_api_key();
    let key: Vec<&str> = key.split(':').collect();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("a time").as_nanos();
    format!(
        "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", \
         oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature=\"%26{}\", \
         oauth_nonce=\"{now}\", oauth_timestamp=\"{}\"",
        key[0],
        key[1],
        key[2],
        now / 1_000_000_000,
    )
}

/// Without what is made up anew in each world: the ids of machines, and keys and UUIDs.
pub fn without(ids: &BTreeSet<String>, value: Value) -> Value {
    match value {
        Value::String(text) => {
            let known = ids
                .iter()
                .fold(text, |text, id| text.replace(id.as_str(), "ID"));
            let is_long = |word: &str| {
                let is_key = |c: char| c.is_ascii_hexdigit() || c == '-';
                word.len() >= 32 && word.chars().all(is_key)
            };
            let told = |word| if is_long(word) { "KEY" } else { word };
            // A key is part of a name, and that of a path.
            let parts = known.split('/').map(|part| {
                let words: Vec<&str> = part.split("__").map(told).collect();
                words.join("__")
            });
            Value::String(parts.collect::<Vec<_>>().join("/"))
        }
        Value::Array(values) => values.into_iter().map(|it| without(ids, it)).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, without(ids, value)))
            .collect(),
        other => other,
    }
}
