//! Where files, volumes and sockets lie, on the host and inside containers. Pure path arithmetic.
//!
//! Every socket directory has one binder (who may write there) and one kind of connector (who gets it read-only).
//! Inside a container the directories appear under [`inside`], the same in every installation.

use std::path::{Path, PathBuf};

use crate::{Generation, ProfileName};

/// The roots of an installation on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `platform.toml`, `bots/`, `secrets/`.
    pub config: PathBuf,
    /// `supervisor.db`, `backups/`, `release.json`, `seccomp/`.
    pub state: PathBuf,
    /// `supervisor.sock` and `run/`.
    pub runtime: PathBuf,
}

impl Roots {
    /// `/etc/bot-platform`, `/var/lib/bot-platform`, `/run/bot-platform`.
    pub fn system() -> Self {
        Self {
            config: "/etc/bot-platform".into(),
            state: "/var/lib/bot-platform".into(),
            runtime: "/run/bot-platform".into(),
        }
    }

    /// Everything under one directory: `etc/`, `lib/`, `run/`.
    pub fn under(root: &Path) -> Self {
        Self { config: root.join("etc"), state: root.join("lib"), runtime: root.join("run") }
    }

    /// How `botctl` is typed for this installation; `None`: just so, because it is the system's own.
    pub fn botctl(&self) -> Option<String> {
        let root = self.runtime.parent().filter(|_| self.runtime != Self::system().runtime)?;
        Some(format!("{} --root {}", self.state.join("bin/botctl").display(), root.display()))
    }

    pub fn platform_toml(&self) -> PathBuf {
        self.config.join("platform.toml")
    }

    pub fn bots(&self) -> PathBuf {
        self.config.join("bots")
    }

    /// Certificates of upstreams, `<name>.pem`.
    pub fn certificates(&self) -> PathBuf {
        self.config.join("certs")
    }

    pub fn secrets(&self) -> PathBuf {
        self.config.join("secrets")
    }

    pub fn ledger(&self) -> PathBuf {
        self.state.join("supervisor.db")
    }

    pub fn backups(&self) -> PathBuf {
        self.state.join("backups")
    }

    /// Written by `deploy/up` after it built the images: role to image id. See `docs/reference/files.md`.
    pub fn release(&self) -> PathBuf {
        self.state.join("release.json")
    }

    /// The AF_UNIX-only profile for agents.
    pub fn agent_seccomp(&self) -> PathBuf {
        self.state.join("seccomp/agent.json")
    }

    /// The admin socket that `botctl` talks to; mode 0660, group `bot-admin`.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.runtime.join("supervisor.sock")
    }

    /// Held with an exclusive lock by the one supervisor.
    pub fn lock(&self) -> PathBuf {
        self.runtime.join("supervisor.lock")
    }

    /// Root 0700; below it one small tmpfs a directory.
    pub fn run(&self) -> PathBuf {
        self.runtime.join("run")
    }

    pub fn run_dir(&self, dir: &RunDir) -> PathBuf {
        self.run().join(dir.relative())
    }

    /// The agent's admin socket, as the supervisor connects to it.
    pub fn agent_admin(&self, profile: &ProfileName, generation: Generation) -> PathBuf {
        self.run_dir(&RunDir::AgentAdmin(profile.clone())).join(socket_file(generation))
    }

    pub fn gate_admin(&self, profile: &ProfileName) -> PathBuf {
        self.run_dir(&RunDir::GateAdmin(profile.clone())).join("gate.sock")
    }

    /// What `tailscale serve` forwards to.
    pub fn tailnet(&self, profile: &ProfileName) -> PathBuf {
        self.run_dir(&RunDir::Tailnet(profile.clone())).join(TAILNET_SOCKET)
    }

    pub fn spark_admin(&self) -> PathBuf {
        self.run_dir(&RunDir::SparkAdmin).join("spark.sock")
    }

    pub fn backup_admin(&self) -> PathBuf {
        self.run_dir(&RunDir::BackupAdmin).join("backup.sock")
    }
}

/// One directory under `run/`, each on its own tmpfs ([`RunDir::SparkProfile`] is a plain directory inside [`RunDir::Spark`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunDir {
    /// Bound by the agent, connected by the gate.
    AgentHttp(ProfileName),
    /// Bound by the agent, connected by the supervisor.
    AgentAdmin(ProfileName),
    /// Bound by the gate, connected by the agent.
    Egress(ProfileName),
    /// Bound by the gate, connected by the supervisor.
    GateAdmin(ProfileName),
    /// Bound by the gate, connected by tailscaled, which is root.
    Tailnet(ProfileName),
    /// Holds one directory a profile; mounted whole into spark.
    Spark,
    /// Bound by spark, connected by one profile's agent.
    SparkProfile(ProfileName),
    /// Bound by spark, connected by the supervisor.
    SparkAdmin,
    /// Bound by backup, connected by the supervisor.
    BackupAdmin,
    /// The secrets of spark, one file each, 0400 of spark's uid.
    SparkSecrets,
    /// The repository keys for backup, one file each, 0400 of backup's uid.
    BackupSecrets,
    /// The secrets of a profile's upstreams, one file each, 0400 of its gate's uid.
    GateSecrets(ProfileName),
}

