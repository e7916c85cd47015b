//! Where a router listens, and connections to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub address: Address,
    /// The process whose time and memory count, with its children.
    pub pid: Option<u32>,
}

#[derive(Debug, Clone)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or("write NAME=ADDRESS")?;
        let (address, pid) = match rest.split_once('@') {
            Some((address, pid)) => (address, Some(pid.parse().map_err(|_| format!("{pid:?} is no process id"))?)),
            None => (rest, None),
        };
        let address = match address.strip_prefix("unix:") {
            Some(path) => Address::Unix(path.into()),
            None => Address::Tcp(crate::loopback(address)?),
        };
        Ok(Self { name: name.to_owned(), address, pid })
    }
}

/// A connection. Dropping it closes it.
pub struct Connection {
    pub sender: SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Target {
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                open(TokioIo::new(stream)).await
            }
            Address::Unix(path) => open(TokioIo::new(UnixStream::connect(path).await?)).await,
        }
    }
}

async fn open<S>(stream: S) -> anyhow::Result<Connection>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await?;
    let driver = platform_kit::task::spawn("connection", async move {
        // An end of the connection is seen by the request on it.
        let _ended = connection.await;
    });
    Ok(Connection { sender, driver })
}
