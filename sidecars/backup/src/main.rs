//! `bot-backup`: the sidecar, and the short-lived tasks that snapshot and restore one profile.
//!
//! ```text
//! sidecar:  bot-backup                    serves the admin socket; lists repositories through a child process
//! task:     bot-backup snapshot …         /state/staging/<id> → repository
//! task:     bot-backup check …            is the repository whole?
//! task:     bot-backup prune …            forgets and removes what need not be kept
//! task:     bot-backup restore …          repository → a new folder, verified against the manifest
//! task:     bot-backup swap …             the restored folder and `current` change places
//! ```
//!
//! A task prints JSON lines ([`platform_types::backup::TaskLine`]) and exits 0 only when its last line is `done`.

mod check;
mod database;
mod files;
mod lister;
mod manifest;
mod prune;
mod repository;
mod restore;
mod retention;
mod serve;
mod snapshot;
mod swap;
mod task;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use platform_types::ProfileName;
use platform_types::layout::inside;

#[derive(Debug, Parser)]
#[command(version, about = "Snapshots in restic's format")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the admin socket (the default)
    Serve,
    /// Ask the sidecar's own admin socket whether it is alive
    Healthcheck,
    /// Print a profile's snapshots as one JSON object
    List(RepositoryArguments),
    /// Put a staged copy into the repository
    Snapshot {
        #[command(flatten)]
        repository: RepositoryArguments,
        /// The copy that the agent staged
        #[arg(long)]
        source: PathBuf,
        /// Why: manual, before-restore, scheduled
        #[arg(long)]
        reason: String,
    },
    /// Look the repository over
    Check {
        #[command(flatten)]
        repository: RepositoryArguments,
        /// Read every byte
        #[arg(long)]
        read_data: bool,
    },
    /// Forget snapshots that need not be kept, and remove what nobody needs any more
    Prune {
        #[command(flatten)]
        repository: RepositoryArguments,
        #[command(flatten)]
        keep: retention::Keep,
        /// Whose days, weeks and months
        #[arg(long)]
        zone: String,
    },
    /// Restore a snapshot into a new folder and verify every file
    Restore {
        #[command(flatten)]
        repository: RepositoryArguments,
        /// A snapshot id, its beginning, or "latest"
        #[arg(long)]
        snapshot: String,
        /// A folder that does not exist yet, or is empty
        #[arg(long)]
        into: PathBuf,
    },
    /// Let a restored folder and `current` change places
    Swap {
        /// The state volume
        #[arg(long)]
        state: PathBuf,
        /// Name of the restored folder in it
        #[arg(long)]
        restored: String,
    },
}

/// Which repository, and whose.
#[derive(Debug, Clone, clap::Args)]
pub struct RepositoryArguments {
    #[arg(long)]
    pub profile: ProfileName,
    #[arg(long)]
    pub repository: PathBuf,
    #[arg(long)]
    pub key_file: PathBuf,
}

fn main() -> ExitCode {
    match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(),
        Command::Healthcheck => serve::healthcheck(Path::new(inside::BACKUP_ADMIN_SOCKET)),
        Command::List(repository) => lister::print(&repository),
        Command::Snapshot { repository, source, reason } => task::run(|| snapshot::take(&repository, &source, &reason)),
        Command::Check { repository, read_data } => task::run(|| check::check(&repository, read_data)),
        Command::Prune { repository, keep, zone } => task::run(|| prune::prune(&repository, keep, &zone)),
        Command::Restore { repository, snapshot, into } => {
            task::run(|| restore::restore(&repository, &snapshot, &into))
        }
        Command::Swap { state, restored } => task::run(|| swap::swap(&state, &restored)),
    }
}
