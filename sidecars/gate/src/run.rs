//! A gate from its first socket to its last connection.

use std::net::SocketAddr;
use std::sync::Arc;

use platform_kit::clock::SharedClock;
use platform_kit::{SystemClock, serve, socket};
use platform_types::layout::TAILNET_SOCKET;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::confirm::watch;
use crate::egress::resolve::{SharedResolver, SystemResolver};
use crate::egress::service::Egress;
use crate::gate::Paths;
use crate::http::entrance::Entrance;
use crate::http::listener;
use crate::http::routes::Public;
use crate::limits::{HttpLimits, Limits, MAX_EGRESS_CONNECTIONS};
use crate::{admin, gate};

/// Whoever gets the directory may connect: the mount is the permission.
const SOCKET_MODE: u32 = 0o666;

/// How a gate is started.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    pub paths: Paths,
    pub limits: Limits,
    pub clock: SharedClock,
    /// For the names of upstreams.
    pub resolver: SharedResolver,
}

impl Options {
    /// What the container gives.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            paths: Paths::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            resolver: Arc::new(SystemResolver::new()),
        }
    }
}

/// Why a gate could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot open what is kept in {path}")]
    State { path: std::path::PathBuf, source: std::io::Error },
    #[error(transparent)]
    Socket(#[from] socket::SocketError),
}

/// A gate with all its sockets bound.
#[derive(Debug)]
pub struct Bound {
    pub gate: Arc<gate::Gate>,
    public: TcpListener,
    egress: UnixListener,
    admin: UnixListener,
    tailnet: UnixListener,
}

/// Binds everything; nothing is answered yet.
pub async fn bind(options: Options, stop: CancellationToken) -> Result<Bound, StartError> {
    let Options { listen: address, paths, limits, clock, resolver } = options;
    let path = paths.state.clone();
    let gate = gate::Gate::open(paths.clone(), limits, (clock, resolver), stop);
    let gate = gate.map_err(|source| StartError::State { path, source })?;
    let public = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let egress = socket::bind(&paths.egress.join("egress.sock"), SOCKET_MODE)?;
    let admin = socket::bind(&paths.admin.join("gate.sock"), SOCKET_MODE)?;
    let tailnet = socket::bind(&paths.tailnet.join(TAILNET_SOCKET), SOCKET_MODE)?;
    Ok(Bound { gate, public, egress, admin, tailnet })
}

impl Bound {
    /// Where browsers are answered.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// Answers until the gate is stopped, then closes sockets and lets running requests finish, for a while.
    pub async fn serve(self) {
        let Self { gate, public, egress, admin, tailnet } = self;
        let drain = gate.limits.stop.drain;
        let http = gate.limits.http.clone();
        let few = HttpLimits { connections: MAX_EGRESS_CONNECTIONS, ..http.clone() };
        let (stop, tasks) = (gate.stop.clone(), gate.tasks.clone());
        tracing::info!(address = public.local_addr().ok().map(tracing::field::display), "ready");
        let left = async {
            stop.cancelled().await;
            tasks.close();
            if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
                tracing::warn!(left = tasks.len(), "connections were cut");
            }
        };
        let kept = async {
            tokio::select! {
                () = gate.audit.keep_synced() => {}
                () = watch::expire(&gate) => {}
            }
        };
        let entrance = |entrance| Arc::new(Public { gate: gate.clone(), entrance });
        let (port, served) = (entrance(Entrance::Port), entrance(Entrance::Tailnet));
        let ((), (), (), admin, (), ()) = tokio::join!(
            listener::serve(public, port, http.clone(), stop.clone(), tasks.clone()),
            listener::serve(tailnet, served, http, stop.clone(), tasks.clone()),
            listener::serve(egress, Egress::new(gate.clone()), few, stop.clone(), tasks.clone()),
            serve::unix(admin, admin::router(&gate), stop.clone(), drain),
            left,
            kept,
        );
        gate.audit.sync();
        if let Err(error) = admin {
            tracing::error!(%error, "the admin socket failed");
        }
        tracing::info!("stopped");
    }
}
