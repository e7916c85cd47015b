use platform_types::schedule::Interval;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn written(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap().to_string()
}

fn schedule(text: &str, zone: &str) -> Timetable {
    Timetable::new(When::Schedule(Expression::new(text).unwrap()), zone).unwrap()
}

/// The next due times after `from`.
fn due(timetable: &Timetable, from: &str, count: usize) -> Vec<String> {
    let next = |at: &Timestamp| timetable.after(*at);
    std::iter::successors(timetable.after(at(from)), next).take(count).map(written).collect()
}

#[test]
fn times_of_day() {
    let check = |text: &str, zone: &str, from: &str, expect: &[&str]| {
        assert_eq!(due(&schedule(text, zone), from, expect.len()), expect, "{text} in {zone}");
    };
    check("0 20 * * *", "Europe/Berlin", "2026-11-23T06:00:00Z", &["2026-11-23T19:00:00Z", "2026-11-24T19:00:00Z"]);
    check("0 20 * * *", "UTC", "2026-11-23T20:00:00Z", &["2026-11-24T20:00:00Z"]);
    check("0 20 * * *", "UTC", "2026-11-23T19:59:59.999Z", &["2026-11-23T20:00:00Z"]);
    check("*/15 8 * * 1-5", "UTC", "2026-11-20T08:40:00Z", &["2026-11-20T08:45:00Z", "2026-11-23T08:00:00Z"]);
    check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    check("0 0 29 2 */7", "UTC", "2073-01-01T00:00:00Z", &["2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z"]);
    check("0 12 13 * fri", "UTC", "2026-11-12T00:00:00Z", &["2026-11-13T12:00:00Z", "2026-11-20T12:00:00Z"]);
    // In the south it is summer then.
    check("30 6 * * *", "Pacific/Auckland", "2026-11-23T06:00:00Z", &["2026-11-23T17:30:00Z"]);
}

#[test]
fn a_time_that_does_not_exist_runs_once_at_the_change() {
    // 29 March 2026, 01:00 UTC: two o'clock is three.
    let daily = schedule("30 2 * * *", "Europe/Berlin");
    let expect = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(due(&daily, "2026-03-28T00:00:00Z", 3), expect);
    let several = schedule("0,20,40 2 * * *", "Europe/Berlin");
    assert_eq!(due(&several, "2026-03-29T00:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
    // Three o'clock exists, and is the same moment.
    let both = schedule("30 2,3 * * *", "Europe/Berlin");
    assert_eq!(due(&both, "2026-03-29T00:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]);
    let same = schedule("0 2-3 * * *", "Europe/Berlin");
    assert_eq!(due(&same, "2026-03-29T00:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
    // Half an hour, in the south; a whole day that never was.
    let half = schedule("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(due(&half, "2026-10-03T00:00:00Z", 1), ["2026-10-03T15:30:00Z"]);
    let day = schedule("0 12 * * *", "Pacific/Apia");
    let expect = ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"];
    assert_eq!(due(&day, "2011-12-29T12:00:00Z", 3), expect);
}

#[test]
fn a_time_that_exists_twice_runs_once() {
    // 25 October 2026, 01:00 UTC: three o'clock is two.
    let daily = schedule("30 2 * * *", "Europe/Berlin");
    let expect = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(due(&daily, "2026-10-24T00:00:00Z", 3), expect);
    // Midnight that comes twice: Lebanon puts its clocks back at 0:00.
    let midnight = schedule("30 23 * * *", "Asia/Beirut");
    let expect = ["2026-10-24T20:30:00Z", "2026-10-25T21:30:00Z"];
    assert_eq!(due(&midnight, "2026-10-24T00:00:00Z", 2), expect);
}

#[test]
fn every_hour_that_passes_has_its_minutes() {
    let hourly = schedule("30 * * * *", "Europe/Berlin");
    let spring = ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"];
    assert_eq!(due(&hourly, "2026-03-29T00:00:00Z", 3), spring);
    let autumn = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"];
    assert_eq!(due(&hourly, "2026-10-25T00:00:00Z", 3), autumn);
    let quarters = schedule("*/15 * * * *", "Europe/Berlin");
    let passed = quarters.passed(at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")).unwrap();
    assert_eq!(passed, Passed { last: at("2026-10-25T23:00:00Z"), count: 100 }, "a day of 25 hours");
}

#[test]
fn intervals_are_counted_from_the_beginning_of_1970() {
    let every = Timetable::new(When::EverySeconds(Interval::new("30m").unwrap()), "Europe/Berlin").unwrap();
    let expect = ["2026-11-23T06:30:00Z", "2026-11-23T07:00:00Z"];
    assert_eq!(due(&every, "2026-11-23T06:00:00Z", 2), expect);
    assert_eq!(due(&every, "2026-11-23T06:29:59.999Z", 2), expect);
    let passed = |from, to| every.passed(at(from), at(to));
    assert_eq!(passed("2026-11-23T06:00:00Z", "2026-11-23T06:29:59Z"), None);
    let expect = Passed { last: at("2026-11-23T08:00:00Z"), count: 4 };
    assert_eq!(passed("2026-11-23T06:00:00Z", "2026-11-23T08:00:00Z"), Some(expect));
    assert_eq!(passed("2026-11-23T08:00:00Z", "2026-11-23T06:00:00Z"), None, "the clock went back");
}

#[test]
fn what_passed_long_ago_is_not_counted_for_ever() {
    let minutes = schedule("* * * * *", "UTC");
    let passed = minutes.passed(at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(passed, Passed { last: at("2026-01-01T00:00:00Z"), count: 400 * 24 * 60 });
    let yearly = schedule("0 0 29 2 *", "UTC");
    assert_eq!(yearly.passed(at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), None);
}

#[test]
fn a_zone_that_nobody_knows() {
    let when = When::Schedule(Expression::new("0 0 * * *").unwrap());
    assert!(Timetable::new(when, "Mars/Olympus").is_none());
}
