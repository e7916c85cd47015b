use platform_types::ProfileName;

use super::*;

const KEEP: Keep = Keep { daily: 7, weekly: 4, monthly: 6 };

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn snapshot(at: Timestamp, reason: &str, complete: bool) -> Snapshot {
    Snapshot {
        id: format!("{:064x}", at.as_millis()),
        profile: ProfileName::new("personal").unwrap(),
        at,
        reason: reason.to_owned(),
        files: 3,
        bytes: 4 << 20,
        added_bytes: None,
        complete,
    }
}

fn nightly(count: i64) -> Vec<Snapshot> {
    let first = at("2026-01-01T02:00:00Z");
    (0..count).map(|night| snapshot(first.plus_millis(night * 86_400_000), "scheduled", true)).collect()
}

fn kept(snapshots: &[Snapshot], keep: Keep) -> Vec<String> {
    let now = snapshots.iter().map(|found| found.at).max().unwrap();
    let gone = forget(snapshots, keep, &TimeZone::UTC, now).unwrap();
    let kept = snapshots.iter().filter(|found| !gone.contains(&found.id));
    kept.map(|found| jiff::Timestamp::from_millisecond(found.at.as_millis()).unwrap().strftime("%m-%d").to_string())
        .collect()
}

#[test]
fn days_weeks_and_months_keep_their_newest() {
    // Until the 19th of July, a Sunday.
    let expect = [
        "02-28", "03-31", "04-30", "05-31", "06-28", "06-30", "07-05", "07-12", "07-13", "07-14", "07-15", "07-16",
        "07-17", "07-18", "07-19",
    ];
    assert_eq!(kept(&nightly(200), KEEP), expect);
    assert_eq!(kept(&nightly(3), KEEP), ["01-01", "01-02", "01-03"]);
    assert_eq!(kept(&nightly(30), Keep { daily: 0, weekly: 0, monthly: 1 }), ["01-30"]);
    let several: Vec<_> = ["2026-01-01T02:00:00Z", "2026-01-01T09:00:00Z", "2026-01-02T02:00:00Z"]
        .map(|time| snapshot(at(time), "manual", true))
        .into();
    assert_eq!(kept(&several, KEEP).len(), 2, "a day keeps its newest");
}

#[test]
fn days_are_those_of_the_time_zone() {
    let both = ["2026-01-01T22:30:00Z", "2026-01-01T23:30:00Z"].map(|time| snapshot(at(time), "scheduled", true));
    let gone = |zone: &str| forget(&both, KEEP, &TimeZone::get(zone).unwrap(), both[1].at).unwrap().len();
    assert_eq!((gone("UTC"), gone("Europe/Berlin")), (1, 0));
}

#[test]
fn the_newest_whole_one_stays_and_what_never_became_whole_goes() {
    let none = Keep { daily: 0, weekly: 0, monthly: 1 };
    let first = at("2026-01-01T02:00:00Z");
    let all = [
        snapshot(first, "scheduled", false),
        snapshot(first.plus_millis(1000), "scheduled", true),
        snapshot(first.plus_millis(2000), "scheduled", false),
    ];
    let gone = forget(&all, none, &TimeZone::UTC, all[2].at).unwrap();
    assert_eq!(gone, [all[0].id.clone()].into(), "the last may be the one that is being taken");
    assert_eq!(forget(&all[..1], none, &TimeZone::UTC, all[2].at), Ok(BTreeSet::new()), "without a whole one all stay");
}

#[test]
fn the_way_back_from_a_restore_stays_for_a_week() {
    let first = at("2026-01-05T02:00:00Z");
    let back = snapshot(first, "before-restore", true);
    let all = [back.clone(), snapshot(first.plus_millis(1000), "scheduled", true)];
    let one = Keep { daily: 1, weekly: 0, monthly: 0 };
    let gone = |now: Timestamp| forget(&all, one, &TimeZone::UTC, now).unwrap();
    assert_eq!(gone(first.plus_millis(WEEK_MILLIS - 1)), BTreeSet::new());
    assert_eq!(gone(first.plus_millis(WEEK_MILLIS)), [back.id].into());
}

#[test]
fn a_sharp_shrink_forgets_nothing_for_a_week() {
    let mut all = nightly(30);
    all[29].bytes = 2 << 20;
    let now = all[29].at;
    let shrunk = Shrunk { newest_bytes: 2 << 20, before_bytes: 4 << 20 };
    assert_eq!(forget(&all, KEEP, &TimeZone::UTC, now), Err(shrunk));
    all[29].bytes = 3 << 20;
    assert!(forget(&all, KEEP, &TimeZone::UTC, now).is_ok());
    // A week of small ones is the new normal.
    let mut later = nightly(38);
    later[29..].iter_mut().for_each(|found| found.bytes = 2 << 20);
    assert!(forget(&later, KEEP, &TimeZone::UTC, later[37].at).is_ok());
}
