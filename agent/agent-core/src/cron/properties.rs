//! What holds for every timetable and every course of events.

use platform_types::Timestamp;
use platform_types::cron::{Missed, Outcome};
use platform_types::schedule::{Expression, Interval, When};
use proptest::prelude::*;
use proptest::sample::select;

use super::clockwork::{Clockwork, Effect, Over, Plan};
use super::timetable::Timetable;

const MINUTE: i64 = 60_000;
const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Beirut", "America/Santiago"];

fn expressions() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        (0..60u8).prop_map(|n| n.to_string()),
        select(vec!["*", "*/7", "0,30", "5-50/15"]).prop_map(str::to_owned)
    ];
    let hour = prop_oneof![
        (0..24u8).prop_map(|n| n.to_string()),
        select(vec!["*", "*/3", "1-4", "23,0,2"]).prop_map(str::to_owned)
    ];
    let day = select(vec!["*", "1", "*/2", "25-31"]);
    let weekday = select(vec!["*", "0", "1-5", "*/2"]);
    (minute, hour, day, weekday).prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

fn timetables() -> impl Strategy<Value = Timetable> {
    let when = prop_oneof![
        3 => expressions().prop_map(|text| When::Schedule(Expression::new(&text).unwrap())),
        1 => (10..200_000u32).prop_map(|seconds| When::EverySeconds(Interval::try_from(seconds).unwrap())),
    ];
    (when, select(ZONES.to_vec())).prop_map(|(when, zone)| Timetable::new(when, zone).unwrap())
}

/// From 2020 to 2033.
fn moments() -> impl Strategy<Value = Timestamp> {
    (1_577_836_800_000..2_000_000_000_000_i64).prop_map(Timestamp)
}

/// A local minute and how the same moment is written with its offset.
fn local(at: Timestamp, zone: &str) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(at.as_millis()).unwrap().in_tz(zone).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn due_times_follow_one_another_and_none_is_left_out(timetable in timetables(), from in moments()) {
        let mut at = from;
        for count in 1..6u32 {
            let Some(next) = timetable.after(at) else { break };
            prop_assert!(next > at);
            prop_assert_eq!(timetable.after(Timestamp(next.as_millis() - 1)), Some(next));
            if next.millis_since(from) < 390 * 24 * 60 * MINUTE {
                let passed = timetable.passed(from, next).unwrap();
                prop_assert_eq!((passed.last, passed.count), (next, count));
            }
            at = next;
        }
    }

    #[test]
    fn a_time_of_day_comes_once_a_day_on_every_day(hour in 0..24u8, minute in 0..60u8, zone in select(ZONES.to_vec()), from in moments()) {
        let when = When::Schedule(Expression::new(&format!("{minute} {hour} * * *")).unwrap());
        let timetable = Timetable::new(when, zone).unwrap();
        let mut at = timetable.after(from).unwrap();
        for _ in 0..400 {
            let next = timetable.after(at).unwrap();
            let (day, following) = (local(at, zone).date(), local(next, zone).date());
            prop_assert_eq!(day.tomorrow().unwrap(), following, "{} {}", at.as_millis(), zone);
            let time = local(next, zone);
            let exact = (time.hour().unsigned_abs(), time.minute().unsigned_abs()) == (hour, minute);
            // Where the time does not exist, it is the change: a second before, the clocks show less than it.
            let before = local(Timestamp(next.as_millis() - 1000), zone);
            let change = before.offset() != time.offset();
            prop_assert!(exact || change, "{time}");
            at = next;
        }
    }

    /// Any course of events: each due time is accounted for once, and one run goes at a time.
    #[test]
    fn every_due_time_is_accounted_for(
        timetable in timetables(),
        from in moments(),
        steps in prop::collection::vec((0..5u8, 0..4000i64), 1..60),
        retries in 0..3u32,
        missed in select(vec![Missed::Skip, Missed::RunOnce]),
    ) {
        let plan = Plan { timetable: timetable.clone(), missed, retries };
        let mut job = Clockwork::new(plan, from, false, None);
        let (mut now, mut ticks, mut attempts, mut running) = (from, 0u32, 0u32, false);
        for (what, minutes) in steps {
            match what {
                0 | 1 => now = now.plus_millis(minutes * MINUTE / 4),
                2 => now = job.wake_at().unwrap_or(now).max(now),
                3 if running => {
                    let over = job.ended(Outcome::Failed, now);
                    prop_assert_eq!(over == Over::Closed, attempts > retries);
                    running = false;
                }
                4 if running => {
                    prop_assert_eq!(job.ended(Outcome::Completed, now), Over::Closed);
                    running = false;
                }
                _ => {}
            }
            for effect in job.advance(now) {
                match effect {
                    Effect::Fire { due, ticks: stands_for, .. } => {
                        prop_assert!(!running && due <= now);
                        (running, attempts, ticks) = (true, 1, ticks + stands_for);
                    }
                    Effect::PassOver { last, ticks: stands_for, .. } => {
                        prop_assert!(last <= now && stands_for > 0);
                        ticks += stands_for;
                    }
                    Effect::Retry => {
                        prop_assert!(!running);
                        (running, attempts) = (true, attempts + 1);
                        prop_assert!(attempts <= retries + 1);
                    }
                }
            }
            prop_assert!(job.wake_at().is_none_or(|at| at > now), "nothing is left to do now");
        }
        if now.millis_since(from) < 390 * 24 * 60 * MINUTE {
            prop_assert_eq!(ticks, timetable.passed(from, now).map_or(0, |passed| passed.count));
        }
    }
}
