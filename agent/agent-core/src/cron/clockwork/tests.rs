use platform_types::schedule::{Interval, When};

use super::*;

const MINUTE: i64 = 60_000;

/// Every ten minutes.
fn plan(missed: Missed, retries: u32) -> Plan {
    let when = When::EverySeconds(Interval::new("10m").unwrap());
    Plan { timetable: Timetable::new(when, "UTC").unwrap(), missed, retries }
}

fn clockwork(missed: Missed, retries: u32) -> Clockwork {
    Clockwork::new(plan(missed, retries), Timestamp(0), false, None)
}

fn minute(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

fn fire(due: i64, ticks: u32, cause: Cause) -> Effect {
    Effect::Fire { due: minute(due), ticks, cause }
}

fn over(last: i64, ticks: u32, why: Outcome) -> Effect {
    Effect::PassOver { last: minute(last), ticks, why }
}

#[test]
fn a_due_time_fires_once() {
    let mut job = clockwork(Missed::Skip, 0);
    assert_eq!(job.wake_at(), Some(minute(10)));
    assert_eq!(job.advance(minute(9)), []);
    assert_eq!(job.advance(minute(10)), [fire(10, 1, Cause::Schedule)]);
    assert_eq!(job.advance(minute(10)), []);
    assert_eq!(job.ended(Outcome::Completed, minute(11)), Over::Closed);
    assert_eq!(job.advance(minute(19)), []);
    assert_eq!(job.advance(Timestamp(20 * MINUTE + LATE_MILLIS)), [fire(20, 1, Cause::Schedule)]);
}

#[test]
fn a_due_time_while_a_run_is_not_over_is_skipped() {
    let mut job = clockwork(Missed::RunOnce, 0);
    job.advance(minute(10));
    assert_eq!(job.advance(minute(20)), [over(20, 1, Outcome::Skipped)]);
    assert_eq!(job.advance(minute(45)), [over(40, 2, Outcome::Skipped)]);
    job.ended(Outcome::Completed, minute(45));
    assert_eq!(job.advance(minute(50)), [fire(50, 1, Cause::Schedule)]);
    assert_eq!(job.ask(minute(50)), Err(Refused::Running));
}

#[test]
fn what_was_missed() {
    let mut once = clockwork(Missed::RunOnce, 0);
    assert_eq!(once.advance(minute(65)), [fire(60, 6, Cause::CatchUp)]);
    let mut skip = clockwork(Missed::Skip, 0);
    assert_eq!(skip.advance(minute(65)), [over(60, 6, Outcome::Missed)]);
    assert_eq!(skip.advance(minute(70)), [fire(70, 1, Cause::Schedule)]);
    for missed in [Missed::Skip, Missed::RunOnce] {
        let mut late = clockwork(missed, 0);
        let expect = [over(60, 5, Outcome::Missed), fire(60, 1, Cause::Schedule)];
        assert_eq!(late.advance(minute(60)), expect, "the last one is on time");
    }
}

#[test]
fn an_attempt_that_fails_is_repeated_with_growing_pauses_and_not_for_ever() {
    let mut job = clockwork(Missed::Skip, 2);
    job.advance(minute(10));
    let first = minute(10).plus_millis(FIRST_BACKOFF_MILLIS);
    assert_eq!(job.ended(Outcome::Failed, minute(10)), Over::Waits { until: first });
    assert_eq!(job.wake_at(), Some(first));
    assert_eq!(job.advance(minute(10)), []);
    assert_eq!(job.advance(first), [Effect::Retry]);
    let second = first.plus_millis(2 * FIRST_BACKOFF_MILLIS);
    assert_eq!(job.ended(Outcome::Interrupted, first), Over::Waits { until: second });
    assert_eq!(job.advance(minute(20)), [Effect::Retry, over(20, 1, Outcome::Skipped)]);
    assert_eq!(job.run(), Some(Run { attempts: 3, retry_at: None }));
    assert_eq!(job.ended(Outcome::Failed, minute(21)), Over::Closed);
    assert_eq!(job.run(), None);
    assert!((1..100).all(|attempts| backoff_millis(attempts) <= LONGEST_BACKOFF_MILLIS));

    let mut stopped = clockwork(Missed::Skip, 2);
    stopped.advance(minute(10));
    assert_eq!(stopped.ended(Outcome::Stopped, minute(11)), Over::Closed);
    assert_eq!(stopped.ended(Outcome::Failed, minute(12)), Over::Closed, "nothing ran");
}

#[test]
fn a_paused_job_fires_only_when_somebody_asks() {
    let mut job = clockwork(Missed::RunOnce, 0);
    job.pause(true, minute(5));
    assert_eq!((job.wake_at(), job.next_due()), (None, None));
    assert_eq!(job.advance(minute(25)), []);
    assert_eq!(job.ask(minute(26)), Ok(Effect::Fire { due: minute(26), ticks: 0, cause: Cause::Asked }));
    assert_eq!(job.ended(Outcome::Completed, minute(27)), Over::Closed);
    job.pause(false, minute(38));
    assert_eq!(job.advance(minute(38)), [], "what passed meanwhile was not missed");
    assert_eq!(job.advance(minute(40)), [fire(40, 1, Cause::Schedule)]);
}

#[test]
fn a_run_by_hand_takes_no_due_time_away() {
    let mut job = clockwork(Missed::Skip, 0);
    job.ask(minute(5)).unwrap();
    job.ended(Outcome::Completed, minute(6));
    assert_eq!(job.advance(minute(10)), [fire(10, 1, Cause::Schedule)]);
}

#[test]
fn another_timetable_counts_from_now_on() {
    let mut job = clockwork(Missed::RunOnce, 0);
    job.replan(plan(Missed::RunOnce, 1), true, minute(35));
    assert_eq!(job.advance(minute(35)), []);
    assert_eq!(job.advance(minute(40)), [fire(40, 1, Cause::Schedule)]);
    let mut same = clockwork(Missed::RunOnce, 0);
    same.replan(plan(Missed::RunOnce, 1), false, minute(35));
    assert_eq!(same.advance(minute(35)), [fire(30, 3, Cause::CatchUp)]);
}

#[test]
fn a_clock_that_is_set_back() {
    let mut little = clockwork(Missed::Skip, 0);
    little.advance(minute(100));
    little.ended(Outcome::Completed, minute(100));
    assert_eq!(little.advance(minute(95)), []);
    assert_eq!(little.advance(minute(100)), [], "not twice");
    assert_eq!(little.advance(minute(110)), [fire(110, 1, Cause::Schedule)]);

    let mut far = Clockwork::new(plan(Missed::Skip, 0), minute(1_000_000), false, None);
    assert_eq!(far.advance(minute(5)), []);
    assert_eq!(far.advance(minute(10)), [fire(10, 1, Cause::Schedule)], "it is not silent for years");
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let run = Run { attempts: 1, retry_at: Some(minute(12)) };
    let mut waiting = Clockwork::new(plan(Missed::Skip, 1), minute(10), false, Some(run));
    assert_eq!(waiting.advance(minute(30)), [Effect::Retry, over(30, 2, Outcome::Skipped)]);
    assert_eq!(waiting.ended(Outcome::Failed, minute(31)), Over::Closed);
}

#[test]
fn a_repetition_is_not_held_up_by_a_clock_that_is_put_right() {
    let far = minute(4 * 365 * 24 * 60);
    let mut job = Clockwork::new(plan(Missed::Skip, 2), far, false, None);
    job.ask(far).unwrap();
    let Over::Waits { until } = job.ended(Outcome::Failed, far) else { panic!("it is tried again") };
    assert!(until > far);
    assert_eq!(job.advance(minute(5)), [Effect::Retry], "years before its time by the clock that was wrong");
}
