//! `configure_user_credentials`: the design's public SSH keys at MaaS's user.

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::Site;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::is_objection;
use super::form::Form;
use super::progress::{text, unknown_verb};
use super::region::Region;
use super::resource::SshKeyResource;

const ADD_KEY: &str = "add_ssh_key";

/// The keys that MaaS has (public ones).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    keys: Vec<String>,
}

pub(crate) async fn observe(region: &Region, _cx: &StepContext) -> Result<Seen, DriverError> {
    Ok(Seen {
        keys: keys(region).await?,
    })
}

async fn keys(region: &Region) -> Result<Vec<String>, DriverError> {
    let keys: Vec<SshKeyResource> = region.client.get("account/prefs/sshkeys/").await?;
    Ok(keys.into_iter().map(|key| one_line(&key.key)).collect())
}

/// A key may be wrapped in the document; it is one line for MaaS.
fn one_line(key: &str) -> String {
    key.replace(['\r', '\n'], "").trim().to_owned()
}

pub(crate) fn plan(site: &Site, seen: &Seen) -> StepPlan {
    let mut changes: Vec<Change> = Vec::new();
    for key in site
        .authorized_keys
        .iter()
        .map(|key| one_line(key))
        .filter(|key| !key.is_empty())
    {
        if seen.keys.contains(&key)
            || changes
                .iter()
                .any(|change| change.after["key"] == key.as_str())
        {
            continue;
        }
        changes.push(Change {
            target: "maas account".to_owned(),
            verb: ADD_KEY.to_owned(),
            before: Value::Null,
            after: json!({"key": key}),
            risk: Risk::Reversible,
            why: "the region of the design authorizes this key".to_owned(),
        });
    }
    if changes.is_empty() {
        return StepPlan::done(format!(
            "MaaS has all {} SSH keys of the design",
            site.authorized_keys.len()
        ));
    }
    StepPlan::apply(changes)
}

pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    if change.verb != ADD_KEY {
        return Err(unknown_verb(change));
    }
    let key = text(change, "key")?;
    match region
        .client
        .post("account/prefs/sshkeys/", &Form::new().with("key", &key))
        .await
    {
        Ok(made) => Ok(format!("added with id {}", made["id"])),
        Err(error) if is_objection(&error) && keys(region).await?.contains(&key) => {
            Ok("was there".to_owned())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absent_keys_are_added_once() {
        let site = Site {
            authorized_keys: vec![
                "ssh-rsa AA\nBB one\n".into(),
                "ssh-rsa CC two".into(),
                "ssh-rsa CC two".into(),
            ],
            ..Site::default()
        };
        let added = |keys: &[&str]| {
            let seen = Seen {
                keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            };
            plan(&site, &seen)
                .changes
                .iter()
                .map(|change| change.after["key"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(added(&[]), ["\"ssh-rsa AABB one\"", "\"ssh-rsa CC two\""]);
        assert_eq!(added(&["ssh-rsa AABB one"]), ["\"ssh-rsa CC two\""]);
        assert!(added(&["ssh-rsa AABB one", "ssh-rsa CC two"]).is_empty());
    }
}
