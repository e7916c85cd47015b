//! `botctl backup`.

use platform_types::backup::Checked;

use super::asking::{confirmed, somebody_or};
use super::{Call, waiting};
use crate::api::wire::Empty;
use crate::api::wire::backups::{CheckRequest, RestoreRequest, Snapshots};
use crate::cli::args::Backup;
use crate::cli::failure::{Failure, OTHER};
use crate::cli::show;

pub async fn backup(call: &Call, backup: Backup) -> Result<(), Failure> {
    match backup {
        Backup::List { profile } => {
            call.get::<Snapshots>(&format!("/profiles/{profile}/snapshots"), show::backups::list).await
        }
        Backup::Now { profile } => {
            let target = format!("/profiles/{profile}/snapshots");
            let mut progress = waiting::Progress::new();
            let taken = call.supervisor.operate(&target, &Empty {}, |message| progress.say(message)).await;
            progress.end();
            call.show(&taken?, show::backups::taken)
        }
        Backup::Check { profile, read_data } => {
            let target = format!("/profiles/{profile}/check");
            let mut progress = waiting::Progress::new();
            let request = CheckRequest { all_data: read_data };
            let checked =
                call.supervisor.operate::<_, Checked>(&target, &request, |message| progress.say(message)).await;
            progress.end();
            let checked = checked?;
            let is_sound = checked.problems.is_empty();
            call.show(&checked, show::backups::checked)?;
            // The words were said.
            if is_sound { Ok(()) } else { Err(Failure::silent(OTHER)) }
        }
        Backup::Restore { profile, snapshot, to, yes } => {
            if to.is_none() && !yes {
                somebody_or(yes, "look at it with --to DIR, then add --yes to replace the profile's state")?;
                if !confirmed(&format!("replace all that {profile} has by snapshot {snapshot}?"))? {
                    return Err(Failure::other("nothing was restored"));
                }
            }
            let to = to.map(|to| std::path::absolute(&to).unwrap_or(to).display().to_string());
            let request = RestoreRequest { snapshot, to: to.clone() };
            let target = format!("/profiles/{profile}/restore");
            let mut progress = waiting::Progress::new();
            let restored = call.supervisor.operate(&target, &request, |message| progress.say(message)).await;
            progress.end();
            call.show(&restored?, |screen, restored| show::backups::restored(screen, restored, to.as_deref()))
        }
    }
}
