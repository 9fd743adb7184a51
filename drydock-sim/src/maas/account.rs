//! Users, API keys and SSH keys. There is one user, `admin`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::region::Region;
use super::render;
use super::request::{Answer, Body, Reply, Request, Verb};

/// An SSH key of the user.
#[derive(Debug, Clone)]
pub(super) struct SshKey {
    id: u32,
    key: String,
}

fn json_of(key: &SshKey) -> Value {
    json!({
        "key": key.key, "keysource": "", "id": key.id,
        "resource_uri": format!("/MAAS/api/2.0/account/prefs/sshkeys/{}/", key.id),
    })
}

/// `users/`.
pub(super) fn users(request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path, request.op.as_deref()) {
        (Verb::Get, [], Some("whoami")) | (Verb::Get, ["admin"], None) => {
            Ok(Reply::json(render::user()))
        }
        (Verb::Get, [], None) => Ok(Reply::json(json!([render::user()]))),
        _ => Err(request.unrecognised()),
    }
}

/// `account/` and everything below it.
pub(super) fn handle(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path, request.op.as_deref()) {
        (Verb::Get, [], Some("list_authorisation_tokens")) => Ok(Reply::json(json!([
            {"name": "MAAS consumer", "token": region.gate.key().text()},
        ]))),
        (Verb::Get, ["prefs", "sshkeys"], None) => {
            Ok(Reply::json(region.keys.values().map(json_of).collect()))
        }
        (Verb::Post, ["prefs", "sshkeys"], None) => add_key(region, request),
        (Verb::Get, ["prefs", "sshkeys", id], None) => {
            let key = id.parse().ok().and_then(|id: u32| region.keys.get(&id));
            key.map(|key| Reply::json(json_of(key)))
                .ok_or_else(|| Reply::missing("SSHKey"))
        }
        (Verb::Delete, ["prefs", "sshkeys", id], None) => {
            let removed = id.parse().ok().and_then(|id: u32| region.keys.remove(&id));
            removed
                .map(|_| Reply::deleted())
                .ok_or_else(|| Reply::missing("SSHKey"))
        }
        _ => Err(request.unrecognised()),
    }
}

fn add_key(region: &mut Region, request: &Request) -> Answer {
    let key = request.required("key")?.trim().to_owned();
    if !is_public_key(&key) {
        return Err(Reply::invalid(
            "key",
            "Invalid SSH public key: Key could not be converted to RFC4716 form.",
        ));
    }
    if region.keys.values().any(|known| known.key == key) {
        return Err(Reply {
            status: 400,
            body: Body::Json(
                json!({"__all__": ["This key has already been added for this user."]}),
            ),
        });
    }
    let id = region.new_id();
    let key = SshKey { id, key };
    region.keys.insert(id, key.clone());
    Ok(Reply {
        status: 201,
        body: Body::Json(json_of(&key)),
    })
}

/// Whether the text is `type base64 [comment]` and the blob begins with the type (RFC 4253 section 6.6).
fn is_public_key(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
        return false;
    };
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-");
    let Ok(blob) = STANDARD.decode(blob) else {
        return false;
    };
    known
        && blob
            .get(4..)
            .is_some_and(|rest| rest.starts_with(kind.as_bytes()))
}
