//! Whom to trust: BMCs carry certificates of their own making, often marked as those of an authority.
//!
//! Without a word in the settings a certificate is verified against the system's roots. A file of authorities may take their place,
//! the SHA-256 of single certificates may be named besides, and verification may be given up, each for all BMCs of the process.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use drydock_model::driver::DriverError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` prints it: 64 hexadecimal digits, colons or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of this certificate, in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Fingerprint(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|sign| *sign != ':')
            .map(|sign| sign.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("{text:?} is no SHA-256 in hexadecimal digits"))?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        let whole: Option<[u8; 32]> = bytes.try_into().ok().filter(|_| digits.len() == 64);
        whole
            .map(Fingerprint)
            .ok_or_else(|| format!("{text:?} has {} digits, a SHA-256 has 64", digits.len()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which certificates are good (settings `oob.redfish.ca_file`, `.fingerprints`, `.insecure`).
#[derive(Clone, Debug, Default)]
pub struct TlsPolicy {
    /// PEM file of the authorities to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificates that are good as they are, whoever signed them.
    pub fingerprints: Vec<Fingerprint>,
    /// Take any certificate. Whoever sits between can then read passwords.
    pub insecure: bool,
}

impl TlsPolicy {
    /// As a client's configuration.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub(super) fn client(&self) -> Result<ClientConfig, DriverError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let base: Option<Arc<dyn ServerCertVerifier>> = if self.insecure {
            None
        } else {
            Some(self.verifier(&provider)?)
        };
        let verifier = Pinned {
            fingerprints: self.fingerprints.clone(),
            base,
            provider: Arc::clone(&provider),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused("setting oob.redfish", error.to_string()))?;
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }

    fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, DriverError> {
        let Some(path) = &self.ca_file else {
            let system = rustls_platform_verifier::Verifier::new(Arc::clone(provider))
                .map_err(|error| refused("the system's certificates", error.to_string()))?;
            return Ok(Arc::new(system));
        };
        let setting = "setting oob.redfish.ca_file";
        let no = |why: String| refused(setting, format!("{}: {why}", path.display()));
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| no(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| no(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| no(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(no("it holds no certificate".to_owned()));
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| no(error.to_string()))?;
        Ok(verifier)
    }
}

fn refused(setting: &str, got: String) -> DriverError {
    DriverError::permanent(
        "setting up the redfish driver",
        setting,
        got,
        "correct the setting",
    )
}

/// Takes certificates whose fingerprint is known, whatever else they say of themselves, and leaves the others to `base`.
#[derive(Debug)]
struct Pinned {
    fingerprints: Vec<Fingerprint>,
    /// `None`: all others are good, too.
    base: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Fingerprint::of(end_entity);
        if self.fingerprints.contains(&shown) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(base) = &self.base else {
            return Ok(ServerCertVerified::assertion());
        };
        base.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| Error::General(format!("{error}; its SHA-256 is {shown}")))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_printed() {
        let of = Fingerprint::of(b"certificate");
        let printed = of.to_string();
        assert_eq!(printed.len(), 95);
        assert_eq!(printed.parse(), Ok(of));
        assert_eq!(printed.replace(':', "").to_lowercase().parse(), Ok(of));
        for odd in ["", "AB", "zz", &printed[..94], &format!("{printed}:00")] {
            assert!(odd.parse::<Fingerprint>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused_with_its_setting() {
        for path in ["/nonexistent/ca.pem", "/dev/null"] {
            let policy = TlsPolicy {
                ca_file: Some(path.into()),
                ..TlsPolicy::default()
            };
            let error = policy.client().unwrap_err().to_string();
            assert!(error.contains("oob.redfish.ca_file") && error.contains(path));
        }
    }
}
