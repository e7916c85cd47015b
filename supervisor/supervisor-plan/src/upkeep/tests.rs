use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn timetable(schedule: &str, zone: &str) -> Timetable {
    Timetable::new(schedule.parse().unwrap(), zone).unwrap()
}

fn nightly() -> Timetable {
    timetable("0 3 * * *", "Europe/Berlin")
}

#[test]
fn due_times_follow_the_time_zone() {
    let check = |schedule: &str, zone: &str, now: &str, last: &str, next: &str| {
        let timetable = timetable(schedule, zone);
        let found = (timetable.last(at(now)), timetable.next(at(now)));
        assert_eq!(found, (Some(at(last)), Some(at(next))), "{schedule} in {zone} at {now}");
    };
    check("0 3 * * *", "UTC", "2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z", "2026-11-24T03:00:00Z");
    check("0 3 * * *", "Europe/Berlin", "2026-11-23T01:59:59Z", "2026-11-22T02:00:00Z", "2026-11-23T02:00:00Z");
    check("30 2 * * *", "Europe/Berlin", "2027-03-28T12:00:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z");
    check("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    check("0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z");
    check("0 4 * * 0", "UTC", "2026-11-23T00:00:00Z", "2026-11-22T04:00:00Z", "2026-11-29T04:00:00Z");
    check("*/30 * * * *", "UTC", "2026-11-23T00:29:59Z", "2026-11-23T00:00:00Z", "2026-11-23T00:30:00Z");
    assert!(Timetable::new("0 3 * * *".parse().unwrap(), "Nowhere/Atall").is_none());
}

#[test]
fn what_was_missed_is_made_up_for_once() {
    let check = |newest: Option<&str>, now: &str, expect: Verdict| {
        assert_eq!(snapshot(&nightly(), newest.map(at), None, at(now)), expect, "{newest:?} {now}");
    };
    let due = |since: &str| Verdict::Due { since: at(since) };
    let rest = |until: &str| Verdict::Rest { until: Some(at(until)) };
    check(Some("2026-11-22T02:00:07Z"), "2026-11-23T01:59:59Z", rest("2026-11-23T02:00:00Z"));
    check(Some("2026-11-22T02:00:07Z"), "2026-11-23T02:00:00Z", due("2026-11-23T02:00:00Z"));
    // Down for ten nights: one is taken, for the last of them.
    check(Some("2026-11-12T02:00:07Z"), "2026-11-23T18:00:00Z", due("2026-11-23T02:00:00Z"));
    check(Some("2026-11-23T18:00:05Z"), "2026-11-23T18:00:06Z", rest("2026-11-24T02:00:00Z"));
    // The first of all is not waited for until night.
    check(None, "2026-11-23T18:00:00Z", due("2026-11-23T02:00:00Z"));
    // Taken by hand counts too.
    check(Some("2026-11-23T02:30:00Z"), "2026-11-23T18:00:00Z", rest("2026-11-24T02:00:00Z"));
    // The clock was a year ahead when it was taken.
    check(Some("2027-11-23T02:30:00Z"), "2026-11-23T18:00:00Z", due("2026-11-23T02:00:00Z"));
}

#[test]
fn a_failure_waits_longer_each_time_and_a_cut_does_not() {
    let now = at("2026-11-23T10:00:00Z");
    let rests = |failures: u32, cuts: u32| {
        let job = Job { began_at: now, ended_at: Some(now), failures, cuts, ..Job::default() };
        job.rests_until().map(|until| until.millis_since(now) / 1000)
    };
    let failed: Vec<_> = [0, 1, 2, 3, 7, 8, 1000].map(|failures| rests(failures, 0)).into();
    assert_eq!(failed, [None, Some(30), Some(60), Some(120), Some(1920), Some(3600), Some(3600)]);
    let cut: Vec<_> = [1, 2, 3, 4, 5].map(|cuts| rests(0, cuts)).into();
    assert_eq!(cut, [None, None, None, Some(30), Some(60)]);
    let job = Job { began_at: now, ended_at: Some(now), failures: 1, ..Job::default() };
    let verdict = |at: Timestamp| snapshot(&nightly(), None, Some(&job), at);
    assert_eq!(verdict(now.plus_millis(29_999)), Verdict::Rest { until: Some(now.plus_millis(30_000)) });
    assert_eq!(verdict(now.plus_millis(30_000)), Verdict::Due { since: at("2026-11-23T02:00:00Z") });
    // The clock was set back by a day.
    assert_eq!(verdict(now.plus_millis(-86_400_000)), Verdict::Due { since: at("2026-11-22T02:00:00Z") });
}

#[test]
fn when_the_newest_is_too_old() {
    let nightly = nightly();
    let check = |by: Option<&Timetable>, after_hours: Option<i64>, newest: Option<&str>, now: &str, expect: bool| {
        let after = after_hours.map(|hours| hours * 3_600_000);
        assert_eq!(is_stale(by, after, newest.map(at), at(now)), expect, "{newest:?} {now}");
    };
    let fresh = Some("2026-11-20T02:00:05Z");
    check(Some(&nightly), None, fresh, "2026-11-22T01:59:59Z", false);
    check(Some(&nightly), None, fresh, "2026-11-22T02:00:00Z", true);
    check(Some(&nightly), Some(36), fresh, "2026-11-21T14:00:04Z", false);
    check(Some(&nightly), Some(36), fresh, "2026-11-21T14:00:05Z", true);
    check(Some(&nightly), Some(72), fresh, "2026-11-22T14:00:00Z", false);
    check(None, None, fresh, "2026-11-27T02:00:04Z", false);
    check(None, None, fresh, "2026-11-27T02:00:05Z", true);
    check(None, None, None, "2026-11-08T11:59:59Z", true);
    // What was taken while the clock was a year ahead is not the newest.
    check(None, None, Some("2027-11-20T02:00:05Z"), "2026-11-09T00:00:00Z", true);
}

#[test]
fn old_ones_are_forgotten_after_each_new_one() {
    let newest = at("2026-11-23T02:00:05Z");
    let now = newest.plus_millis(1000);
    let done = |done_at: Timestamp| Job { done_at: Some(done_at), ..Job::default() };
    assert_eq!(prune(None, None, now), Verdict::Rest { until: None });
    assert_eq!(prune(Some(newest), None, now), Verdict::Due { since: newest });
    assert_eq!(prune(Some(newest), Some(&done(newest.plus_millis(-1))), now), Verdict::Due { since: newest });
    assert_eq!(prune(Some(newest), Some(&done(now)), now), Verdict::Rest { until: None });
}

/// A clock of the test turns through three months: every night has its snapshot, once, whatever is down meanwhile.
#[test]
fn three_months_with_outages_by_a_clock_of_the_test() {
    let nightly = nightly();
    let begin = at("2027-02-01T00:00:00Z");
    let mut now = begin;
    let end = at("2027-05-01T00:00:00Z");
    let mut newest: Option<Timestamp> = None;
    let mut job = Job::default();
    let (mut taken, mut tries) = (Vec::new(), 0_u32);
    while now < end {
        let hour = now.as_millis() / 3_600_000;
        // Down for 50 hours of every 300; what is tried in the first minutes after a due time fails on every fifth day.
        if hour % 300 < 50 {
            now = now.plus_millis(3_600_000);
            continue;
        }
        match snapshot(&nightly, newest, Some(&job), now) {
            Verdict::Due { since } => {
                tries += 1;
                job.began_at = now;
                job.ended_at = Some(now.plus_millis(9_000));
                let fails = (since.as_millis() / 86_400_000) % 5 == 0 && job.failures < 4;
                if fails {
                    job.failures += 1;
                } else {
                    job.failures = 0;
                    newest = Some(now);
                    taken.push(since);
                }
                now = now.plus_millis(10_000);
            }
            Verdict::Rest { until } => {
                let until = until.expect("a schedule has a next time");
                assert!(until > now, "no storm");
                now = until;
            }
        }
    }
    let mut distinct = taken.clone();
    distinct.dedup();
    assert_eq!(taken, distinct, "no due time has two");
    // Every due time after which anything was up before the next.
    let up = |at: Timestamp| (at.as_millis() / 3_600_000) % 300 >= 50 && at >= begin && at < end;
    let mut nights = Vec::new();
    let mut night = nightly.last(begin).unwrap();
    while night < end {
        if (0..24).any(|hour| up(night.plus_millis(hour * 3_600_000))) {
            nights.push(night);
        }
        night = nightly.next(night).unwrap();
    }
    assert!(nights.len() > 70);
    assert_eq!(taken, nights);
    assert!(u32::try_from(taken.len()).unwrap() < tries && tries < 200, "{tries} tries");
}
