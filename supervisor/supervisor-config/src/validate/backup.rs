//! `[backup]`.

use platform_types::schedule::Expression;

use super::Context;
use crate::config::{Backup, Keep};
use crate::path::KeyPath;
use crate::raw::{RawBackup, RawKeep};

const BY_HAND: &str =
    "Nothing runs by itself: take snapshots with `botctl backup now`, from a timer of the host if you like.";

pub(super) fn backup(raw: RawBackup, context: &mut Context<'_>) -> Backup {
    let RawBackup { schedule, keep, drill, paths, repository } = raw;
    let path = KeyPath::of(["backup"]);
    let schedule = schedule.and_then(|text| cron(&text, &path.key("schedule"), context));
    let keep = keep.and_then(|raw| kept(&raw, &path.key("keep"), context));
    let drill = drill.and_then(|text| cron(&text, &path.key("drill"), context));
    let paths_key = path.key("paths");
    let paths = context.each(paths, &paths_key, Context::host_path);
    if !paths.is_empty() {
        let remedy = "The paths are in no snapshot: back them up by other means until they are.";
        context.report.not_in_force(&paths_key, remedy);
    }
    let repository = repository.and_then(|text| folder(&text, &path.key("repository"), context));
    Backup { schedule, keep, drill, paths, repository }
}

fn cron(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<Expression> {
    let remedy = "Write minute, hour, day of the month, month and day of the week, for example \"0 3 * * *\" for 3:00 every night.";
    let cron = context.parsed(Expression::new(text), path, remedy)?;
    context.report.not_in_force(path, BY_HAND);
    Some(cron)
}

fn kept(raw: &RawKeep, path: &KeyPath, context: &mut Context<'_>) -> Option<Keep> {
    let RawKeep { daily, weekly, monthly } = raw;
    for (key, count) in [("daily", daily), ("weekly", weekly), ("monthly", monthly)] {
        if count.is_none() && context.report.document().contains(&path.key(key)) {
            return None;
        }
    }
    let keep = Keep { daily: daily.unwrap_or(0), weekly: weekly.unwrap_or(0), monthly: monthly.unwrap_or(0) };
    if keep == (Keep { daily: 0, weekly: 0, monthly: 0 }) {
        let remedy = "Write for example: keep = { daily = 7, weekly = 5, monthly = 12 }";
        context.report.error(path, "it keeps no snapshot at all", remedy);
        return None;
    }
    context.report.not_in_force(path, "Every snapshot is kept; watch the space on the disk.");
    Some(keep)
}

/// A folder of this host. Other places are refused, not ignored: somebody relies on where snapshots are.
fn folder(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    if text.starts_with('/') {
        return context.host_path(text, path);
    }
    let message = if text.starts_with("rest:") {
        "rest repositories are not supported in this release".to_owned()
    } else {
        format!("{text:?} is not a folder of this host")
    };
    context.report.error(path, message, "Write an absolute path, for example: repository = \"/srv/backups\"");
    None
}