impl RunDir {
    /// Relative to `run/`.
    pub fn relative(&self) -> PathBuf {
        match self {
            Self::AgentHttp(profile) => Path::new(profile.as_str()).join("http"),
            Self::AgentAdmin(profile) => Path::new(profile.as_str()).join("agent-admin"),
            Self::Egress(profile) => Path::new(profile.as_str()).join("egress"),
            Self::GateAdmin(profile) => Path::new(profile.as_str()).join("gate-admin"),
            Self::Tailnet(profile) => Path::new(profile.as_str()).join("tailnet"),
            Self::Spark => "spark".into(),
            Self::SparkProfile(profile) => Path::new("spark").join(profile.as_str()),
            Self::SparkAdmin => "spark-admin".into(),
            Self::BackupAdmin => "backup-admin".into(),
            Self::SparkSecrets => "spark-secrets".into(),
            Self::BackupSecrets => "backup-secrets".into(),
            Self::GateSecrets(profile) => Path::new(profile.as_str()).join("gate-secrets"),
        }
    }
}

/// Name of an agent's socket file: the generation is part of it.
pub fn socket_file(generation: Generation) -> String {
    format!("{generation}.sock")
}

/// The gate's socket for `tailscale serve`, in [`RunDir::Tailnet`].
pub const TAILNET_SOCKET: &str = "gate.sock";

/// A root-owned file in every mount: what it holds proves that the mount is there.
pub const CANARY_FILE: &str = ".canary";

/// Paths inside containers.
pub mod inside {
    /// Volume of an agent, gate or spark.
    pub const STATE: &str = "/state";
    /// Agent: the live database and workspace.
    pub const CURRENT: &str = "/state/current";
    /// Agent: consistent copies on their way into a snapshot.
    pub const STAGING: &str = "/state/staging";
    /// Agent binds, gate connects.
    pub const HTTP: &str = "/run/bot/http";
    /// Every role: its own admin socket.
    pub const ADMIN: &str = "/run/bot/admin";
    /// Gate binds, tailscaled connects.
    pub const TAILNET: &str = "/run/bot/tailnet";
    /// Gate binds, agent connects.
    pub const EGRESS: &str = "/run/bot/egress";
    /// Agent: the directory with `llm.sock`.
    pub const LLM: &str = "/run/bot/llm";
    /// Agent: `<bot>/<folder>`, the host's folders that a bot may read, read-only.
    pub const DOCUMENTS: &str = "/documents";
    /// Spark: one directory a profile, each to hold `llm.sock`.
    pub const SPARK: &str = "/run/bot/spark";
    /// Spark, backup, gate: secrets, one file each.
    pub const SECRETS: &str = "/run/secrets";
    /// Backup sidecar: `<profile>/` each a repository. Snapshot and restore tasks: one repository.
    pub const REPOSITORIES: &str = "/repositories";
    /// Restore task that writes to a folder of the host.
    pub const TARGET: &str = "/target";

    pub const EGRESS_SOCKET: &str = "/run/bot/egress/egress.sock";
    pub const GATE_ADMIN_SOCKET: &str = "/run/bot/admin/gate.sock";
    pub const SPARK_ADMIN_SOCKET: &str = "/run/bot/admin/spark.sock";
    pub const BACKUP_ADMIN_SOCKET: &str = "/run/bot/admin/backup.sock";
    pub const LLM_SOCKET: &str = "/run/bot/llm/llm.sock";
}

/// Environment that the supervisor sets; part of the contract of an agent image.
pub mod env {
    pub const PROFILE: &str = "BOT_PROFILE";
    pub const GENERATION: &str = "BOT_GENERATION";
    pub const HTTP_SOCKET: &str = "BOT_HTTP_SOCKET";
    pub const ADMIN_SOCKET: &str = "BOT_ADMIN_SOCKET";
    /// Gate: address and port that it listens on inside its container.
    pub const LISTEN: &str = "BOT_LISTEN";
    /// Log filter, `info` unless set.
    pub const LOG: &str = "BOT_LOG";
}
