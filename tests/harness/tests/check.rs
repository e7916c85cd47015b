//! Plans that must never be carried out, each refused by the check for its reason. And the same with plans of the planner
//! that were made a little wrong.

use harness::Fault;
use harness::Simulation;
use harness::build::{Configuration, INSTALL, profile_name};
use platform_types::gate::Door;
use platform_types::{Generation, Port, Revision};
use supervisor_plan::action::{Launch, Push};
use supervisor_plan::observed::{ContainerId, Engine, Observed, Probe, State};
use supervisor_plan::plan::Plan;
use supervisor_plan::{Action, Ledger, Step, Target, Violation, check, plan};

const LONG_MILLIS: i64 = 10 * 60 * 1000;

/// A settled installation, to be made wrong.
struct Scene {
    simulation: Simulation,
    observed: Observed,
    ledger: Ledger,
}

impl Scene {
    fn settled() -> Self {
        let mut simulation = Simulation::new(Configuration::two_profiles());
        assert!(simulation.settle(LONG_MILLIS));
        let (observed, ledger) = (simulation.observe(), simulation.ledger.clone());
        Self { simulation, observed, ledger }
    }

    fn id(&self, target: &str) -> ContainerId {
        let target = Some(target.parse().expect("a target"));
        let found = self.observed.containers.iter().find(|container| container.labels.target == target);
        found.expect("a container of the target").id.clone()
    }

    fn set_state(&mut self, target: &str, state: State) {
        let id = self.id(target);
        let found = self.observed.containers.iter_mut().find(|container| container.id == id);
        found.expect("a container").state = state;
    }

    fn exited() -> State {
        State::Exited { code: 0, oom_killed: false, at: harness::time::NOON }
    }

    /// A second agent container, of this generation.
    fn add_agent(&mut self, id: &str, generation: u64, state: State) {
        let original = self.id("personal/agent");
        let mut twin = self.observed.container(&original).expect("the agent").clone();
        twin.id = ContainerId(id.to_owned());
        "bot-personal-agent-next".clone_into(&mut twin.name);
        twin.labels.generation = Some(Generation(generation));
        twin.state = state;
        self.observed.containers.push(twin);
    }

    fn launch(&self, target: &str) -> Launch {
        let parsed: Target = target.parse().expect("a target");
        let mut simulation = self.simulation.clone();
        simulation.inject(&Fault::Delete { target: parsed.clone() });
        let made = plan(simulation.desired(), &simulation.observe(), &simulation.ledger, simulation.now);
        let action = made.actions.into_iter().find(|action| action.target == parsed).expect("a launch");
        let Step::Launch(launch) = action.step else { panic!("it launches what is missing") };
        *launch
    }

    fn push(&self) -> Push {
        let revision = Revision(self.ledger.revision.0 + 1);
        Push { revision, config_digest: "config".to_owned(), door: None, port: None }
    }

    fn check(&self, actions: &[(&str, Step)]) -> Vec<Violation> {
        let actions = actions.iter().map(|(target, step)| Action {
            target: target.parse().expect("a target"),
            step: step.clone(),
            because: "a test".to_owned(),
            failure: None,
            fingerprint: String::new(),
        });
        let made = Plan { actions: actions.collect(), report: self.simulation.plan().report, wake_at: None };
        check(&made, &self.observed, &self.ledger).err().unwrap_or_default()
    }

    #[track_caller]
    fn refuses(&self, target: &str, step: Step, violation: &Violation) {
        let found = self.check(&[(target, step)]);
        assert!(found.contains(violation), "{found:?} has no {violation:?}");
    }
}

fn target(text: &str) -> Target {
    text.parse().expect("a target")
}

#[test]
fn a_second_writer_is_refused() {
    let mut scene = Scene::settled();
    scene.add_agent("next", 2, State::Running);
    let old = scene.id("personal/agent");
    let next = ContainerId("next".to_owned());
    let step = Step::Activate { container: next.clone(), generation: Generation(2), push: scene.push() };
    scene.refuses(
        "personal/agent",
        step.clone(),
        &Violation::SecondWriter { container: next.clone(), other: old.clone() },
    );
    for state in [State::Paused, State::Removing] {
        scene.set_state("personal/agent", state);
        let violation = Violation::SecondWriter { container: next.clone(), other: old.clone() };
        scene.refuses("personal/agent", step.clone(), &violation);
    }
    scene.set_state("personal/agent", Scene::exited());
    assert_eq!(scene.check(&[("personal/agent", step)]), []);
}

