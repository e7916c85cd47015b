//! `botctl dm`.

use platform_types::text::neutral;

use crate::api::wire::senders::{Sender, SenderChanged, SenderState, Senders};
use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn senders(screen: &mut Screen, senders: &Senders) {
    let Senders { profile, now: _, channels, senders, requests } = senders;
    if channels.is_empty() {
        screen.line(format!("{profile} has no channel: see [profile.{profile}.channel.NAME] in platform.toml"));
    }
    if !requests.is_empty() {
        let title = screen.tone(Tone::Strong, "waiting for you:");
        screen.line(title);
        let mut table = Table::new(["CHANNEL", "ID", "CALLS HIMSELF", "ASKED", "EXPIRES"]);
        for request in requests {
            table.row([
                request.channel.as_str().into(),
                Cell::toned(Tone::Warn, request.id.to_string()),
                request.name.as_str().into(),
                screen.ago(request.asked_at).into(),
                screen.ago(request.expires_at).into(),
            ]);
        }
        screen.table(&table);
        let hint = format!("the code is with the sender; ask for it, then: botctl dm approve {profile} CODE");
        let hint = screen.tone(Tone::Faint, &hint);
        screen.line(hint);
    }
    if senders.is_empty() {
        if requests.is_empty() && !channels.is_empty() {
            screen.line(format!("nobody was approved or blocked yet; who writes to {profile} gets a code to show you"));
        }
        return;
    }
    if !requests.is_empty() {
        screen.blank();
    }
    let mut table = Table::new(["CHANNEL", "ID", "CALLS HIMSELF", "SINCE", "STATE"]);
    for Sender { channel, id, name, state, changed_at } in senders {
        let state = match state {
            SenderState::Approved => Cell::toned(Tone::Good, "approved"),
            SenderState::Blocked => Cell::toned(Tone::Warn, "blocked"),
            SenderState::Revoked => Cell::toned(Tone::Faint, "revoked: has to ask again"),
        };
        let since = screen.ago(*changed_at);
        table.row([channel.as_str().into(), id.to_string().into(), name.as_str().into(), since.into(), state]);
    }
    screen.table(&table);
}

pub fn approved(screen: &mut Screen, changed: &SenderChanged) {
    said(screen, changed, "may write to");
}

pub fn blocked(screen: &mut Screen, changed: &SenderChanged) {
    said(screen, changed, "is not heard any more by");
}

pub fn forgotten(screen: &mut Screen, changed: &SenderChanged) {
    said(screen, changed, "is unknown again to");
}

fn said(screen: &mut Screen, changed: &SenderChanged, what: &str) {
    let SenderChanged { profile, sender: Sender { channel, id, name, .. }, pushed } = changed;
    let who = if name.is_empty() { String::new() } else { format!("{} ", neutral(name)) };
    screen.line(format!("{who}({channel}/{id}) {what} {profile}"));
    super::registry::unconfirmed(screen, *pushed);
}
