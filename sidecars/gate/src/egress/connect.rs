//! A connection to a checked address.
//!
//! A name is resolved once for each request, every address that it has is checked, and the connection goes to one of
//! exactly these: a name that changes its mind in between (rebinding) has no effect. No proxy, no happy eyeballs.

use std::net::{IpAddr, SocketAddr};

use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::resolve::SharedResolver;
use super::ways::Way;
use crate::limits::{EgressLimits, MAX_ADDRESSES};

/// Anything that HTTP can be spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Opens connections.
#[derive(Debug, Clone)]
pub struct Connector {
    resolver: SharedResolver,
    limits: EgressLimits,
}

impl Connector {
    pub fn new(resolver: SharedResolver, limits: EgressLimits) -> Self {
        Self { resolver, limits }
    }

    /// Connects to an upstream.
    pub async fn connect(&self, way: &Way) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.addresses(way).await?;
        let mut last = None;
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let opening = open(way, SocketAddr::new(address, way.port));
            match tokio::time::timeout(self.limits.connect_time, opening).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = Some(error),
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
}

async fn open(way: &Way, address: SocketAddr) -> Result<Box<dyn Stream>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let Some(trust) = &way.tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(way.host.clone()).map_err(|error| error.to_string())?;
    let secured = trust.connector().connect(name, stream).await;
    Ok(Box::new(secured.map_err(|error| trust.words(&error))?))
}

/// Nothing was sent.
pub fn unreachable(way: &Way, reason: &str) -> Failure {
    Failure::new(ErrorCode::UpstreamUnreachable, format!("{} cannot be reached: {reason}", way.upstream.name))
}