#[test]
fn a_task_that_writes_the_state_is_a_writer() {
    let mut scene = Scene::settled();
    scene.add_agent("restore", 9, State::Running);
    let restore = scene.observed.containers.last_mut().expect("the container");
    restore.labels.target = Some(Target::task(&profile_name("personal")));
    let agent = scene.id("personal/agent");
    let step = Step::Activate { container: agent.clone(), generation: Generation(1), push: scene.push() };
    let violation = Violation::SecondWriter { container: agent, other: ContainerId("restore".to_owned()) };
    scene.refuses("personal/agent", step, &violation);
}

#[test]
fn an_older_generation_is_refused() {
    let mut scene = Scene::settled();
    scene.ledger.leases.get_mut(&profile_name("personal")).expect("a lease").generation = Generation(3);
    let agent = scene.id("personal/agent");
    let older = Violation::OlderGeneration { generation: Generation(1), than: Generation(3) };
    let activate = Step::Activate { container: agent.clone(), generation: Generation(1), push: scene.push() };
    scene.refuses("personal/agent", activate, &older);
    scene.set_state("personal/agent", Scene::exited());
    scene.refuses("personal/agent", Step::Start { container: agent }, &older);
}

#[test]
fn a_lease_is_adopted_only_by_the_newest_that_has_the_state_open() {
    let mut scene = Scene::settled();
    let agent = scene.id("personal/agent");
    let adopt = |generation| Step::Adopt { container: agent.clone(), generation: Generation(generation) };
    let older = |than| Violation::OlderGeneration { generation: Generation(1), than: Generation(than) };
    scene.refuses("personal/agent", adopt(1), &older(1));
    scene.ledger.leases.get_mut(&profile_name("personal")).expect("a lease").generation = Generation(3);
    scene.refuses("personal/agent", adopt(1), &older(3));
    scene.ledger.leases.clear();
    assert_eq!(scene.check(&[("personal/agent", adopt(1))]), []);
    let wrong = |generation| Violation::WrongGeneration { target: target("personal/agent"), generation };
    scene.refuses("personal/agent", adopt(2), &wrong(Generation(2)));

    scene.add_agent("next", 2, State::Running);
    let violation = Violation::SecondWriter { container: agent.clone(), other: ContainerId("next".to_owned()) };
    scene.refuses("personal/agent", adopt(1), &violation);
    scene.observed.containers.pop();
    let found = scene.observed.containers.iter_mut().find(|container| container.id == agent).expect("the agent");
    let Probe::Answering(answer) = &mut found.probe else { panic!("it answers") };
    answer.generation = None;
    scene.refuses("personal/agent", adopt(1), &wrong(Generation(1)));
}

#[test]
fn a_generation_has_to_be_the_containers_own_and_new() {
    let scene = Scene::settled();
    let agent = scene.id("personal/agent");
    let wrong = |generation| Violation::WrongGeneration { target: target("personal/agent"), generation };
    let activate = Step::Activate { container: agent, generation: Generation(7), push: scene.push() };
    scene.refuses("personal/agent", activate, &wrong(Generation(7)));
    let mut launch = scene.launch("personal/agent");
    launch.generation = Some(Generation(1));
    scene.refuses("personal/agent", Step::Launch(Box::new(launch)), &wrong(Generation(1)));
}

#[test]
fn only_what_was_observed_and_is_ours_is_touched() {
    let mut scene = Scene::settled();
    let stranger = ContainerId("stranger".to_owned());
    let unknown = Violation::NotObserved { container: stranger.clone() };
    scene.refuses("spark", Step::Kill { container: stranger.clone() }, &unknown);
    scene.refuses("spark", Step::Remove { container: stranger.clone() }, &unknown);
    scene.refuses("spark", Step::Stop { container: stranger, grace_seconds: 1 }, &unknown);

    let gate = scene.id("ops/gate");
    let wrong = Violation::WrongTarget { container: gate.clone(), target: target("personal/gate") };
    scene.refuses("personal/gate", Step::Kill { container: gate.clone() }, &wrong);

    let running = Violation::WrongState { container: gate.clone(), state: "running".to_owned() };
    scene.refuses("ops/gate", Step::Remove { container: gate.clone() }, &running);
    scene.refuses("ops/gate", Step::Start { container: gate.clone() }, &running);
    scene.set_state("ops/gate", Scene::exited());
    let exited = Violation::WrongState { container: gate.clone(), state: "exited".to_owned() };
    scene.refuses("ops/gate", Step::Stop { container: gate.clone(), grace_seconds: 1 }, &exited);
    scene.refuses("ops/gate", Step::Configure { container: gate, push: scene.push() }, &exited);

    scene.observed.networks.insert("theirs".to_owned(), supervisor_plan::observed::Owner::Foreign);
    let foreign = Violation::ForeignResource { name: "theirs".to_owned() };
    scene.refuses("ops/gate", Step::RemoveNetwork { name: "theirs".to_owned() }, &foreign);
    let used = Violation::NetworkInUse { name: "bot-ops-gate".to_owned() };
    scene.refuses("ops/gate", Step::RemoveNetwork { name: "bot-ops-gate".to_owned() }, &used);
}

