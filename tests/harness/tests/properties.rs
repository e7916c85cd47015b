//! Random faults at random moments. Whatever happens: never two writers, no stranger touched, nothing older undoes anything
//! newer, every plan passes the check. And when the faults stop, everything comes back and the plan is empty.

use harness::Fault;
use harness::build::Configuration;
use harness::simulation::{Armed, Leftover, Simulation};
use platform_types::{Port, Role};
use proptest::prelude::*;
use supervisor_plan::observed::State;
use supervisor_plan::report::Condition;
use supervisor_plan::{Step, Target, screen};

/// Longest time that anything may take to come back: every back-off, twice.
const RECOVERY_MILLIS: i64 = 20 * 60 * 1000;

/// Something happens, and then time goes by.
#[derive(Debug, Clone)]
enum Event {
    Fault(Fault),
    Release(Role),
    Memory(&'static str, u64),
    Configuration(Target),
    DropOps,
    AddOps,
    SwapPorts,
}

fn target() -> impl Strategy<Value = Target> {
    const NAMES: &[&str] = &["personal/agent", "personal/gate", "ops/agent", "ops/gate", "spark", "backup"];
    // Agents twice as often: they have the most to lose.
    prop_oneof![
        2 => prop::sample::select(NAMES),
        1 => Just("personal/agent"),
        1 => Just("ops/agent"),
    ]
    .prop_map(|name| name.parse().expect("a target"))
}

fn profile() -> impl Strategy<Value = String> {
    prop::sample::select(&["personal", "ops"][..]).prop_map(str::to_owned)
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(&Role::SERVICES[..])
}

fn leftover() -> impl Strategy<Value = Leftover> {
    prop::sample::select(&[Leftover::Lost, Leftover::Halfway, Leftover::Done, Leftover::Late][..])
}

fn process_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (target(), prop::sample::select(&[0i64, 1, 137][..]), any::<bool>())
            .prop_map(|(target, code, oom_killed)| Fault::Exit { target, code, oom_killed }),
        target().prop_map(|target| Fault::Wedge { target }),
        target().prop_map(|target| Fault::Pause { target }),
        target().prop_map(|target| Fault::Trouble { target, reason: "the volume is full".to_owned() }),
        target().prop_map(|target| Fault::Recover { target }),
        target().prop_map(|target| Fault::LoseMount { target, path: "/state".to_owned() }),
    ]
}

fn tampering() -> impl Strategy<Value = Fault> {
    prop_oneof![
        target().prop_map(|target| Fault::EditMemory { target, mib: 64 }),
        target().prop_map(|target| Fault::AddMount { target, path: "/var/run/docker.sock".to_owned() }),
        target().prop_map(|target| Fault::Delete { target }),
        target().prop_map(|target| Fault::Rename { target, name: "renamed".to_owned() }),
        Just(Fault::DeleteNetwork { name: "bot-personal-gate".to_owned() }),
        Just(Fault::Stranger { name: "bot-personal-agent".to_owned() }),
        Just(Fault::Stranger { name: "bot-ops-agent-next".to_owned() }),
        Just(Fault::Listen { port: Port::new(18789).expect("a port") }),
        role().prop_map(|role| Fault::LoseImage { role }),
        (role(), 0i64..2_000).prop_map(|(role, after_millis)| Fault::BadImage { role, after_millis, code: 1 }),
    ]
}

fn supervision_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => leftover().prop_map(|leftover| Fault::KillSupervisor { leftover }),
        1 => (0i64..20_000).prop_map(|away_millis| Fault::RestartDocker { away_millis }),
        1 => (0i64..20_000).prop_map(|away_millis| Fault::LoseDocker { away_millis }),
        2 => (target(), armed()).prop_map(|(target, armed)| Fault::Next { target, armed }),
        1 => profile().prop_map(|profile| Fault::Hold { profile, reason: "a restore is under way".to_owned() }),
        1 => profile().prop_map(|profile| Fault::Release { profile }),
        1 => target().prop_map(|target| Fault::Clear { target }),
        1 => Just(Fault::CopyLedger),
        1 => Just(Fault::RestoreLedger { has_mark: true }),
    ]
}

fn armed() -> impl Strategy<Value = Armed> {
    prop_oneof![
        Just(Armed::Refused("no space left on device".to_owned())),
        Just(Armed::Halfway("port is already allocated".to_owned())),
        Just(Armed::AnswerLost),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => process_fault().prop_map(Event::Fault),
        3 => tampering().prop_map(Event::Fault),
        3 => supervision_fault().prop_map(Event::Fault),
        1 => role().prop_map(Event::Release),
        1 => (prop::sample::select(&["personal", "ops"][..]), prop::sample::select(&[256u64, 512][..]))
            .prop_map(|(profile, mib)| Event::Memory(profile, mib)),
        1 => target().prop_map(Event::Configuration),
        1 => prop_oneof![Just(Event::DropOps), Just(Event::AddOps), Just(Event::SwapPorts)],
    ]
}

