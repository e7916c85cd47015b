//! Scripts of a switch: `second event => effects`. Each line is one event; what stands after `=>` is all that follows from it.

use super::*;

const TIMES: Times = Times { drain: 120_000, wait: 900_000, grace: 30_000, settle: 60_000, settle_lost: 180_000 };

fn event(text: &str) -> Event {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.to_owned();
    match word {
        "drained" => Event::Drained,
        "tick" => Event::Tick,
        "not-begun" => Event::NotBegun(rest),
        "said" => Event::Said(rest),
        "lost" => Event::Ended(Ended::Lost(rest)),
        "exit" => {
            let (status, said) = rest.split_once(' ').unwrap_or((&rest, ""));
            Event::Ended(Ended::Exit { status: status.parse().expect("a status"), said: said.to_owned() })
        }
        "down" => Event::Saw(Sight::Down(rest)),
        "other" => Event::Saw(Sight::Other(rest)),
        "silent" => Event::Saw(Sight::Silent(rest)),
        "answered" => Event::Saw(Sight::Answered),
        other => panic!("no event {other:?}"),
    }
}

fn effects(effects: &[Effect]) -> String {
    let words = effects.iter().map(|effect| match effect {
        Effect::Command => "command".to_owned(),
        Effect::Look => "look".to_owned(),
        Effect::End { outcome, message } => format!("{outcome:?}: {message}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn play(mut machine: Machine, script: &str) {
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (left, expect) = line.split_once("=>").expect("an arrow");
        let (second, said) = left.trim().split_once(' ').expect("a second and an event");
        let now = Timestamp(second.parse::<i64>().expect("a second") * 1000);
        assert_eq!(effects(&machine.apply(event(said.trim()), now)), expect.trim(), "{line}");
    }
}

fn check(script: &str) {
    play(Machine::new(TIMES, Timestamp(0)), script);
}

#[test]
fn a_switch_as_it_should_be() {
    check(
        "3   drained            => command
         4   said stopping      =>
         70  said starting      =>
         90  exit 0             => look
         90  down refused       => look
         100 down loading       => look
         400 silent 503         => look
         402 answered           => Done: the wanted model is listed and answered; the command went well
         403 answered           =>",
    );
}

#[test]
fn requests_that_run_are_never_cut_off() {
    check(
        "1   tick               =>
         119 tick               =>
         120 tick               => NothingDone: requests were still being answered after 120 s; none of them was cut off
         121 drained            =>",
    );
}

#[test]
fn what_never_began_changed_nothing() {
    check(
        "0   drained            => command
         2   not-begun refused  => NothingDone: refused
         3   exit 0             =>",
    );
}

#[test]
fn a_command_that_failed() {
    check(
        "0   drained            => command
         9   exit 75 another switch runs => look
         9   other A            => Failed: the box has A; the command ended with status 75: another switch runs",
    );
    check(
        "0   drained            => command
         9   exit 1             => look
         20  down refused       => look
         39  down refused       => Failed: the box does not answer yet: refused; the command ended with status 1",
    );
    check(
        "0   drained            => command
         9   exit 1             => look
         11  answered           => Done: the wanted model is listed and answered; the command ended with status 1",
    );
}

#[test]
fn the_old_model_is_back() {
    check(
        "0   drained            => command
         9   exit 0             => look
         10  other A            => look
         40  down refused       => look
         41  other A            => look
         100 other A            => look
         101 other A            => Failed: the box has A; the command went well",
    );
}

#[test]
fn the_box_never_comes_back() {
    check(
        "0   drained            => command
         9   exit 0             => look
         899 down refused       => look
         900 down refused       => Failed: the box does not answer yet: refused; the command went well",
    );
}

#[test]
fn a_lost_end_is_neither_success_nor_failure() {
    check(
        "0   drained            => command
         9   lost reset         => look
         10  other A            => look
         180 other A            => look
         190 other A            => Unknown: the box has A; how the command ended is not known: reset",
    );
    check(
        "0   drained            => command
         9   lost reset         => look
         900 down refused       => Unknown: the box does not answer yet: refused; how the command ended is not known: reset",
    );
    check(
        "0   drained            => command
         9   lost reset         => look
         300 answered           => Done: the wanted model is listed and answered; how the command ended is not known: reset",
    );
    check(
        "0   drained            => command
         900 lost it hangs      => look
         901 down refused       => look
         930 silent 500         => Unknown: the wanted model is listed and does not answer yet: 500; how the command ended is not known: it hangs",
    );
}

#[test]
fn a_restart_goes_on_watching() {
    let why = "how the command ended is not known: spark was restarted while the command ran";
    let resumed = |second: i64| Machine::resumed(TIMES, Timestamp(0), Timestamp(second * 1000));
    play(
        resumed(60),
        &format!("61 down refused => look\n200 answered => Done: the wanted model is listed and answered; {why}"),
    );
    play(
        resumed(60),
        &format!("899 down gone => look\n900 down gone => Unknown: the box does not answer yet: gone; {why}"),
    );
    play(resumed(5000), &format!("5001 other A => look\n5030 other A => Unknown: the box has A; {why}"));
}
