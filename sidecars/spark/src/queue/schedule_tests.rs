//! What holds for every order of events, whatever requests say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PROFILES: [&str; 3] = ["a", "b", "c"];

/// What happens. A number picks one of those there are.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrive(usize, Priority),
    Leave(usize),
    Finish(usize),
}

fn priorities() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Chat), Just(Priority::Cron)]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0..PROFILES.len(), priorities()).prop_map(|(profile, priority)| Event::Arrive(profile, priority)),
        1 => any::<usize>().prop_map(Event::Leave),
        4 => any::<usize>().prop_map(Event::Finish),
    ];
    vec(event, 0..120)
}

fn name(index: usize) -> ProfileName {
    ProfileName::new(PROFILES[index]).unwrap()
}

/// One start, and what was true right before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Start {
    profile: ProfileName,
    id: Id,
    /// Running requests of each profile that waited.
    rivals: BTreeMap<ProfileName, usize>,
    /// How the profile's own queue would go on.
    order: Vec<Id>,
}

/// A schedule and everything that happened to it.
struct World {
    schedule: Schedule,
    concurrency: usize,
    waiting: Vec<(ProfileName, Id, Priority)>,
    running: Vec<ProfileName>,
    starts: Vec<Start>,
    refused: Vec<(ProfileName, usize)>,
}

impl World {
    fn new(concurrency: usize, queue: usize) -> Self {
        let schedule = Schedule::new(concurrency, queue, PROFILES.len());
        Self { schedule, concurrency, waiting: vec![], running: vec![], starts: vec![], refused: vec![] }
    }

    fn after(concurrency: usize, queue: usize, events: &[Event]) -> Self {
        let mut world = Self::new(concurrency, queue);
        for event in events {
            world.apply(*event);
        }
        world
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Arrive(index, priority) => {
                let profile = name(index);
                let of_it = self.waiting.iter().filter(|(waiting, ..)| *waiting == profile).count();
                match self.schedule.arrive(&profile, priority) {
                    Ok(id) => self.waiting.push((profile, id, priority)),
                    Err(Full { .. }) => self.refused.push((profile, of_it)),
                }
            }
            Event::Leave(pick) if !self.waiting.is_empty() => {
                let (profile, id, _) = self.waiting.remove(pick % self.waiting.len());
                assert!(self.schedule.leave(&profile, id));
                assert!(!self.schedule.leave(&profile, id), "nobody leaves twice");
            }
            Event::Finish(pick) if !self.running.is_empty() => {
                let profile = self.running.remove(pick % self.running.len());
                self.schedule.finish(&profile);
            }
            Event::Leave(_) | Event::Finish(_) => {}
        }
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let rivals: BTreeSet<ProfileName> = self.waiting.iter().map(|(profile, ..)| profile.clone()).collect();
            let rivals: BTreeMap<_, _> =
                rivals.into_iter().map(|profile| (profile.clone(), self.schedule.depth(&profile).running)).collect();
            let orders: BTreeMap<_, _> =
                (0..PROFILES.len()).map(|at| (name(at), self.schedule.order(&name(at)))).collect();
            let Some((profile, id)) = self.schedule.start() else { break };
            let at = self.waiting.iter().position(|(_, waiting, _)| *waiting == id).expect("it waited");
            self.waiting.remove(at);
            self.running.push(profile.clone());
            self.starts.push(Start { order: orders[&profile].clone(), profile, id, rivals });
        }
        assert!(self.running.len() <= self.concurrency);
        assert_eq!(self.schedule.running(), self.running.len());
        assert!(self.waiting.is_empty() || self.running.len() == self.concurrency, "a free place while somebody waits");
    }
}

