//! Waiting, leaving and holding, at the moments in which they meet.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;

fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).unwrap()
}

/// A queue with one place at the box, and its first request.
fn one_place() -> (Arc<Queue>, Seat) {
    let queue = Arc::new(Queue::default());
    let limits = SparkLimits { concurrency: 1, queue: 4, ..SparkLimits::default() };
    queue.resize(&limits, &[profile("a"), profile("b")]);
    let Entered::Seated(seat) = queue.enter(&profile("a"), Priority::Chat).unwrap() else { panic!("it is empty") };
    (queue, seat)
}

fn waits(queue: &Arc<Queue>, name: &str) -> Waiter {
    let Entered::Waits(waiter) = queue.enter(&profile(name), Priority::Chat).unwrap() else { panic!("it is taken") };
    waiter
}

fn seated(waiter: Waiter) -> BoxFuture<'static, Seat> {
    waiter.seated(|_| ()).boxed()
}

fn running(queue: &Queue) -> usize {
    *queue.running.borrow()
}

#[tokio::test]
async fn a_place_that_was_given_to_somebody_who_left_goes_on() {
    let (queue, seat) = one_place();
    let (first, second) = (seated(waits(&queue, "a")), seated(waits(&queue, "a")));
    // The first of them has the place now, and leaves before it is told.
    drop(seat);
    assert_eq!(running(&queue), 1);
    drop(first);
    let seat = second.await;
    assert_eq!((running(&queue), queue.lanes()[&profile("a")].running), (1, 1));
    drop(seat);
    assert_eq!(running(&queue), 0);
    assert!(queue.lock().waiting.is_empty());
}

#[tokio::test]
async fn nothing_stays_of_those_who_leave() {
    let (queue, seat) = one_place();
    let waiters = [seated(waits(&queue, "a")), seated(waits(&queue, "b")), seated(waits(&queue, "a"))];
    let Err(full) = queue.enter(&profile("a"), Priority::Cron) else { panic!("the share is two") };
    assert_eq!((full.code(), full.failure.retry_after), (ErrorCode::QueueFull, Some(1)));
    drop(waiters);
    drop(seat);
    let lanes = queue.lanes();
    assert!(lanes.values().all(|lane| (lane.running, lane.waiting_chat) == (0, 0)), "{lanes:?}");
    assert_eq!((lanes[&profile("a")].admitted_total, lanes[&profile("a")].queue_full_total), (1, 1));
    assert!(queue.lock().waiting.is_empty());
}

#[tokio::test]
async fn a_held_queue_says_so_and_goes_on_where_it_stood() {
    let (queue, seat) = one_place();
    let mut told = Vec::new();
    let mut waiter = waits(&queue, "a").seated(|turn| told.push(turn)).boxed();
    assert!((&mut waiter).now_or_never().is_none());
    let until = Some(Instant::now());
    queue.hold(until);
    assert!((&mut waiter).now_or_never().is_none());
    let late = waits(&queue, "b");
    assert_eq!(*late.turn.borrow(), Turn::Held(until));
    let mut idle = queue.idle().boxed();
    assert!((&mut idle).now_or_never().is_none());
    drop(seat);
    idle.await;
    assert!((&mut waiter).now_or_never().is_none(), "nobody starts while it is held");
    queue.release();
    // The other profile had nothing at the box yet.
    drop(seated(late).await);
    let _seat = waiter.await;
    assert_eq!(told, [Turn::At(1), Turn::Held(until)]);
    assert_eq!(running(&queue), 1);
}

#[tokio::test]
async fn the_pace_is_that_of_the_own_profile() {
    let (queue, seat) = one_place();
    let (first, second) = (seated(waits(&queue, "a")), waits(&queue, "a"));
    assert_eq!(queue.ahead(&profile("a"), 2), None);
    for waiting in queue.lock().waiting.values_mut() {
        waiting.since -= Duration::from_secs(30);
    }
    let Err(full) = queue.enter(&profile("a"), Priority::Chat) else { panic!("the share is two") };
    assert_eq!(full.failure.retry_after, Some(31), "the oldest of the queue waits that long already");
    drop(seat);
    drop(first.await);
    // 30 s for one position, then 30 s for two, smoothed.
    let ahead = queue.ahead(&profile("a"), 2).unwrap();
    assert!((52..54).contains(&ahead.as_secs()), "{ahead:?}");
    assert_eq!(queue.ahead(&profile("b"), 1), None);
    drop(second);
}
