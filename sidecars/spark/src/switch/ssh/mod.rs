//! One command on the box over SSH. The only file that knows russh.
//!
//! Invariants: only the pinned ed25519 host key counts, and no other algorithm is offered to the server; no agent, no
//! terminal, no shell, no forwarding; what runs is a [`Verb`]. Before the command was asked for, every fault is
//! [`NotBegun`]; after it, whatever is not an exit status is [`Ended::Lost`]: a connection that ends without one ends like a
//! command that went well, and is not one.

pub mod said;
pub mod verb;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use platform_kit::secret;
use platform_types::switch::SwitchConfig;
use platform_types::text::neutral_cut;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Preferred};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::names::Names;
use crate::redaction::Redaction;
use said::Said;
use verb::Verb;

/// A frozen box is noticed when so many questions have had no answer and the next would be due.
const KEEP_ALIVES_LOST: usize = 3;
/// Longest message that is kept of what the command says to its standard error, in characters.
const MAX_ERROR_CHARS: usize = 300;
/// Time to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where the forced command is.
#[derive(Debug, Clone)]
pub struct Remote {
    host: String,
    port: u16,
    user: String,
    host_key: PublicKey,
    key: PathBuf,
    keep_alive: Duration,
    redaction: Redaction,
}

/// Nothing runs on the box: why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    #[error("the host {0:?} has no address that can be found: {1}")]
    Name(String, String),
    #[error("no SSH connection to {at}: {cause}")]
    Connect { at: String, cause: String },
    #[error(
        "{at} showed the host key {shown}, and not the pinned {pinned}; nothing was sent. Compare it on the box, then set [spark.switch].host_key"
    )]
    HostKey { at: String, shown: String, pinned: String },
    #[error("{at} does not let {user} in with this key; see deploy/spark/README.md")]
    Login { at: String, user: String },
    #[error("the SSH key cannot be used: {0}")]
    Key(String),
    #[error("{at} did not answer in time")]
    Late { at: String },
    #[error("{at} lets {user} in and runs no command")]
    NoCommand { at: String, user: String },
}

/// How a command that was begun ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Exit {
        status: u32,
        /// The last thing that it said.
        said: String,
    },
    /// Nobody knows: the connection broke, or the time was over.
    Lost(String),
}

/// Why a box cannot be switched with this configuration.
#[derive(Debug, thiserror::Error)]
#[error("[spark.switch].host_key is not a line of ssh-keyscan -t ed25519")]
pub struct NotAHostKey;

impl Remote {
    /// `keep_alive`: between two questions whether the connection is there. `redaction`: for what the command says.
    pub fn new(
        config: &SwitchConfig,
        secrets: &std::path::Path,
        keep_alive: Duration,
        redaction: Redaction,
    ) -> Result<Self, NotAHostKey> {
        let host_key = PublicKey::from_openssh(&config.host_key).map_err(|_| NotAHostKey)?;
        if host_key.algorithm() != Algorithm::Ed25519 {
            return Err(NotAHostKey);
        }
        Ok(Self {
            host: config.host.clone(),
            port: config.port.get(),
            user: config.user.clone(),
            host_key,
            key: secrets.join(config.key.as_str()),
            keep_alive,
            redaction,
        })
    }

    /// As people write it: `user@host:port`.
    pub fn address(&self) -> String {
        let Self { host, port, user, .. } = self;
        if host.contains(':') { format!("{user}@[{host}]:{port}") } else { format!("{user}@{host}:{port}") }
    }

