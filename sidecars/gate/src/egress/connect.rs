//! A connection to a checked address.
//!
//! A name is resolved once for each request, every address that it has is checked, and the connection goes to one of
//! exactly these: a name that changes its mind in between (rebinding) has no effect. No proxy, no happy eyeballs.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::resolve::SharedResolver;
use super::ways::Way;
use crate::limits::{EgressLimits, MAX_ADDRESSES};

/// Anything that HTTP can be spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens connections.
#[derive(Clone)]
pub struct Connector {
    resolver: SharedResolver,
    tls: TlsConnector,
    limits: EgressLimits,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("resolver", &self.resolver).finish_non_exhaustive()
    }
}

impl Connector {
    /// Trusts the compiled-in roots, and those in `extra_roots`, which may be missing.
    pub fn new(resolver: SharedResolver, extra_roots: &Path, limits: EgressLimits) -> Self {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Ok(pem) = std::fs::read(extra_roots) {
            let (good, bad) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
            tracing::info!(good, bad, "further certificates are trusted");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the protocol versions that rustls asks for")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { resolver, tls: TlsConnector::from(Arc::new(config)), limits }
    }

    /// Connects to an upstream.
    pub async fn connect(&self, way: &Way) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.addresses(way).await?;
        let mut last = None;
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let opening = self.open(way, SocketAddr::new(address, way.port));
            match tokio::time::timeout(self.limits.connect_time, opening).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error.to_string()),
                Err(_) => last = Some("no connection in time".to_owned()),
            }
        }
        Err(unreachable(way, &last.unwrap_or_else(|| "its name has no address".to_owned())))
    }

    /// Where it may be connected to: all of the name's addresses are allowed, or none is used.
    async fn addresses(&self, way: &Way) -> Result<Vec<IpAddr>, Failure> {
        let found = match (way.upstream.address, way.host.parse()) {
            (Some(pinned), _) => vec![pinned],
            (None, Ok(literal)) => vec![literal],
            (None, Err(_)) => {
                let resolving = tokio::time::timeout(self.limits.resolve_time, self.resolver.resolve(&way.host));
                let found = resolving.await.unwrap_or_else(|_| Err("its name was not resolved in time".to_owned()));
                found.map_err(|reason| unreachable(way, &reason))?
            }
        };
        match found.iter().find(|address| !way.networks.allows(**address)) {
            None => Ok(found),
            Some(address) => {
                let name = &way.upstream.name;
                let message = format!("{name} is at {address}, which is in none of its networks");
                Err(Failure::new(ErrorCode::EgressDenied, message))
            }
        }
    }

    async fn open(&self, way: &Way, address: SocketAddr) -> std::io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(address).await?;
        let _ = stream.set_nodelay(true);
        if !way.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(way.host.clone()).map_err(std::io::Error::other)?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }
}

/// Nothing was sent.
pub fn unreachable(way: &Way, reason: &str) -> Failure {
    Failure::new(ErrorCode::UpstreamUnreachable, format!("{} cannot be reached: {reason}", way.upstream.name))
}
