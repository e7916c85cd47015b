//! `botctl audit`.

use platform_types::audit::Chain;
use platform_types::text::neutral;

use super::people::named;
use crate::api::wire::audit::{ChainState, Line, Trail};
use crate::cli::screen::{Screen, Table, Tone};

pub fn show(screen: &mut Screen, trail: &Trail) {
    screen.quote();
    if !trail.lines.is_empty() {
        let mut table = Table::new(["WHEN", "CHAIN", "WHAT", "WHO", ""]);
        for line in &trail.lines {
            let Line { at, chain, kind, actor, words, .. } = line;
            table.row([
                screen.moment(*at).into(),
                name(*chain).into(),
                kind.as_str().into(),
                named(actor, &trail.devices).into(),
                named(words, &trail.devices).into(),
            ]);
        }
        screen.table(&table);
        let note = screen.tone(Tone::Faint, "what the agent's chain says is as the agent reports it");
        screen.line(note);
        screen.blank();
    }
    if trail.verified.is_none() && trail.chains.iter().all(|chain| chain.problem.is_none()) {
        if trail.lines.is_empty() {
            screen.line(format!("{}: nothing is on record", trail.profile));
        }
        return;
    }
    for chain in trail.chains.iter().filter(|chain| trail.verified.is_some() || chain.problem.is_some()) {
        let (tone, words) = match &chain.problem {
            Some(problem) => (Tone::Bad, problem.clone()),
            None => (Tone::Good, holds(chain)),
        };
        let line = format!("{:<10}  {}", name(chain.chain), screen.tone(tone, &neutral(&words)));
        screen.line(line);
    }
}

fn holds(state: &ChainState) -> String {
    let ChainState { chain: _, head, rotated, anchored, unproven, problem: _ } = state;
    let Some(head) = head else { return "holds: it is empty".to_owned() };
    let gone = match rotated {
        0 => String::new(),
        count => format!("; the first {count} are not kept any more"),
    };
    let proven = match (anchored.unwrap_or_default(), unproven.unwrap_or_default()) {
        (0, _) => "nobody has kept its head yet: none is proven".to_owned(),
        (anchored, 0) => format!("proven up to entry {anchored}"),
        (anchored, 1) => format!("proven up to entry {anchored}, 1 entry after it is not proven"),
        (anchored, more) => format!("proven up to entry {anchored}, {more} entries after it are not proven"),
    };
    format!("holds up to entry {}: {proven}{gone}", head.n)
}

pub fn name(chain: Chain) -> &'static str {
    match chain {
        Chain::Agent => "agent",
        Chain::Gate => "gate",
        Chain::Supervisor => "supervisor",
    }
}