/// A change that makes generations and revisions grow.
fn rollout() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Release(Role::Agent)),
        1 => role().prop_map(Event::Release),
        1 => (prop::sample::select(&["personal", "ops"][..]), prop::sample::select(&[256u64, 512][..]))
            .prop_map(|(profile, mib)| Event::Memory(profile, mib)),
        1 => target().prop_map(Event::Configuration),
    ]
}

/// From a moment in the middle of an action to a long quiet time.
fn pause_millis() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0i64..700, 2 => 700i64..5_000, 1 => 5_000i64..90_000]
}

fn meet(simulation: &mut Simulation, event: &Event) {
    match event {
        Event::Fault(fault) => simulation.inject(fault),
        Event::Release(role) => drop(simulation.configure(|configuration| configuration.release(*role))),
        Event::Memory(profile, mib) => drop(simulation.configure(|configuration| {
            if has(configuration, profile) {
                configuration.profile(profile).memory_bytes = mib << 20;
            }
        })),
        Event::Configuration(target) => drop(simulation.configure(|configuration| configuration.change_config(target))),
        Event::DropOps => drop(simulation.configure(|configuration| configuration.remove_profile("ops"))),
        Event::AddOps => drop(simulation.configure(|configuration| {
            if !has(configuration, "ops") {
                configuration.add_profile("ops", 18_791);
            }
        })),
        Event::SwapPorts => drop(simulation.configure(|configuration| {
            if has(configuration, "ops") {
                let (one, other) = (configuration.profile("personal").port, configuration.profile("ops").port);
                configuration.profile("personal").port = other;
                configuration.profile("ops").port = one;
            }
        })),
    }
}

fn has(configuration: &Configuration, profile: &str) -> bool {
    configuration.topology.profiles.keys().any(|name| name.as_str() == profile)
}

/// Everything that a person would have to mend is mended.
fn mend(simulation: &mut Simulation) {
    for role in Role::SERVICES {
        simulation.inject(&Fault::GoodImage { role });
        simulation.inject(&Fault::FindImage { role });
    }
    simulation.engine.crashing.clear();
    for name in ["bot-personal-agent", "bot-ops-agent-next"] {
        simulation.inject(&Fault::StrangerLeaves { name: name.to_owned() });
    }
    simulation.inject(&Fault::Unlisten { port: Port::new(18_789).expect("a port") });
    for profile in ["personal", "ops"] {
        simulation.inject(&Fault::Release { profile: profile.to_owned() });
    }
}

fn clear(simulation: &mut Simulation) {
    let targets: Vec<Target> = simulation.ledger.quarantines.keys().cloned().collect();
    for target in targets {
        simulation.inject(&Fault::Clear { target });
    }
}

fn assert_safe(simulation: &Simulation) -> Result<(), TestCaseError> {
    prop_assert!(
        simulation.violations.is_empty(),
        "{}\nhistory:\n{}",
        simulation.violations.join("\n"),
        simulation.history.join("\n")
    );
    Ok(())
}

fn assert_well(simulation: &Simulation) -> Result<(), TestCaseError> {
    let plan = simulation.plan();
    let told = || {
        let report = plan.report.lines(&harness::time::clock_millis).join("\n");
        format!("{report}\nhistory:\n{}", simulation.history.join("\n"))
    };
    prop_assert!(plan.actions.is_empty(), "settled means an empty plan\n{}", told());
    for target in simulation.desired().services.keys() {
        let line = &plan.report.targets[target];
        prop_assert!(line.condition == Condition::Ready && line.blocked.is_empty(), "{target} is not well\n{}", told());
    }
    let desired = &simulation.desired().services;
    let observed = simulation.observe();
    prop_assert_eq!(observed.containers.len(), desired.len(), "one container each\n{}", told());
    for container in &observed.containers {
        let service = container.labels.target.as_ref().and_then(|target| desired.get(target));
        let service = service.expect("only what is desired is left");
        prop_assert_eq!(&container.name, &service.container_name);
        prop_assert!(service.spec_for(container.labels.generation).drift(&container.spec).is_empty(), "{}", told());
        prop_assert!(container.state == State::Running);
    }
    Ok(())
}

