//! Which certificates of a server are trusted.
//!
//! Without a word of the configuration: what the authorities of the web signed, for the name that is connected to. With
//! certificates in the upstream's configuration nothing but these counts, and for that upstream alone: a server with a
//! certificate that one of them signed for its name, or with the very certificate. The latter is how self-signed servers
//! are known; such certificates often say that they are authorities, or carry another name.

use std::sync::{Arc, LazyLock};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};

/// What an upstream's server has to show.
#[derive(Debug, Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    /// The configuration names certificates.
    own: bool,
}

impl Trust {
    /// The compiled-in authorities of the web.
    pub fn web() -> Self {
        static WEB: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            Arc::new(builder().with_root_certificates(roots).with_no_client_auth())
        });
        Self { config: WEB.clone(), own: false }
    }

    /// The certificates of `pem` and nothing else; the error says what is wrong with them.
    pub fn own(pem: &str) -> Result<Self, String> {
        let known: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let known = known.map_err(|_| "its ca is not PEM".to_owned())?;
        if known.is_empty() {
            return Err("its ca holds no certificate".to_owned());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &known {
            roots.add(certificate.clone()).map_err(|_| "its ca holds a certificate that cannot be read".to_owned())?;
        }
        let authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        let authority = authority.map_err(|error| format!("its ca cannot be used: {error}"))?;
        let verifier = Arc::new(Own { known, authority });
        let config = builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Self { config: Arc::new(config), own: true })
    }

    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.config.clone())
    }

    /// Why a connection was refused, for people.
    pub fn words(&self, error: &std::io::Error) -> String {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::InvalidCertificate(why)) if self.own => {
                format!("its certificate is neither in its ca nor signed by it ({why})")
            }
            Some(Error::InvalidCertificate(why)) => {
                format!(
                    "its certificate is not trusted ({why}); a server of your own needs its ca in the configuration"
                )
            }
            _ => error.to_string(),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has the protocol versions that rustls asks for")
}

/// Certificates of the configuration: each trusted as it is, and as an authority.
#[derive(Debug)]
struct Own {
    known: Vec<CertificateDer<'static>>,
    authority: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.known.iter().any(|known| known == certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authority.verify_server_cert(certificate, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}
