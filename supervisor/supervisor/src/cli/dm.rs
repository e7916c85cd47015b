//! `botctl dm`: who may write to a bot through a channel.

use clap::{Args, Subcommand};
use platform_types::channel::ChatId;
use platform_types::{ProfileName, UpstreamName};

use super::failure::Failure;
use super::run::Call;
use super::show::senders as show;
use crate::api::wire::senders as wire;

#[derive(Debug, Subcommand)]
pub enum Dm {
    /// Senders who were decided about, and those who wait
    #[command(after_help = "Example: botctl dm list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Let the sender in who shows you this code
    #[command(after_help = "Example: botctl dm approve personal K7QX-M2PD")]
    Approve {
        /// Which profile
        profile: ProfileName,
        /// The code that the sender got, with or without the hyphen
        code: String,
    },
    /// Silence a sender, known or not, at once
    #[command(after_help = "Example: botctl dm block personal chat 123456789")]
    Block(OneSender),
    /// Make a sender unknown again; he may ask for a code
    #[command(after_help = "Example: botctl dm forget personal chat 123456789")]
    Forget(OneSender),
}

#[derive(Debug, Args)]
pub struct OneSender {
    /// Which profile
    pub profile: ProfileName,
    /// The channel, as in platform.toml
    pub channel: UpstreamName,
    /// The sender's id, as botctl dm list shows it
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub id: i64,
}

/// Does what was asked.
pub(super) async fn run(call: &Call, dm: Dm) -> Result<(), Failure> {
    let route = |profile: &ProfileName, verb: &str| format!("/profiles/{profile}/senders/{verb}");
    let named = |channel, id| wire::SenderName { channel, id: ChatId(id) };
    match dm {
        Dm::List { profile } => call.get(&format!("/profiles/{profile}/senders"), show::senders).await,
        Dm::Approve { profile, code } => {
            call.post(&route(&profile, "approve"), &wire::SenderCode { code }, show::approved).await
        }
        Dm::Block(OneSender { profile, channel, id }) => {
            call.post(&route(&profile, "block"), &named(channel, id), show::blocked).await
        }
        Dm::Forget(OneSender { profile, channel, id }) => {
            call.post(&route(&profile, "forget"), &named(channel, id), show::forgotten).await
        }
    }
}
