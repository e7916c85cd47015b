//! What is known when the checks run, and gathering it. Looking changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use platform_types::Timestamp;
use platform_types::layout::Roots;
use platform_types::switch::SwitchCheck;
use supervisor_plan::spec::MountSource;

use super::host::{Listener, Mount, listeners, mounts};
use super::tailscale::{Serve, Tailscale};
use crate::api::wire::settings::{ConfigCheck, Secrets};
use crate::settings;
use crate::state::{Shared, World};

/// Tailscale's program asks its daemon over a socket; longer than this is a daemon that hangs.
const TAILSCALE_TIMEOUT: Duration = Duration::from_secs(5);
/// Spark gives a check 20 s.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(25);
/// Where a timer of systemd, chrony or ntpd shows that it runs.
const CLOCK_SIGNS: [&str; 4] =
    ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/ntpd.pid"];

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Facts {
    pub roots: Roots,
    pub now: Timestamp,
    /// The daemon's view; `None` when it does not answer.
    pub daemon: Option<Daemon>,
    /// Why the daemon did not answer.
    pub silence: Option<Unseen>,
    pub config: Result<ConfigCheck, Unseen>,
    /// `None`: not allowed to look.
    pub secrets: Option<Secrets>,
    pub mounts: Vec<Mount>,
    /// `None`: `/proc` could not be read.
    pub listeners: Option<Vec<Listener>>,
    pub disks: Vec<Disk>,
    /// Inodes of each directory of sockets and secrets that containers have; a tmpfs each.
    pub run_inodes: BTreeMap<String, Inodes>,
    pub socket: Option<SocketFile>,
    /// There is a group bot-admin.
    pub admin_group: bool,
    pub run_mode: Option<u32>,
    /// Something keeps the clock right; `None`: nothing of the known kind was found.
    pub clock_sign: Option<String>,
    pub tailscale: Tailscale,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub why: String,
    /// Whoever looks is not allowed to.
    pub denied: bool,
}

/// How many more files a file system takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inodes {
    pub free: u64,
    pub total: u64,
}

/// What the daemon knows.
#[derive(Debug, Clone)]
pub struct Daemon {
    pub world: World,
    pub started_at: Timestamp,
    /// The way to the switch of the model box, tried; `None`: none is configured. The error says why it could not be tried.
    pub switch: Option<Result<SwitchCheck, String>>,
}

/// A file system that something of ours lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// `the ledger and backups`, `Docker's volumes`.
    pub holds: String,
    pub path: PathBuf,
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub free_inodes: u64,
    pub total_inodes: u64,
}

/// `supervisor.sock` as it lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketFile {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub admin_gid: Option<u32>,
}

/// Seen from inside the daemon.
pub async fn from_daemon(shared: &Shared) -> Facts {
    let world = shared.world.borrow().clone();
    let docker = world.engine.as_ref().map(|engine| PathBuf::from(&engine.root_directory));
    let needed = settings::secrets::needed(&world.config);
    let now = shared.clock.now();
    let secrets = settings::secrets::list(&shared.roots, &needed, now).ok();
    let run_inodes = run_directories(&world, &shared.roots).into_iter().filter_map(inodes).collect();
    let switch = match world.config.switch() {
        Some(_) => Some(switch(shared).await),
        None => None,
    };
    let daemon = Daemon { world, started_at: shared.started_at, switch };
    Facts { daemon: Some(daemon), secrets, run_inodes, ..look(&shared.roots, now, docker).await }
}

/// Host key and login of the model box, tried with a command that changes nothing.
async fn switch(shared: &Shared) -> Result<SwitchCheck, String> {
    let client = crate::sockets::spark(shared).ok_or("spark was never started")?.with_timeout(SWITCH_TIMEOUT);
    client.post("/switch/check", &()).await.map_err(|error| crate::words::chain(&error))
}