    /// The SHA-256 fingerprint of the pinned host key, as ssh-keygen writes it.
    pub fn fingerprint(&self) -> String {
        self.host_key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Runs a verb. `connect` is for everything up to the command, `until` for the command; `tell` gets its lines.
    pub async fn run(
        &self,
        verb: &Verb,
        connect: Duration,
        until: Instant,
        mut tell: impl FnMut(&str),
    ) -> Result<Ended, NotBegun> {
        let at = self.address();
        let begin = Instant::now() + connect;
        let (session, mut channel) =
            timeout_at(begin, self.open()).await.map_err(|_| NotBegun::Late { at: at.clone() })??;
        // From here on the box may have been told.
        let ended = match timeout_at(begin, channel.exec(true, verb.as_str())).await {
            Ok(Ok(())) => self.follow(&mut channel, until, &mut tell).await,
            Ok(Err(error)) => Ok(Ended::Lost(format!("the connection to {at} broke: {error}"))),
            Err(_) => Ok(Ended::Lost(format!("{at} did not take the command in time"))),
        };
        // It has said all it says; whether it hears this does not matter.
        let _ = tokio::time::timeout(GOODBYE, session.disconnect(Disconnect::ByApplication, "", "en")).await;
        ended
    }

    async fn open(&self) -> Result<(Handle<Pin>, Channel<client::Msg>), NotBegun> {
        let key = self.private_key()?;
        let at = self.address();
        let broke = |cause: String| NotBegun::Connect { at: at.clone(), cause };
        let stream = self.connect().await?;
        let pin = Pin { pinned: self.host_key.clone() };
        let mut session = client::connect_stream(Arc::new(config(self.keep_alive)), stream, pin).await.map_err(
            |error| match error {
                Fault::HostKey(shown) => NotBegun::HostKey { at: at.clone(), shown, pinned: self.fingerprint() },
                Fault::Ssh(error) => broke(error.to_string()),
            },
        )?;
        let login = session.authenticate_publickey(&self.user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await;
        match login.map_err(|error| broke(error.to_string()))? {
            AuthResult::Success => {}
            AuthResult::Failure { .. } => return Err(NotBegun::Login { at: at.clone(), user: self.user.clone() }),
        }
        let channel = session.channel_open_session().await.map_err(|error| broke(error.to_string()))?;
        Ok((session, channel))
    }

    async fn connect(&self) -> Result<TcpStream, NotBegun> {
        let mut cause = "it has no address".to_owned();
        let addresses = Names::new().addresses(&self.host).await;
        for ip in addresses.map_err(|cause| NotBegun::Name(self.host.clone(), cause))? {
            match TcpStream::connect(SocketAddr::new(ip, self.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => cause = error.to_string(),
            }
        }
        Err(NotBegun::Connect { at: self.address(), cause })
    }

    /// Reads the key anew each time, so a changed file counts at once.
    fn private_key(&self) -> Result<PrivateKey, NotBegun> {
        let text = secret::read(&self.key).map_err(|error| NotBegun::Key(error.to_string()))?;
        let wrong = |why: &str| NotBegun::Key(why.to_owned());
        let bytes = BASE64.decode(text.expose().as_bytes());
        let bytes = platform_kit::Secret::new(bytes.map_err(|_| wrong(NO_KEY))?);
        let key = PrivateKey::from_bytes(bytes.expose()).map_err(|_| wrong(NO_KEY))?;
        if key.is_encrypted() {
            return Err(wrong("it has a passphrase, which nobody can type here"));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(wrong("it is not an ed25519 key; make one with: ssh-keygen -t ed25519"));
        }
        Ok(key)
    }

    /// The command until its end.
    async fn follow(
        &self,
        channel: &mut Channel<client::Msg>,
        until: Instant,
        tell: &mut impl FnMut(&str),
    ) -> Result<Ended, NotBegun> {
        let said = || Said::new(self.redaction.clone());
        let (mut out, mut err, mut status) = (said(), said(), None);
        loop {
            let Ok(message) = timeout_at(until, channel.wait()).await else {
                return Ok(Ended::Lost("the command did not end in time".to_owned()));
            };
            let fits = match message {
                Some(ChannelMsg::Data { data }) => out.take(&data, &mut *tell),
                Some(ChannelMsg::ExtendedData { data, .. }) => err.take(&data, |_| {}),
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    status = Some(exit_status);
                    true
                }
                Some(ChannelMsg::Failure) if status.is_none() => {
                    return Err(NotBegun::NoCommand { at: self.address(), user: self.user.clone() });
                }
                // What was said before the status may come after it: read to the end.
                None | Some(ChannelMsg::Close) => break,
                Some(_) => true,
            };
            if !fits {
                return Ok(Ended::Lost("the command says too much; it is not listened to any more".to_owned()));
            }
        }
        let Some(status) = status else {
            return Ok(Ended::Lost(format!(
                "the connection to {} ended without the command's exit status",
                self.address()
            )));
        };
        let said = err.finish().or_else(|| out.finish()).unwrap_or_default();
        Ok(Ended::Exit { status, said: neutral_cut(&said, MAX_ERROR_CHARS) })
    }
}

const NO_KEY: &str = "it is not an OpenSSH private key; store it with: botctl secret set NAME < id_ed25519";

fn config(keep_alive: Duration) -> client::Config {
    client::Config {
        preferred: Preferred { key: vec![Algorithm::Ed25519].into(), ..Preferred::default() },
        keepalive_interval: Some(keep_alive),
        keepalive_max: KEEP_ALIVES_LOST,
        nodelay: true,
        ..client::Config::default()
    }
}

/// Lets one host key count.
#[derive(Debug)]
struct Pin {
    pinned: PublicKey,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("another host key: {0}")]
    HostKey(String),
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

impl client::Handler for Pin {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.pinned.key_data() => Ok(true),
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                Err(Fault::HostKey(key.fingerprint(HashAlg::Sha256).to_string()))
            }
            PublicKeyOrCertificate::Certificate(_) => Err(Fault::HostKey("of a certificate".to_owned())),
        }
    }
}
