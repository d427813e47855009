//! TLS to the server, as `sslmode` asks for it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

crate::words! {
    /// The words of libpq, with its meaning.
    pub enum Trust {
        /// Clear text.
        Disable = "disable",
        /// Encrypted if the server can, whoever it is.
        Prefer = "prefer",
        /// Encrypted, whoever it is.
        Require = "require",
        /// Encrypted, with a certificate from an authority that is trusted.
        VerifyCa = "verify-ca",
        /// And for the name that was asked for.
        VerifyFull = "verify-full",
    }
}

/// Which authorities are trusted.
#[derive(Debug, Clone)]
pub enum Roots {
    System,
    /// The certificates in this PEM file.
    File(PathBuf),
}

pub(super) fn connector(trust: Trust, roots: &Roots) -> MakeRustlsConnect {
    let provider = tls::provider();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::VerifyCa | Trust::VerifyFull => Arc::new(Verifier {
            chain: chain_verifier(roots, &provider),
            checks_name: trust == Trust::VerifyFull,
            provider: Arc::clone(&provider),
        }),
        Trust::Disable | Trust::Prefer | Trust::Require => {
            Arc::new(Verifier { chain: Ok(None), checks_name: false, provider: Arc::clone(&provider) })
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the ciphers of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

/// An error is told when the certificate is looked at, where it becomes the reason why there is no connection.
type Chain = Result<Option<Arc<WebPkiServerVerifier>>, String>;

fn chain_verifier(roots: &Roots, provider: &Arc<CryptoProvider>) -> Chain {
    let store = match roots {
        Roots::System => tls::system_roots(),
        Roots::File(file) => {
            let mut store = RootCertStore::empty();
            let failed = |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}", file.display());
            let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
            for certificate in certificates {
                store.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
            }
            store
        }
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map(Some)
        .map_err(|error| format!("no certificate authority to trust: {error}"))
}

#[derive(Debug)]
struct Verifier {
    /// `None` trusts whoever answers.
    chain: Chain,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = match &self.chain {
            Ok(Some(chain)) => chain,
            Ok(None) => return Ok(ServerCertVerified::assertion()),
            Err(why) => return Err(rustls::Error::General(why.clone())),
        };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // The name is compared after the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
