//! `[backup]`.

use platform_types::schedule::{Expression, Interval};

use super::Context;
use crate::config::{Backup, Keep};
use crate::path::KeyPath;
use crate::raw::{RawBackup, RawKeep};

const NO_DRILL: &str =
    "Nothing is restored on trial by itself: do it with `botctl backup restore PROFILE latest --to DIR`.";
const AGE: &str = "Write a number of s, m, h or d, for example stale_after = \"36h\".";

pub(super) fn backup(raw: RawBackup, context: &mut Context<'_>) -> Backup {
    let RawBackup { schedule, stale_after, keep, drill, paths, repository, copied_off_host } = raw;
    let path = KeyPath::of(["backup"]);
    let schedule = schedule.and_then(|text| cron(&text, &path.key("schedule"), context));
    let stale_after = stale_after.and_then(|text| context.parsed(Interval::new(&text), &path.key("stale_after"), AGE));
    let keep = keep.and_then(|raw| kept(&raw, &path.key("keep"), context));
    let drill_key = path.key("drill");
    let drill = drill.and_then(|text| cron(&text, &drill_key, context));
    if drill.is_some() {
        context.report.not_in_force(&drill_key, NO_DRILL);
    }
    let paths_key = path.key("paths");
    let paths = context.each(paths, &paths_key, Context::host_path);
    if !paths.is_empty() {
        let remedy = "The paths are in no snapshot: back them up by other means until they are.";
        context.report.not_in_force(&paths_key, remedy);
    }
    let repository = repository.and_then(|text| folder(&text, &path.key("repository"), context));
    let copied_off_host = copied_off_host.unwrap_or(false);
    Backup { schedule, stale_after, keep, drill, paths, repository, copied_off_host }
}

fn cron(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<Expression> {
    let remedy = "Write minute, hour, day of the month, month and day of the week, for example \"0 3 * * *\" for 3:00 every night.";
    context.parsed(Expression::new(text), path, remedy)
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
