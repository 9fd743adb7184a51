//! Settings that can never work are refused, each by its key.

use std::time::Duration;

use anyhow::{Result, bail};
use drydock_model::tree::nearest;

use drydock_orchestrator::settings::trust;

use super::Settings;

impl Settings {
    /// Refuses what would leave a server idle, spinning, or at odds with itself.
    ///
    /// # Errors
    /// The key, its value and what would work.
    pub fn check(&self) -> Result<()> {
        if self.engine.workers == 0 {
            bail!("engine.workers is 0: no step would ever run; 1 is the least");
        }
        let periods = [
            ("leader.grace_period", self.leader.grace_period),
            ("leader.claim_interval", self.leader.claim_interval),
            ("engine.heartbeat", self.engine.heartbeat),
            ("engine.poll_interval", self.engine.poll_interval),
            ("engine.retry_base", self.engine.retry_base),
            ("engine.retry_cap", self.engine.retry_cap),
            (
                "drivers.maas.poll_interval",
                self.drivers.maas.poll_interval,
            ),
            ("oob.ipmi.timeout", self.oob.ipmi.timeout),
            ("oob.ipmi.poll_interval", self.oob.ipmi.poll_interval),
            ("oob.redfish.timeout", self.oob.redfish.timeout),
            ("oob.redfish.poll_interval", self.oob.redfish.poll_interval),
        ];
        for (key, period) in periods {
            if Duration::from(period).is_zero() {
                bail!("{key} is 0: a server would spin; give a length of time such as 100ms");
            }
        }
        let leader = &self.leader;
        let trust = trust(leader.grace_period.into(), leader.clock_skew.into());
        for (key, period) in [
            ("engine.heartbeat", self.engine.heartbeat),
            ("leader.claim_interval", leader.claim_interval),
        ] {
            if Duration::from(period).mul_f64(2.4) > trust {
                bail!(
                    "{key} is {period}, leader.grace_period {} and leader.clock_skew {}: a server that misses one beat would lose its place; four fifths of the grace less the skew have to be two and a half times {key}",
                    leader.grace_period,
                    leader.clock_skew
                );
            }
        }
        if self.oob.in_flight == 0 {
            bail!("oob.in_flight is 0: no controller would ever be asked; 1 is the least");
        }
        if self.oob.ipmi.cipher_suites.is_empty() {
            bail!(
                "oob.ipmi.cipher_suites is empty: no session could be opened; 17 and 3 are supported"
            );
        }
        for id in self.rules.levels.keys() {
            if drydock_design::rules::find(id).is_none() {
                let known = drydock_design::rules::ALL.iter().map(|rule| rule.id);
                let meant = nearest(id, known)
                    .map_or_else(String::new, |known| format!("; did you mean {known:?}?"));
                bail!("rules.levels names the rule {id:?}, which there is not{meant}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use drydock_design::rules::LevelOverride;

    use super::super::{Settings, Span};

    #[test]
    fn the_defaults_work() {
        assert!(Settings::default().check().is_ok());
    }

    #[test]
    fn what_cannot_work_is_named() {
        type Spoil = fn(&mut Settings);
        let cases: [(&str, Spoil); 7] = [
            ("oob.in_flight", |settings| settings.oob.in_flight = 0),
            ("engine.workers", |settings| settings.engine.workers = 0),
            ("leader.grace_period", |settings| {
                settings.leader.grace_period = Span::seconds(0.0)
            }),
            ("engine.retry_base", |settings| {
                settings.engine.retry_base = Span::seconds(0.0)
            }),
            ("engine.heartbeat", |settings| {
                settings.engine.heartbeat = Span::seconds(2.0)
            }),
            (
                "rules.levels names the rule \"reference/rak\", which there is not; did you mean \"reference/rack\"?",
                |settings| {
                    settings
                        .rules
                        .levels
                        .insert("reference/rak".into(), LevelOverride::Off);
                },
            ),
            ("oob.ipmi.cipher_suites", |settings| {
                settings.oob.ipmi.cipher_suites.clear()
            }),
        ];
        for (key, spoil) in cases {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let error = settings.check().expect_err(key).to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
