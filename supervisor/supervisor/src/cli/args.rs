//! Commands and their options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use platform_types::gate::Scope as WireScope;
use platform_types::{BotName, ModelId, ProfileName, SecretName};

use super::cron::Cron;
use super::dm::Dm;
use crate::api::wire::audit::MAX_LINES;
use crate::api::wire::journal::MAX_EVENTS;

/// Looks after bots: what runs, who may chat, what is kept.
#[derive(Debug, Parser)]
#[command(
    name = "botctl",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 2 usage, 64 configuration, 69 supervisor unreachable, 1 anything else.\n\
                  Example: ssh vm102 botctl status"
)]
pub struct Botctl {
    /// The installation under DIR instead of /etc, /var/lib and /run (or set `BOT_ROOT`)
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Print JSON, with a schema name
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What runs, and why it is not better
    #[command(after_help = "Example: botctl status")]
    Status,
    /// Each probe, and what it answered
    #[command(after_help = "Example: botctl health --wait 60")]
    Health {
        /// Wait until everything that runs here is well, for so many seconds at most; then fail
        #[arg(long, value_name = "SECONDS")]
        wait: Option<u64>,
    },
    /// What containers wrote
    #[command(after_help = "Example: botctl logs personal/agent -f")]
    Logs(Logs),
    /// What the supervisor did, and why
    #[command(after_help = "Example: botctl events -f")]
    Events {
        /// Go on with what happens from now on
        #[arg(short, long)]
        follow: bool,
        /// How many of the newest to begin with, up to 1000
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50,
              value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_EVENTS)))]
        lines: u32,
    },
    /// What the supervisor would do, and what a change of the files means
    #[command(after_help = "Example: botctl plan")]
    Plan,
    /// Make the files on the disk the desired state, now
    #[command(after_help = "Example: botctl apply --retry")]
    Apply {
        /// Forget failures and quarantines: try everything again
        #[arg(long)]
        retry: bool,
        /// Say nothing unless it fails
        #[arg(short, long)]
        quiet: bool,
    },
    /// A one-time setup link for a browser, valid for 15 minutes
    #[command(after_help = "Example: botctl open personal")]
    Open {
        /// Which profile
        profile: ProfileName,
        /// What the device may do; default: everything for the first device, else chat
        #[arg(long = "scope", value_enum, value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// Draw the QR code even when the output is not a terminal
        #[arg(long)]
        qr: bool,
    },
    /// Browsers that may chat
    #[command(subcommand, after_help = "Example: botctl device list personal")]
    Device(Device),
    /// Who may write to a bot through a channel
    #[command(subcommand, after_help = "Example: botctl dm list personal")]
    Dm(Dm),
    /// Bearer tokens of scripts
    #[command(subcommand, after_help = "Example: botctl token create personal laptop-script")]
    Token(Token),
    /// What was said
    #[command(subcommand, after_help = "Example: botctl session list personal")]
    Session(Session),
    /// What bots do by the clock
    #[command(subcommand, after_help = "Example: botctl cron list personal")]
    Cron(Cron),
    /// What bots remember from chat to chat
    #[command(subcommand, after_help = "Example: botctl memory list personal")]
    Memory(Memory),
    /// What waits for a person
    #[command(subcommand, after_help = "Example: botctl approval list")]
    Approval(Approval),
    /// What was done, by whom: three chains as one timeline
    #[command(after_help = "Example: botctl audit personal --verify")]
    Audit {
        /// Which profile
        profile: ProfileName,
        /// How many of the newest entries, up to 1000
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50,
              value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_LINES)))]
        lines: u32,
        /// Read every chain whole, compare it with the heads that others keep, and exit 1 when one is broken
        #[arg(long)]
        verify: bool,
    },
    /// The model box
    #[command(subcommand, after_help = "Example: botctl spark health")]
    Spark(Spark),
    /// Snapshots of a profile
    #[command(subcommand, after_help = "Example: botctl backup now personal")]
    Backup(Backup),
    /// Secrets in files of root
    #[command(subcommand, after_help = "Example: botctl secret set spark-key < key.txt")]
    Secret(Secret),
    /// platform.toml
    #[command(subcommand, after_help = "Example: botctl config check")]
    Config(Config),
    /// Look for what is wrong, each with a remedy
    #[command(after_help = "Example: botctl doctor --security")]
    Doctor {
        /// Also hold the running system against its promises, from outside and from inside; takes some seconds
        #[arg(long)]
        security: bool,
        /// Show every check with all of its details
        #[arg(short, long)]
        verbose: bool,
    },
    /// The topology for other tools
    #[command(subcommand, after_help = "Example: botctl export compose > compose.yaml")]
    Export(Export),
}

