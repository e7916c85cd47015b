//! Makes connections to one server: name lookup, TCP, TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use platform_kit::connection::Line;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::fault::cause;
use crate::names::Names;

/// A box that is gone without a word is noticed by the kernel, however long it may take to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Why a server cannot be talked to with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("cannot read the certificates of {path}")]
    ReadRoots { path: PathBuf, source: std::io::Error },
    #[error("{path} does not hold certificates in PEM form")]
    Roots { path: PathBuf },
    #[error("the host of [spark].url is no name that a certificate could have")]
    Name,
}

/// Where a server is, and how its certificate is judged.
#[derive(Debug)]
pub struct Dial {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    names: Names,
    /// For one attempt, everything included.
    time: Duration,
}

impl Dial {
    /// `roots`: a file of certificates to trust beside the compiled-in ones; it may be missing.
    pub fn new(url: &Url, roots: &Path, time: Duration) -> Result<Self, DialError> {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(DialError::Name),
        };
        let secure = url.scheme() == "https";
        let tls = secure.then(|| {
            let name = ServerName::try_from(host.clone()).map_err(|_| DialError::Name)?;
            Ok((Arc::new(trusting(roots)?), name))
        });
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { host, port, tls: tls.transpose()?, names: Names::new(), time })
    }

    /// A connection that is ready for a request, or why there is none.
    pub(super) async fn connect(&self) -> Result<Line, String> {
        let until = Instant::now() + self.time;
        timeout_at(until, self.attempt(until)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn attempt(&self, until: Instant) -> Result<Line, String> {
        let stream = self.reach(until).await?;
        // Neither is needed for an answer; a kernel that refuses them answers all the same.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE));
        match &self.tls {
            None => speak(stream).await,
            Some((trust, name)) => {
                let secured = TlsConnector::from(trust.clone()).connect(name.clone(), stream).await;
                speak(secured.map_err(|error| cause(&error))?).await
            }
        }
    }

    /// Tries the addresses one after the other, each for its share of the time that is left.
    async fn reach(&self, until: Instant) -> Result<TcpStream, String> {
        let mut last = late();
        let addresses = self.names.addresses(&self.host).await?;
        for (tried, address) in addresses.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let connecting = TcpStream::connect(SocketAddr::new(*address, self.port));
            match timeout_at(Instant::now() + share, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = cause(&error),
                Err(_) => last = late(),
            }
        }
        Err(last)
    }
}

fn late() -> String {
    "no connection in time".to_owned()
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Line, String> {
    Line::over(stream).await.map_err(|error| cause(&error))
}

/// The authorities of the web, and those of a file.
fn trusting(path: &Path) -> Result<ClientConfig, DialError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let unusable = || DialError::Roots { path: path.to_path_buf() };
    for certificate in read(path)? {
        roots.add(certificate).map_err(|_| unusable())?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the protocol versions that rustls asks for");
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, DialError> {
    let pem = match std::fs::read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(DialError::ReadRoots { path: path.to_path_buf(), source }),
    };
    let unusable = || DialError::Roots { path: path.to_path_buf() };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| unusable())?;
    if found.is_empty() { Err(unusable()) } else { Ok(found) }
}
