//! `botctl approval`.

use std::collections::BTreeMap;

use platform_types::agent::{Approval, ApprovalState};
use platform_types::egress::{Card, CardState, Decider, Verdict};
use platform_types::text::{neutral, neutral_cut};
use platform_types::{DeviceId, ProfileName};

use super::people::named;
use crate::api::wire::approvals::{Approvals, Decided, ProfileApprovals};
use crate::cli::screen::{Cell, Screen, Table, Tone};
use crate::registry::code;

/// Digits of an id in a list.
const SHORT_DIGITS: usize = 8;
const MAX_WORDS_CHARS: usize = 100;

pub fn list(screen: &mut Screen, approvals: &Approvals) {
    screen.quote();
    for profile in &approvals.profiles {
        let ProfileApprovals { profile, confirmations, approvals, switches, problems, devices } = profile;
        for problem in problems {
            let line = screen.tone(Tone::Bad, &neutral(problem));
            screen.line(line);
        }
        if confirmations.is_empty() && approvals.is_empty() && switches.is_empty() {
            screen.line(format!("{profile}: nothing waits"));
            continue;
        }
        if !confirmations.is_empty() {
            screen.line(format!("{profile}, kept by its gate until somebody decides:"));
            cards(screen, confirmations);
        }
        if !switches.is_empty() {
            screen.line(format!("{profile}, kept by spark until somebody decides:"));
            cards(screen, switches);
        }
        if !approvals.is_empty() {
            screen.line(format!("{profile}, as its agent reports it:"));
            calls(screen, approvals, devices);
        }
    }
}

fn cards(screen: &mut Screen, cards: &[Card]) {
    let mut table = Table::new(["ID", "STATE", "THROUGH", "ASKED", "EXPIRES", "WHAT"]);
    for card in cards {
        let state = match &card.state {
            CardState::Pending => Cell::toned(Tone::Warn, "pending"),
            CardState::Decided { decision, by, at: _ } => Cell::toned(Tone::Faint, verdict(*decision, by)),
            CardState::Expired => Cell::toned(Tone::Faint, "expired"),
            CardState::Superseded => Cell::toned(Tone::Faint, "superseded"),
        };
        let expires = (card.state == CardState::Pending).then(|| screen.ago(card.expires_at));
        table.row([
            short(&card.id).into(),
            state,
            card.upstream.as_str().into(),
            screen.ago(card.created_at).into(),
            Cell::or_dash(expires),
            neutral_cut(&card.words, MAX_WORDS_CHARS).into(),
        ]);
    }
    screen.table(&table);
}

fn calls(screen: &mut Screen, calls: &[Approval], devices: &BTreeMap<DeviceId, String>) {
    let mut table = Table::new(["ID", "STATE", "BOT", "TOOL", "ASKED", "EXPIRES", "WHY"]);
    for call in calls {
        let pending = call.state == ApprovalState::Pending;
        let by = call.decided_by.as_deref().map(|by| format!(" by {}", named(by, devices))).unwrap_or_default();
        let tone = if pending { Tone::Warn } else { Tone::Faint };
        table.row([
            short(&call.id).into(),
            Cell::toned(tone, format!("{}{by}", call.state.as_str())),
            call.bot.as_str().into(),
            call.tool.as_str().into(),
            screen.ago(call.created_at).into(),
            Cell::or_dash(pending.then(|| screen.ago(call.expires_at))),
            neutral_cut(&call.why, MAX_WORDS_CHARS).into(),
        ]);
    }
    screen.table(&table);
}

fn verdict(verdict: Verdict, by: &Decider) -> String {
    let word = match verdict {
        Verdict::Allow => "allowed",
        Verdict::Deny => "denied",
    };
    match by {
        Decider::Device { id, name } => format!("{word} by {name} ({})", code::short(id)),
        Decider::Operator { user } => format!("{word} by operator {user}"),
    }
}

fn short(id: &str) -> &str {
    id.get(..SHORT_DIGITS).unwrap_or(id)
}

/// Everything that is decided: the gate's own words, facts and request.
pub fn card(screen: &mut Screen, profile: &ProfileName, card: &Card) {
    let Card { id, upstream, rule, words, facts, request, digest, reason, created_at, expires_at, state: _ } = card;
    screen.line(format!("{profile}: {upstream} is to do this once (rule {}):", neutral(rule)));
    screen.blank();
    let words = screen.tone(Tone::Strong, &neutral(words));
    screen.line(format!("  {words}"));
    for (label, value) in facts {
        screen.line(format!("  {}: {}", neutral(label), neutral(value)));
    }
    screen.blank();
    indented(screen, request);
    if let Some(reason) = reason {
        screen.blank();
        screen.line(format!("  the bot says (nobody checked it): {}", neutral(reason)));
    }
    end(screen, (id, digest), &screen.ago(*created_at), &screen.ago(*expires_at));
}

/// Everything that is decided, as the agent reports it.
pub fn call(screen: &mut Screen, profile: &ProfileName, call: &Approval) {
    screen.line(format!(
        "{profile}: the bot {} wants to call {}, as its agent reports it:",
        call.bot,
        neutral(&call.tool)
    ));
    screen.blank();
    indented(screen, &call.arguments);
    screen.blank();
    screen.line(format!("  asked because: {}", neutral(&call.why)));
    end(screen, (&call.id, &call.digest), &screen.ago(call.created_at), &screen.ago(call.expires_at));
}

fn indented(screen: &mut Screen, text: &str) {
    for line in text.lines() {
        screen.line(format!("    {}", neutral(line)));
    }
}

fn end(screen: &mut Screen, (id, digest): (&str, &str), asked: &str, expires: &str) {
    screen.blank();
    let line = format!("  asked {asked}, expires {expires}; id {}, digest {}", neutral(id), neutral(digest));
    let line = screen.tone(Tone::Faint, &line);
    screen.line(line);
}

pub fn decided(screen: &mut Screen, decided: &Decided) {
    let word = if decided.allow { "allowed" } else { "denied" };
    screen.line(format!(
        "{} of {} is {word}, by operator {}",
        short(&decided.id),
        decided.profile,
        neutral(&decided.user)
    ));
}
