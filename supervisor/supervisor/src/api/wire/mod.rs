//! What the supervisor's socket says: bodies of requests and answers under `/v1`, shared with `botctl`.
//!
//! **Invariants.** Public interface: `botctl … --json` prints these values with a `schema` field. Fields are added, never
//! renamed or removed, within a version. Texts that come from containers are neutralised before they are put in here.
//!
//! | module | routes |
//! |---|---|
//! | [`status`] | `GET /v1/status`, `GET /v1/health` |
//! | [`planning`] | `GET /v1/plan`, `POST /v1/apply` |
//! | [`registry`] | `/v1/profiles/{p}/links`, `…/devices`, `…/tokens` |
//! | [`senders`] | `/v1/profiles/{p}/senders` |
//! | [`sessions`] | `/v1/profiles/{p}/sessions` |
//! | [`cron`] | `/v1/profiles/{p}/cron` |
//! | [`backups`] | `/v1/profiles/{p}/snapshots`, `…/restore` |
//! | [`journal`] | `GET /v1/events`, `GET /v1/logs` |
//! | [`approvals`] | `GET /v1/approvals`, `POST /v1/profiles/{p}/approvals/{id}` |
//! | [`audit`] | `GET /v1/profiles/{p}/audit` |
//! | [`switch`] | `/v1/spark/switch`, `/v1/spark/switches/{id}` |
//! | [`settings`] | `/v1/secrets`, `/v1/config/…`, `/v1/export/compose` |
//! | [`findings`] | `GET /v1/doctor` |

pub mod approvals;
pub mod audit;
pub mod backups;
pub mod cron;
pub mod findings;
pub mod journal;
pub mod memory;
pub mod planning;
pub mod registry;
pub mod senders;
pub mod sessions;
pub mod settings;
pub mod status;
pub mod switch;

use serde::{Deserialize, Serialize};

/// A value that `--json` prints under a schema name.
pub trait Document: Serialize {
    /// `bot-platform.<what>.v1`.
    const SCHEMA: &'static str;
}

/// One line of a long operation's answer: newline-delimited JSON, ended by `done` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
pub enum Line<T> {
    Progress { message: String },
    Done { result: T },
    Failed { code: String, message: String },
}

/// The answer to a request that has nothing more to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use platform_types::backup::{Restored, Snapshot};
    use platform_types::chat::Transcript;
    use platform_types::spark::{ModelList, SparkHealth};

    use super::*;

    fn name<T: Document>() -> &'static str {
        T::SCHEMA
    }

    #[test]
    fn schema_names_are_distinct_and_in_the_reference() {
        let names = [
            name::<status::Status>(),
            name::<status::Health>(),
            name::<SparkHealth>(),
            name::<ModelList>(),
            name::<platform_types::switch::SwitchStatus>(),
            name::<platform_types::switch::SwitchReport>(),
            name::<platform_types::egress::Card>(),
            name::<platform_types::meters::UsageReport>(),
            name::<planning::Plan>(),
            name::<planning::Applied>(),
            name::<registry::Link>(),
            name::<registry::Devices>(),
            name::<senders::Senders>(),
            name::<senders::SenderChanged>(),
            name::<registry::DeviceChanged>(),
            name::<registry::RequestRefused>(),
            name::<registry::Tokens>(),
            name::<registry::TokenCreated>(),
            name::<registry::TokenRevoked>(),
            name::<sessions::Sessions>(),
            name::<Transcript>(),
            name::<cron::Jobs>(),
            name::<cron::Runs>(),
            name::<cron::JobChanged>(),
            name::<backups::Snapshots>(),
            name::<Snapshot>(),
            name::<Restored>(),
            name::<journal::Event>(),
            name::<journal::LogLine>(),
            name::<settings::Secrets>(),
            name::<settings::SecretSet>(),
            name::<settings::ConfigCheck>(),
            name::<settings::ConfigText>(),
            name::<settings::ConfigDiff>(),
            name::<approvals::Approvals>(),
            name::<approvals::Decided>(),
            name::<audit::Trail>(),
            name::<findings::Checkup>(),
        ];
        let page = include_str!("../../../../../docs/reference/botctl.md");
        for name in names {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/reference/botctl.md");
            assert_eq!(names.iter().filter(|other| **other == name).count(), 1, "{name} is there twice");
        }
    }
}