/// Seen from `botctl` when the daemon does not answer.
pub async fn without_daemon(roots: &Roots, now: Timestamp, silence: Unseen) -> Facts {
    let docker = PathBuf::from("/var/lib/docker");
    let needed = settings::config::last_known(roots).as_ref().map(settings::secrets::needed).unwrap_or_default();
    let secrets = settings::secrets::list(roots, &needed, now).ok();
    Facts { silence: Some(silence), secrets, ..look(roots, now, docker.exists().then_some(docker)).await }
}

async fn look(roots: &Roots, now: Timestamp, docker: Option<PathBuf>) -> Facts {
    let mut disks: Vec<Disk> = disk("the ledger and backups", &roots.state).into_iter().collect();
    disks.extend(docker.and_then(|path| disk("Docker's volumes and images", &path)));
    let read = |path: &str| std::fs::read_to_string(path);
    let listening = read("/proc/net/tcp").map(|text| {
        let mut found = listeners(&text);
        found.extend(listeners(&read("/proc/net/tcp6").unwrap_or_default()));
        found
    });
    Facts {
        roots: roots.clone(),
        now,
        daemon: None,
        silence: None,
        config: settings::config::check(roots)
            .map_err(|error| Unseen { why: crate::words::chain(&error), denied: error.is_denied() }),
        secrets: None,
        mounts: mounts(&read("/proc/self/mountinfo").unwrap_or_default()),
        listeners: listening.ok(),
        disks,
        run_inodes: BTreeMap::new(),
        socket: socket(&roots.supervisor_socket()),
        admin_group: crate::api::peer::admin_gid().is_some(),
        run_mode: std::fs::metadata(roots.run()).ok().map(|metadata| metadata.permissions().mode() & 0o7777),
        clock_sign: CLOCK_SIGNS.iter().find(|path| Path::new(path).exists()).map(|path| (*path).to_owned()),
        tailscale: tailscale().await,
    }
}

/// The directories below `run/` that containers have, each once.
pub fn run_directories(world: &World, roots: &Roots) -> BTreeSet<String> {
    let run = roots.run();
    let mounts = world.desired.services.values().flat_map(|service| service.spec.mounts.values());
    let sources = mounts.filter_map(|mount| match &mount.source {
        MountSource::Bind { path } if Path::new(path).starts_with(&run) => Some(path.clone()),
        _ => None,
    });
    sources.collect()
}

fn inodes(path: String) -> Option<(String, Inodes)> {
    let stat = statvfs(path.as_str()).ok()?;
    Some((path, Inodes { free: stat.files_available(), total: stat.files() }))
}

fn disk(holds: &str, path: &Path) -> Option<Disk> {
    let stat = statvfs(path).ok()?;
    let block = stat.fragment_size();
    Some(Disk {
        holds: holds.to_owned(),
        path: path.to_path_buf(),
        free_bytes: stat.blocks_available().saturating_mul(block),
        total_bytes: stat.blocks().saturating_mul(block),
        free_inodes: stat.files_available(),
        total_inodes: stat.files(),
    })
}

fn socket(path: &Path) -> Option<SocketFile> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some(SocketFile {
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        admin_gid: crate::api::peer::admin_gid(),
    })
}

async fn tailscale() -> Tailscale {
    let mut command = tokio::process::Command::new("tailscale");
    command.args(["serve", "status", "--json"]).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(TAILSCALE_TIMEOUT, command.output()).await {
        Err(_) => return Tailscale::Failed(format!("no answer within {} s", TAILSCALE_TIMEOUT.as_secs())),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Tailscale::NotInstalled,
        Ok(Err(error)) => return Tailscale::Failed(error.to_string()),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Tailscale::Failed(platform_types::text::neutral_cut(said.trim(), 200));
    }
    match Serve::parse(&output.stdout) {
        Ok(serve) => Tailscale::Answered(serve),
        Err(error) => Tailscale::Failed(format!("its answer is not understood: {error}")),
    }
}
