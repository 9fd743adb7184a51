//! The region.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use drydock_model::design::{Kind, Part};
use drydock_model::finding::Level;

use super::{Look, Rule, Site};
use crate::compile::site::keys;
use crate::report::{Place, Report, at};

/// Keys that may log in are keys.
pub(super) static KEYS: Rule = Rule {
    id: "region/authorized-key",
    code: "DD5120",
    name: "Authorized Keys",
    level: Level::Warning,
    what: "Each item of authorized_keys holds a public SSH key: options if any, the type, and the key in base64, which begins with the same type (sshd(8), RFC 4253 section 6.6).",
    why: "sshd passes over what is no key, and nobody can log in with it. A private key in a design is read by all who read the design.",
    fix: "Copy the whole line from the .pub file of the key.",
    look: Look::Site(authorized_keys),
};

/// A pad may be missing where a key was cut by hand.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn authorized_keys(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let regions = site.index.of(Kind::Region);
    for (document, part) in regions.filter_map(|document| match &document.part {
        Part::Region(part) => Some((document, part)),
        _ => None,
    }) {
        for (number, text) in part.authorized_keys.iter().flatten().enumerate() {
            let found = keys(text);
            if !found.is_empty() && found.iter().all(|line| is_key(line)) {
                continue;
            }
            let what = if text.contains("PRIVATE KEY") {
                "holds a private key"
            } else {
                "holds no public SSH key"
            };
            // The text is not shown: it may be a private key.
            let message = format!(
                "Region {}: item {number} of authorized_keys {what}",
                document.name
            );
            let items = document.tree.get("authorized_keys");
            let item = items.and_then(|items| items.items().get(number));
            let place = Place {
                location: item.map(|item| document.at(item.position)),
                ..at(document, &["authorized_keys"])
            };
            let advice = "write the one line of the .pub file: type, key and comment";
            report.add(rule, message, advice, place);
        }
    }
}

/// `ssh-ed25519 AAAA...`, with options before it and a comment behind it.
fn is_key(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let [kind, blob] = pair else { return false };
        let known = ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|start| kind.starts_with(start));
        known && begins_with(blob, kind)
    })
}

/// RFC 4253, section 6.6: the key begins with its type as a string, which is four bytes of length and the text.
fn begins_with(blob: &str, kind: &str) -> bool {
    let Ok(bytes) = BASE64.decode(blob) else {
        return false;
    };
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    u32::from_be_bytes(*length) as usize == kind.len() && rest.starts_with(kind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn keys_are_of_the_type_they_say() {
        for good in [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA operator",
            "from=\"10.0.0.0/8\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ== me",
        ] {
            assert!(is_key(good), "{good}");
        }
        for bad in [
            "",
            "ssh-rsa",
            "ssh-rsa !!! me",
            "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB me",
            "AAAAC3NzaC1lZDI1NTE5AAAAIA",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
