//! The database's URL, whose password is shown to nobody.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A database URL, or where one stands (`env:NAME`, `file:PATH`).
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// As written.
    pub fn written(&self) -> &SecretString {
        &self.0
    }

    fn redacted(&self) -> String {
        let text = self.0.expose_secret();
        let Some((scheme, rest)) = text.split_once("://") else {
            return text.to_owned();
        };
        // A password may hold a slash or an at sign that should have been escaped: everything up to the last @ is hidden.
        let Some((user_info, place)) = rest.rsplit_once('@') else {
            return text.to_owned();
        };
        match user_info.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:********@{place}"),
            None => text.to_owned(),
        }
    }
}

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        DatabaseUrl(SecretString::from(text))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn a_password_is_not_shown() {
        for (text, shown) in [
            ("sqlite://drydock.db", "sqlite://drydock.db"),
            ("postgres://u:p@h:5432/d", "postgres://u:********@h:5432/d"),
            ("postgres://u:p@ss/w@h/d", "postgres://u:********@h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("env:DB", "env:DB"),
        ] {
            let url = DatabaseUrl::from(text.to_owned());
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(serde_json::to_value(&url).expect("text"), shown);
        }
    }
}
