//! Certificates of the Redfish services, made at the start of a world.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::SimError;
use crate::shape::MachineShape;

/// What a service shows itself with.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its certificate, in DER.
    pub(crate) der: Vec<u8>,
    /// Certificate and key.
    pub(super) config: Arc<ServerConfig>,
}

/// Makes the certificates of a world.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key for all services: making many takes time, and nobody looks at it.
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Result<Authority, SimError> {
        let subject = "the Redfish services' authority";
        let key = KeyPair::generate().map_err(refuse(subject))?;
        let mut params = CertificateParams::new(Vec::new()).map_err(refuse(subject))?;
        params
            .distinguished_name
            .push(DnType::CommonName, "drydock-sim authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = KeyPair::generate().map_err(refuse(subject))?;
        let issuer = CertifiedIssuer::self_signed(params, own).map_err(refuse(subject))?;
        Ok(Authority { issuer, key })
    }

    /// The authority's own certificate.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// As BMCs are delivered: signed by itself, and marked as an authority.
    pub(crate) fn self_signed(&self, machine: &MachineShape) -> Result<Identity, SimError> {
        let mut params = params(machine)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params
            .self_signed(&self.key)
            .map_err(refuse(&machine.name))?;
        self.identity(machine, certificate.der())
    }

    /// As a site's own authority would give it.
    pub(crate) fn issued(&self, machine: &MachineShape) -> Result<Identity, SimError> {
        let certificate = params(machine)?
            .signed_by(&self.key, &self.issuer)
            .map_err(refuse(&machine.name))?;
        self.identity(machine, certificate.der())
    }

    fn identity(
        &self,
        machine: &MachineShape,
        certificate: &CertificateDer<'_>,
    ) -> Result<Identity, SimError> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refuse(&machine.name))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone().into_owned()], key)
            .map_err(refuse(&machine.name))?;
        Ok(Identity {
            der: certificate.to_vec(),
            config: Arc::new(config),
        })
    }
}

fn params(machine: &MachineShape) -> Result<CertificateParams, SimError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(refuse(&machine.name))?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("BMC of {}", machine.name));
    params.subject_alt_names = vec![SanType::IpAddress(machine.bmc_address)];
    Ok(params)
}

fn refuse<E: std::fmt::Display>(subject: &str) -> impl FnOnce(E) -> SimError {
    let subject = subject.to_owned();
    move |error| SimError::Certificate {
        subject,
        why: error.to_string(),
    }
}
