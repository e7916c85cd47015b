use super::*;

#[test]
fn shapes() {
    let check = |text: &str, expect: Result<&str, &str>| match (Expression::new(text), expect) {
        (Ok(expression), Ok(expect)) => assert_eq!(expression.as_str(), expect),
        (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect, "{text:?}"),
        (got, expect) => panic!("{text:?}: {got:?}, not {expect:?}"),
    };
    check("0 3 * * *", Ok("0 3 * * *"));
    check("  0  3 * *\t* ", Ok("0 3 * * *"));
    check("*/15 8-18/2 1,15 jan-MAR Mon-fri", Ok("*/15 8-18/2 1,15 jan-MAR Mon-fri"));
    check("0 5 * * 7", Ok("0 5 * * 7"));
    check("0 0 29 2 *", Ok("0 0 29 2 *"));
    check("0 0 31 2 mon", Ok("0 0 31 2 mon"));
    check("", Err("it has 0 fields, a schedule has five"));
    check("@daily", Err("it has 1 fields, a schedule has five"));
    check("0 3 * * * *", Err("it has 6 fields, a schedule has five"));
    check("60 3 * * *", Err("\"60\" is no minute, which goes from 0 to 59"));
    check("0 24 * * *", Err("\"24\" is no hour, which goes from 0 to 23"));
    check("0 3 0 * *", Err("\"0\" is no day of the month, which goes from 1 to 31"));
    check("0 3 * foo *", Err("\"foo\" is no month, which goes from 1 to 12"));
    check("0 3 * * 5-1", Err("\"5-1\" is no day of the week, which goes from 0 to 7"));
    check("*/0 3 * * *", Err("\"*/0\" is no minute, which goes from 0 to 59"));
    check("1, 3 * * *", Err("\"1,\" is no minute, which goes from 0 to 59"));
    check("+1 3 * * *", Err("\"+1\" is no minute, which goes from 0 to 59"));
    check("5/2 3 * * *", Err("\"5/2\" is no minute, which goes from 0 to 59"));
    check("0 0 30 2 *", Err("there is no such day in any year"));
    check("0 0 31 4,6 *", Err("there is no such day in any year"));
}

fn times(text: &str) -> Vec<(u8, u8)> {
    Expression::new(text).unwrap().times().collect()
}

#[test]
fn times_of_a_day() {
    assert_eq!(times("30 6 * * *"), [(6, 30)]);
    assert_eq!(times("*/20 6-8/2 * * *"), [(6, 0), (6, 20), (6, 40), (8, 0), (8, 20), (8, 40)]);
    assert_eq!(times("5,3 1 * * *"), [(1, 3), (1, 5)]);
    assert_eq!(times("* * * * *").len(), 1440);
    let hourly = |text: &str| Expression::new(text).unwrap().is_hourly();
    assert!(hourly("5 * * * *") && hourly("5 */1 * * *"));
    assert!(!hourly("5 */2 * * *") && !hourly("5 0-23 * * *"));
}

#[test]
fn days() {
    let fits = |text: &str, day, weekday| Expression::new(text).unwrap().fits_day(day, weekday);
    assert!(fits("0 0 * * *", 31, 6));
    assert!(fits("0 0 13 * *", 13, 2) && !fits("0 0 13 * *", 12, 2));
    assert!(fits("0 0 * * fri", 13, 5) && !fits("0 0 * * fri", 13, 4));
    // Either, as everywhere: the thirteenth, and each Friday.
    assert!(fits("0 0 13 * fri", 13, 2) && fits("0 0 13 * fri", 6, 5) && !fits("0 0 13 * fri", 6, 4));
    // A star with a step restricts, and is a star.
    assert!(fits("0 0 */2 * fri", 1, 5) && !fits("0 0 */2 * fri", 2, 5) && !fits("0 0 */2 * fri", 1, 4));
    assert!(fits("0 0 * * 7", 1, 0) && fits("0 0 * * 5-7", 1, 0) && fits("0 0 * * 0", 1, 0));
    assert!(!fits("0 0 * * 7", 1, 6));
    let month = |text: &str, month| Expression::new(text).unwrap().fits_month(month);
    assert!(month("0 0 1 jan,12 *", 12) && month("0 0 1 jan,12 *", 1) && !month("0 0 1 jan,12 *", 2));
}

#[test]
fn intervals() {
    let check = |text: &str, expect: Result<(u32, &str), &str>| match (Interval::new(text), expect) {
        (Ok(interval), Ok(expect)) => assert_eq!((interval.seconds(), interval.to_string().as_str()), expect),
        (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect, "{text:?}"),
        (got, expect) => panic!("{text:?}: {got:?}, not {expect:?}"),
    };
    check("10s", Ok((10, "10s")));
    check("90m", Ok((5400, "90m")));
    check("60m", Ok((3600, "1h")));
    check("24h", Ok((86_400, "1d")));
    check("31d", Ok((2_678_400, "31d")));
    check("9s", Err("an interval is from 10s to 31d"));
    check("32d", Err("an interval is from 10s to 31d"));
    check("99999999d", Err("an interval is from 10s to 31d"));
    check("30", Err("\"30\" is not a time"));
    check("m", Err("\"m\" is not a time"));
    check("-5m", Err("\"-5m\" is not a time"));
    check("1.5h", Err("\"1.5h\" is not a time"));
    check("5 m", Err("\"5 m\" is not a time"));
}

#[test]
fn on_the_wire() {
    let wire = |when: &When| serde_json::to_string(when).unwrap();
    let schedule = When::Schedule(Expression::new("0 3 * * *").unwrap());
    assert_eq!(wire(&schedule), r#"{"schedule":"0 3 * * *"}"#);
    let every = When::EverySeconds(Interval::new("30m").unwrap());
    assert_eq!(wire(&every), r#"{"every_seconds":1800}"#);
    for when in [schedule, every] {
        assert_eq!(serde_json::from_str::<When>(&wire(&when)).unwrap(), when);
    }
    assert!(serde_json::from_str::<When>(r#"{"every_seconds":1}"#).is_err());
    assert!(serde_json::from_str::<When>(r#"{"schedule":"nightly"}"#).is_err());
}