#[derive(Debug, Args)]
pub struct Logs {
    /// A container (personal/agent, spark) or a profile; left out: everybody
    pub who: Option<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the last lines of each container
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    pub lines: u32,
}

#[derive(Debug, Subcommand)]
pub enum Device {
    /// Devices, and requests that wait
    #[command(after_help = "Example: botctl device list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Let a device in that shows this code
    #[command(after_help = "Example: botctl device approve personal 1a2b-3c4d")]
    Approve {
        /// Which profile
        profile: ProfileName,
        /// The code that the browser shows, or a longer beginning of the device's id
        code: String,
        /// What it may do besides chat
        #[arg(long = "scope", value_enum, value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<Scope>,
    },
    /// Change what a device may do
    #[command(after_help = "Example: botctl device scope personal 1a2b-3c4d --set chat,approve")]
    Scope {
        /// Which profile
        profile: ProfileName,
        /// The code of the device as botctl device list shows it, or a longer beginning of its id
        code: String,
        /// All that it may do from now on; chat is always among it
        #[arg(long = "set", value_enum, value_name = "SCOPES", value_delimiter = ',', required = true)]
        scopes: Vec<Scope>,
    },
    /// Give a device another name
    #[command(after_help = "Example: botctl device rename personal 1a2b-3c4d kitchen")]
    Rename {
        /// Which profile
        profile: ProfileName,
        /// The code of the device as botctl device list shows it, or a longer beginning of its id
        code: String,
        /// 1 to 48 printable characters
        name: String,
    },
    /// Turn a waiting device away
    #[command(after_help = "Example: botctl device refuse personal 1a2b-3c4d")]
    Refuse {
        /// Which profile
        profile: ProfileName,
        /// The code of the device as botctl device list shows it, or a longer beginning of its id
        code: String,
    },
    /// Take a device's access away, at once
    #[command(after_help = "Example: botctl device revoke personal 1a2b-3c4d")]
    Revoke {
        /// Which profile
        profile: ProfileName,
        /// The code of the device as botctl device list shows it, or a longer beginning of its id
        code: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Approval {
    /// What waits, and what was decided lately
    #[command(after_help = "Example: botctl approval list personal")]
    List {
        /// Which profile; left out: all
        profile: Option<ProfileName>,
    },
    /// Show one, and allow it, this once
    #[command(after_help = "Example: botctl approval allow personal 0123abcd")]
    Allow(OneApproval),
    /// Show one, and deny it
    #[command(after_help = "Example: botctl approval deny personal 0123abcd --yes")]
    Deny(OneApproval),
}

#[derive(Debug, Args)]
pub struct OneApproval {
    /// Which profile
    pub profile: ProfileName,
    /// Its id, or an unambiguous beginning of it
    pub id: String,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; it is shown once
    #[command(after_help = "Example: botctl token create personal laptop-script")]
    Create {
        /// Which profile
        profile: ProfileName,
        /// What to call it: 1 to 48 printable characters
        name: String,
    },
    /// Tokens by name
    #[command(after_help = "Example: botctl token list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Make a token useless, at once
    #[command(after_help = "Example: botctl token revoke personal laptop-script")]
    Revoke {
        /// Which profile
        profile: ProfileName,
        /// Its name, as botctl token list shows it
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Session {
    /// Sessions, the latest first
    #[command(after_help = "Example: botctl session list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// What was said in one
    #[command(after_help = "Example: botctl session show personal 0123abcd")]
    Show {
        /// Which profile
        profile: ProfileName,
        /// Its id, or an unambiguous beginning of it
        session: String,
    },
    /// One session as a file on standard output
    #[command(after_help = "Example: botctl session export personal 0123abcd > session.md")]
    Export {
        /// Which profile
        profile: ProfileName,
        /// Its id, or an unambiguous beginning of it
        session: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Memory {
    /// What each bot remembers, and what of it goes into its prompts
    #[command(after_help = "Example: botctl memory list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Have a bot forget a fact
    #[command(after_help = "Example: botctl memory forget personal learning 0123abcd")]
    Forget {
        /// Which profile
        profile: ProfileName,
        /// Which bot; a fact of all bots is forgotten by all
        bot: BotName,
        /// The fact's id, or an unambiguous beginning of it
        fact: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Spark {
    /// Model ids, byte for byte as the box lists them
    #[command(after_help = "Example: botctl spark models")]
    Models,
    /// Reachable, answering, model listed: three facts, freshly asked
    #[command(after_help = "Example: botctl spark health")]
    Health,
    /// What each bot has used: requests and tokens
    #[command(after_help = "Example: botctl spark usage")]
    Usage,
    /// Switch the box to another model, after a look at what that means; without a model, how switching stands
    #[command(after_help = "Example: botctl spark switch openai/gpt-oss-120b")]
    Switch {
        /// One of [spark.switch].models, byte for byte
        model: Option<ModelId>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Take a snapshot; the agent goes on working
    #[command(after_help = "Example: botctl backup now personal")]
    Now {
        /// Which profile
        profile: ProfileName,
    },
    /// Snapshots, the newest first
    #[command(after_help = "Example: botctl backup list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Is the repository whole?
    #[command(after_help = "Example: botctl backup check personal --read-data")]
    Check {
        /// Which profile
        profile: ProfileName,
        /// Read every byte, not only what names what
        #[arg(long)]
        read_data: bool,
    },
    /// Put a snapshot back into the profile, or into a folder
    #[command(after_help = "Example: botctl backup restore personal latest --to /root/personal-copy")]
    Restore {
        /// Which profile
        profile: ProfileName,
        /// At least six characters of its id, as botctl backup list shows it; or `latest`: the newest complete one that was not taken before a restore
        snapshot: String,
        /// An empty or missing folder of the host (root only); left out: into the profile
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Do not ask before the profile's state is replaced
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Store a secret, read from standard input
    #[command(after_help = "Example: botctl secret set spark-key < key.txt")]
    Set {
        /// Its name, as platform.toml uses it: { secret = "NAME" }
        name: SecretName,
    },
    /// Replace a secret that is there, read from standard input, and say who has the new one
    #[command(after_help = "Example: botctl secret rotate spark-key < new-key.txt")]
    Rotate {
        /// Its name, as botctl secret list shows it
        name: SecretName,
    },
    /// Names, never contents
    #[command(after_help = "Example: botctl secret list")]
    List,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Every error and warning, with line and remedy
    #[command(after_help = "Example: botctl config check")]
    Check,
    /// The file with every default filled in
    #[command(after_help = "Example: botctl config show")]
    Show,
    /// The JSON Schema of the file
    #[command(after_help = "Example: botctl config schema > platform.schema.json")]
    Schema,
    /// What the files would change, and which shipped instructions yours override
    #[command(after_help = "Example: botctl config diff")]
    Diff,
}

#[derive(Debug, Subcommand)]
pub enum Export {
    /// A compose file of the same containers
    #[command(after_help = "Example: botctl export compose > compose.yaml")]
    Compose,
}

/// What a device may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    Chat,
    Approve,
    Admin,
}

impl From<Scope> for WireScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Chat => Self::Chat,
            Scope::Approve => Self::Approve,
            Scope::Admin => Self::Admin,
        }
    }
}

#[cfg(test)]
mod tests;