/// Few by default, so that the quick tests stay quick; `PROPTEST_CASES` asks for more.
fn bounded() -> ProptestConfig {
    const CASES: u32 = 64;
    const DEFAULT_CASES: u32 = 256;
    let config = ProptestConfig { max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() };
    if config.cases == DEFAULT_CASES { ProptestConfig { cases: CASES, ..config } } else { config }
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn whatever_happens_it_is_safe_and_comes_back(
        events in prop::collection::vec((event(), pause_millis()), 1..24),
    ) {
        let mut simulation = Simulation::new(Configuration::two_profiles());
        simulation.inject(&Fault::Stranger { name: "homeassistant".to_owned() });
        let strangers = |simulation: &Simulation| simulation.observe().foreign_containers;
        for (event, pause) in &events {
            meet(&mut simulation, event);
            simulation.run(*pause);
            assert_safe(&simulation)?;
        }
        mend(&mut simulation);
        simulation.settle(RECOVERY_MILLIS);
        // What is still in quarantine by now needs the operator's word.
        clear(&mut simulation);
        simulation.armed_are_over();
        let settled = simulation.settle(RECOVERY_MILLIS);
        assert_safe(&simulation)?;
        let report = simulation.plan().report.lines(&harness::time::clock_millis).join("\n");
        prop_assert!(settled, "it does not settle\n{report}\nhistory:\n{}", simulation.history.join("\n"));
        assert_well(&simulation)?;
        prop_assert!(strangers(&simulation).contains("homeassistant"), "the stranger is still there");
        // And it stays so, without a single action.
        let before = simulation.history.len();
        simulation.run(60_000);
        prop_assert_eq!(simulation.history.len(), before, "it keeps still");
    }

    #[test]
    fn one_fault_is_mended_without_an_operator(event in event(), pause in pause_millis()) {
        let mut simulation = Simulation::new(Configuration::two_profiles());
        prop_assert!(simulation.settle(RECOVERY_MILLIS));
        meet(&mut simulation, &event);
        simulation.run(pause);
        mend(&mut simulation);
        prop_assert!(simulation.settle(RECOVERY_MILLIS), "{}", simulation.history.join("\n"));
        assert_safe(&simulation)?;
        if simulation.ledger.quarantines.is_empty() {
            assert_well(&simulation)?;
        }
    }

    #[test]
    fn a_ledger_older_than_everything_disturbs_nobody(
        changes in prop::collection::vec((rollout(), pause_millis()), 1..6),
        copied_after in 0usize..6,
    ) {
        let mut simulation = Simulation::new(Configuration::two_profiles());
        for (number, (event, pause)) in changes.iter().enumerate() {
            if number == copied_after {
                simulation.inject(&Fault::CopyLedger);
            }
            meet(&mut simulation, event);
            simulation.run(*pause);
        }
        prop_assert!(simulation.settle(RECOVERY_MILLIS));
        let lives = |simulation: &Simulation| -> Vec<_> {
            let containers = simulation.observe().containers.into_iter();
            containers.map(|container| (container.id, container.started_at)).collect()
        };
        let before = lives(&simulation);
        let (leases, generations) = (simulation.ledger.leases.clone(), simulation.ledger.generations.clone());
        prop_assert!(simulation.ledger.catch_up(&simulation.observe()).is_empty(), "a ledger knows what it gave away");
        simulation.inject(&Fault::RestoreLedger { has_mark: false });
        prop_assert!(simulation.settle(RECOVERY_MILLIS), "{}", simulation.history.join("\n"));
        assert_safe(&simulation)?;
        assert_well(&simulation)?;
        prop_assert_eq!(lives(&simulation), before, "nothing was restarted\n{}", simulation.history.join("\n"));
        // Whether the ledger is older shows in the labels: what serves is the highest that is left of each profile.
        let older = simulation.ledger.generations.clone();
        let mut caught_up = simulation.ledger.clone();
        caught_up.generations.clear();
        let labelled = caught_up.catch_up(&simulation.observe());
        for (profile, lease) in &leases {
            prop_assert_eq!(labelled.get(profile), Some(&lease.generation));
            prop_assert!(older[profile] <= generations[profile]);
        }
        // What comes next is newer than what served.
        drop(simulation.configure(|configuration| configuration.release(Role::Agent)));
        prop_assert!(simulation.settle(RECOVERY_MILLIS), "{}", simulation.history.join("\n"));
        assert_safe(&simulation)?;
        for (profile, lease) in leases {
            prop_assert!(simulation.ledger.leases[&profile].generation > lease.generation);
        }
    }

    #[test]
    fn what_is_refused_for_one_target_keeps_nobody_else_waiting(broken in prop::collection::btree_set(0usize..6, 0..6)) {
        let simulation = Simulation::new(Configuration::two_profiles());
        let mut made = simulation.plan();
        prop_assert_eq!(made.actions.len(), 6, "everything is to be launched");
        for number in &broken {
            let Step::Launch(launch) = &mut made.actions[*number].step else { panic!("a launch") };
            launch.labels.clear();
        }
        let screened = screen(&made, &simulation.observe(), &simulation.ledger);
        let targets = |keep: &dyn Fn(usize) -> bool| -> Vec<Target> {
            let actions = made.actions.iter().enumerate().filter(|(number, _)| keep(*number));
            actions.map(|(_, action)| action.target.clone()).collect()
        };
        let lawful: Vec<Target> = screened.lawful.iter().map(|action| action.target.clone()).collect();
        prop_assert_eq!(lawful, targets(&|number| !broken.contains(&number)));
        let mut refused = targets(&|number| broken.contains(&number));
        refused.sort();
        prop_assert_eq!(screened.refused.into_keys().collect::<Vec<_>>(), refused);
    }

    #[test]
    fn the_same_arguments_give_the_same_plan(events in prop::collection::vec((event(), pause_millis()), 1..8)) {
        let mut simulation = Simulation::new(Configuration::two_profiles());
        for (event, pause) in &events {
            meet(&mut simulation, event);
            simulation.run(*pause);
            prop_assert_eq!(simulation.plan(), simulation.plan());
        }
    }
}