#[test]
fn a_launch_needs_labels_a_free_name_a_free_port_and_an_image() {
    let mut scene = Scene::settled();
    let name = Violation::NameTaken { name: "bot-personal-gate".to_owned() };
    let port = Violation::PortTaken { target: target("personal/gate") };
    let step = Step::Launch(Box::new(scene.launch("personal/gate")));
    let found = scene.check(&[("personal/gate", step.clone())]);
    assert_eq!(found, [name.clone(), port.clone()]);

    let gate = scene.id("personal/gate");
    scene.observed.containers.retain(|container| container.id != gate);
    assert_eq!(scene.check(&[("personal/gate", step.clone())]), []);
    scene.refuses("ops/gate", step.clone(), &Violation::BadLabels { target: target("ops/gate") });

    for label in ["io.bot-platform.install", "io.bot-platform.role", "io.bot-platform.profile"] {
        let mut launch = scene.launch("personal/gate");
        launch.labels.remove(label);
        let violation = Violation::BadLabels { target: target("personal/gate") };
        scene.refuses("personal/gate", Step::Launch(Box::new(launch)), &violation);
    }
    let mut wrong = scene.launch("personal/gate");
    wrong.labels.insert("io.bot-platform.install".to_owned(), format!("{INSTALL}-other"));
    let violation = Violation::BadLabels { target: target("personal/gate") };
    scene.refuses("personal/gate", Step::Launch(Box::new(wrong)), &violation);

    scene.observed.foreign_containers.insert("bot-personal-gate".to_owned());
    scene.observed.ports_taken.insert(Port::new(18_789).expect("a port"));
    scene.observed.images.clear();
    let found = scene.check(&[("personal/gate", step)]);
    assert_eq!(found, [name, Violation::ImageMissing { target: target("personal/gate") }, port]);
}

#[test]
fn one_action_a_target_and_none_for_what_is_under_way() {
    let mut scene = Scene::settled();
    let stop = Step::Stop { container: scene.id("spark"), grace_seconds: 10 };
    let found = scene.check(&[("spark", stop.clone()), ("spark", stop.clone())]);
    assert_eq!(found, [Violation::TwoActions { target: Target::spark() }]);
    scene.observed.in_flight.insert(Target::spark());
    scene.refuses("spark", stop.clone(), &Violation::InFlight { target: Target::spark() });
    scene.observed.engine = Engine::Unreachable { since: harness::time::NOON, error: "gone".to_owned() };
    scene.refuses("spark", stop, &Violation::EngineUnreachable);
}

#[test]
fn the_door_opens_only_for_the_holder_of_the_lease() {
    let scene = Scene::settled();
    let container = scene.id("personal/gate");
    let open = |generation| {
        let push = Push { door: Some(Door::Open { generation: Generation(generation) }), ..scene.push() };
        Step::Configure { container: container.clone(), push }
    };
    assert_eq!(scene.check(&[("personal/gate", open(1))]), []);
    let violation = Violation::WrongDoor { target: target("personal/gate"), generation: Generation(2) };
    scene.refuses("personal/gate", open(2), &violation);
}

#[test]
fn a_revision_is_used_once() {
    let scene = Scene::settled();
    let again = Push { revision: scene.ledger.revision, ..scene.push() };
    let step = Step::Configure { container: scene.id("spark"), push: again };
    scene.refuses("spark", step, &Violation::OldRevision { target: Target::spark() });
    let both = [
        ("spark", Step::Configure { container: scene.id("spark"), push: scene.push() }),
        ("ops/gate", Step::Configure { container: scene.id("ops/gate"), push: scene.push() }),
    ];
    assert_eq!(scene.check(&both), [Violation::OldRevision { target: target("ops/gate") }]);
}

#[test]
fn a_held_profile_stays_down() {
    let mut scene = Scene::settled();
    scene.set_state("personal/agent", Scene::exited());
    scene.ledger.hold(&profile_name("personal"), "a restore is under way", harness::time::NOON);
    let step = Step::Start { container: scene.id("personal/agent") };
    scene.refuses("personal/agent", step, &Violation::OnHold { target: target("personal/agent") });
}

#[test]
fn every_violation_says_what_is_wrong() {
    let scene = Scene::settled();
    let unknown = Step::Kill { container: ContainerId("nobody".to_owned()) };
    let words: Vec<String> = scene.check(&[("spark", unknown)]).iter().map(ToString::to_string).collect();
    assert_eq!(words, ["container nobody was not observed"]);
}