proptest! {
    #[test]
    fn the_profile_with_the_fewest_at_the_box_is_next(
        concurrency in 1..6usize, queue in 1..30usize, events in events(),
    ) {
        for start in World::after(concurrency, queue, &events).starts {
            let own = start.rivals[&start.profile];
            prop_assert!(start.rivals.values().all(|running| own <= *running), "{start:?}");
        }
    }

    #[test]
    fn whoever_has_nothing_at_the_box_is_behind_one_start_of_each_other_profile_at_most(
        concurrency in 1..6usize, before in events(), crowd in vec(0..2usize, 1..60),
    ) {
        let mut world = World::after(concurrency, 90, &before);
        // The quiet profile goes away, fills the box with others, and comes back with one request.
        while let Some(at) = world.waiting.iter().position(|(profile, ..)| *profile == name(2)) {
            world.apply(Event::Leave(at));
        }
        while let Some(at) = world.running.iter().position(|profile| *profile == name(2)) {
            world.apply(Event::Finish(at));
        }
        for index in crowd {
            world.apply(Event::Arrive(index, Priority::Chat));
        }
        let before = world.starts.len();
        world.apply(Event::Arrive(2, Priority::Cron));
        for _ in 0..PROFILES.len() {
            world.apply(Event::Finish(0));
        }
        let since = &world.starts[before..];
        prop_assert!(since.iter().any(|start| start.profile == name(2)), "{since:?}");
    }

    /// A profile that lies about its priorities changes nothing for the others.
    #[test]
    fn priorities_do_not_move_places_between_profiles(
        concurrency in 1..6usize, queue in 1..30usize, events in events(), lies in vec(priorities(), 120),
    ) {
        // Who waits is picked by position, and positions depend on priorities: so nobody leaves here.
        let arrive_or_finish = |event: &&Event| !matches!(event, Event::Leave(_));
        let honest: Vec<Event> = events.iter().filter(arrive_or_finish).copied().collect();
        let lying: Vec<Event> = honest.iter().zip(&lies).map(|(event, lie)| match event {
            Event::Arrive(0, _) => Event::Arrive(0, *lie),
            event => *event,
        }).collect();
        let profiles = |events: &[Event]| -> Vec<ProfileName> {
            World::after(concurrency, queue, events).starts.into_iter().map(|start| start.profile).collect()
        };
        prop_assert_eq!(profiles(&honest), profiles(&lying));
        // And the others' own order stays what it was.
        let others = |events: &[Event]| -> Vec<Id> {
            World::after(concurrency, queue, events).starts.into_iter().filter(|start| start.profile != name(0)).map(|start| start.id).collect()
        };
        prop_assert_eq!(others(&honest), others(&lying));
    }

    #[test]
    fn only_a_profile_that_used_its_share_is_refused(concurrency in 1..6usize, queue in 1..30usize, events in events()) {
        let world = World::after(concurrency, queue, &events);
        let share = (queue / PROFILES.len()).max(1);
        prop_assert!(world.refused.iter().all(|(_, waiting)| *waiting == share), "{:?}", world.refused);
        for index in 0..PROFILES.len() {
            let Depth { chats, crons, .. } = world.schedule.depth(&name(index));
            prop_assert!(chats + crons <= share);
        }
    }

    #[test]
    fn positions_are_what_happens(concurrency in 1..4usize, events in events()) {
        let mut world = World::after(concurrency, 60, &events);
        let told: Vec<Vec<Id>> = (0..PROFILES.len()).map(|index| world.schedule.order(&name(index))).collect();
        let before = world.starts.len();
        while !world.running.is_empty() {
            world.apply(Event::Finish(0));
        }
        for (index, told) in told.into_iter().enumerate() {
            let started: Vec<Id> =
                world.starts[before..].iter().filter(|start| start.profile == name(index)).map(|start| start.id).collect();
            prop_assert_eq!(started, told);
        }
    }

    #[test]
    fn a_cron_is_passed_by_few_chats(events in events(), endless in 30..60usize) {
        let mut world = World::after(1, 3_000, &events);
        world.apply(Event::Arrive(0, Priority::Cron));
        let crons = |world: &World| world.waiting.iter().filter(|(profile, _, priority)| *profile == name(0) && *priority == Priority::Cron).count();
        let ahead = crons(&world);
        let starts = |world: &World| world.starts.iter().filter(|start| start.profile == name(0)).count();
        let before = starts(&world);
        // Chats come faster than they are served, for ever.
        for _ in 0..endless {
            world.apply(Event::Arrive(0, Priority::Chat));
            world.apply(Event::Finish(0));
            let started = starts(&world) - before;
            let served = ahead - crons(&world).min(ahead);
            if served == ahead {
                break;
            }
            let passes = usize::try_from(CRON_PATIENCE).unwrap();
            prop_assert!(started <= served + (served + 1) * passes, "{started} starts, {served} of them cron");
        }
    }
}

#[test]
fn chats_go_before_cron_in_the_order_of_their_arrival() {
    let mut world = World::new(1, 300);
    world.apply(Event::Arrive(0, Priority::Chat));
    for priority in [Priority::Cron, Priority::Chat, Priority::Cron, Priority::Chat] {
        world.apply(Event::Arrive(0, priority));
    }
    assert_eq!(world.schedule.order(&name(0)), [Id(3), Id(5), Id(2), Id(4)]);
}

#[test]
fn a_held_queue_starts_nobody() {
    let mut schedule = Schedule::new(2, 6, 1);
    schedule.hold(true);
    let first = schedule.arrive(&name(0), Priority::Chat).unwrap();
    assert_eq!(schedule.start(), None);
    assert!(schedule.is_held());
    schedule.hold(false);
    assert_eq!(schedule.start(), Some((name(0), first)));
}

#[test]
fn smaller_limits_turn_nobody_out() {
    let mut schedule = Schedule::new(2, 6, 1);
    let ids: Vec<Id> = (0..4).map(|_| schedule.arrive(&name(0), Priority::Chat).unwrap()).collect();
    while schedule.start().is_some() {}
    schedule.resize(1, 1, 1);
    assert_eq!(schedule.depth(&name(0)), Depth { running: 2, chats: 2, crons: 0 });
    assert_eq!(schedule.arrive(&name(0), Priority::Chat), Err(Full { share: 1 }));
    schedule.finish(&name(0));
    assert_eq!(schedule.start(), None, "one runs, and one may");
    schedule.finish(&name(0));
    assert_eq!(schedule.start(), Some((name(0), ids[2])));
}
