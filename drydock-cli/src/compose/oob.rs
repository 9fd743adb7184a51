//! The settings of the out-of-band drivers, from the settings of the server.

use anyhow::{Context, Result, anyhow, bail};
use drydock_drivers::ipmi::IpmiSettings;
use drydock_drivers::libvirt::LibvirtSettings;
use drydock_drivers::oob::{Budget, Timing};
use drydock_drivers::redfish::{Fingerprint, RedfishSettings, TlsPolicy};
use drydock_ipmi::{CipherSuite, Privilege};
use secrecy::ExposeSecret;

use super::secret;
use crate::settings::Settings;

/// IPMI v2.0 section 22.30.
const LONGEST_KG: usize = 20;

pub(super) async fn ipmi_settings(settings: &Settings, budget: &Budget) -> Result<IpmiSettings> {
    let ipmi = &settings.oob.ipmi;
    let suite = |number: &u8| {
        CipherSuite::ALL
            .into_iter()
            .find(|suite| suite.number() == *number)
            .with_context(|| {
                let known: Vec<_> = CipherSuite::ALL
                    .iter()
                    .map(|suite| suite.number().to_string())
                    .collect();
                format!(
                    "oob.ipmi.cipher_suites: {number} is not supported; supported are {}",
                    known.join(", ")
                )
            })
    };
    let privilege = match ipmi.privilege.as_str() {
        "administrator" => Privilege::Administrator,
        "operator" => Privilege::Operator,
        "user" => Privilege::User,
        other => bail!("oob.ipmi.privilege: {other:?} is none of administrator, operator, user"),
    };
    let kg = match &ipmi.kg {
        None => None,
        Some(written) => {
            let kg = secret("oob.ipmi.kg", written).await?;
            if kg.expose_secret().len() > LONGEST_KG {
                bail!("oob.ipmi.kg: it is longer than the {LONGEST_KG} bytes that IPMI 2.0 allows");
            }
            Some(kg)
        }
    };
    Ok(IpmiSettings {
        port: ipmi.port,
        gap_floor: ipmi.gap_floor.into(),
        gap_ceiling: ipmi.gap_ceiling.into(),
        timeout: ipmi.timeout.into(),
        retries: ipmi.retries,
        cipher_suites: ipmi
            .cipher_suites
            .iter()
            .map(suite)
            .collect::<Result<_>>()?,
        privilege,
        kg,
        budget: budget.clone(),
        settle_after_reset: settings.oob.settle_after_reset.into(),
        state_timeout: settings.oob.state_timeout.into(),
        poll: ipmi.poll_interval.into(),
    })
}

pub(super) fn redfish_settings(settings: &Settings, budget: &Budget) -> Result<RedfishSettings> {
    let redfish = &settings.oob.redfish;
    let fingerprint = |text: &String| -> Result<Fingerprint> {
        text.parse()
            .map_err(|why: String| anyhow!("oob.redfish.fingerprints: {why}"))
    };
    Ok(RedfishSettings {
        port: redfish.port,
        gap_floor: redfish.gap_floor.into(),
        gap_ceiling: redfish.gap_ceiling.into(),
        timeout: redfish.timeout.into(),
        tls: TlsPolicy {
            ca_file: redfish.ca_file.clone(),
            fingerprints: redfish
                .fingerprints
                .iter()
                .map(fingerprint)
                .collect::<Result<_>>()?,
            insecure: redfish.insecure,
        },
        budget: budget.clone(),
        settle_after_reset: settings.oob.settle_after_reset.into(),
        state_timeout: settings.oob.state_timeout.into(),
        poll: redfish.poll_interval.into(),
    })
}

pub(super) fn libvirt_settings(settings: &Settings, budget: &Budget) -> LibvirtSettings {
    let usual = LibvirtSettings::default();
    LibvirtSettings {
        budget: budget.clone(),
        timing: Timing {
            settle_after_reset: settings.oob.settle_after_reset.into(),
            state_timeout: settings.oob.state_timeout.into(),
            ..usual.timing
        },
        ..usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_that_is_none_is_named_with_its_setting() -> Result<()> {
        let mut settings = Settings::default();
        settings.oob.redfish.fingerprints = vec!["AB:CD".to_owned()];
        let refused = redfish_settings(&settings, &Budget::default());
        let error = refused.err().context("it is taken")?.to_string();
        assert!(
            error.starts_with("oob.redfish.fingerprints") && error.contains("AB:CD"),
            "{error}"
        );
        settings.oob.redfish.fingerprints = vec!["ab".repeat(32)];
        let taken = redfish_settings(&settings, &Budget::default())?;
        assert_eq!(taken.tls.fingerprints.len(), 1);
        Ok(())
    }
}
