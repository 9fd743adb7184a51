//! Forms: what MaaS takes as a body. Lists are repeated keys; an empty string clears a field.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::redaction::mask_values;

/// The fields of one request, in order. Knows which of them are secret.
#[derive(Clone, Default)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
    secret: Vec<usize>,
}

impl Form {
    pub(crate) fn new() -> Self {
        Form::default()
    }

    /// Adds a field.
    pub(crate) fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.pairs.push((name.into(), value.to_string()));
        self
    }

    /// Adds a field whose value is shown nowhere.
    pub(crate) fn with_secret(mut self, name: &str, value: &SecretString) -> Self {
        self.secret.push(self.pairs.len());
        self.pairs
            .push((name.to_owned(), value.expose_secret().to_owned()));
        self
    }

    /// Adds a field if there is a value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The text with the secret values masked, should the server echo them.
    pub(crate) fn mask(&self, text: &str) -> String {
        mask_values(
            text,
            self.secret
                .iter()
                .map(|index| self.pairs[*index].1.as_str()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_secret_is_masked() {
        let form = Form::new()
            .with("power_user", "admin")
            .with_secret("power_pass", &"hunter2".to_owned().into());
        assert_eq!(
            form.mask("admin with hunter2 refused"),
            "admin with **** refused"
        );
        assert_eq!(form.pairs().len(), 2);
    }
}
