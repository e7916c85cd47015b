//! `botctl open`, `botctl device`, `botctl token`.

use platform_types::gate::Scope;
use platform_types::text::neutral;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::api::wire::registry::{
    Device, DeviceChanged, Devices, Link, RequestRefused, TokenCreated, TokenRevoked, Tokens,
};
use crate::cli::screen::{Cell, Screen, Table, Tone};
use crate::measure::span;

/// `qr`: draw the link too.
pub fn link(screen: &mut Screen, link: &Link, qr: bool) {
    let minutes = span(link.expires_at.millis_since(link.created_at));
    screen.line(format!("{}: open this once, within {minutes}, in the browser to be paired:", link.profile));
    screen.blank();
    let url = screen.tone(Tone::Strong, &link.url);
    screen.line(format!("  {url}"));
    if qr {
        screen.blank();
        draw(screen, &link.url);
    }
    if !link.pushed {
        screen.blank();
        let late = screen.tone(Tone::Warn, "the gate has not confirmed it yet; botctl status tells when it is ready");
        screen.line(late);
    }
}

/// Black on white whatever the terminal's colours, where colours are wanted; else for a dark terminal.
fn draw(screen: &mut Screen, text: &str) {
    let Ok(code) = QrCode::with_error_correction_level(text, qrcode::EcLevel::L) else { return };
    let mut renderer = code.render::<Dense1x2>();
    if !screen.has_colour() {
        renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
    }
    for line in renderer.build().lines() {
        let line = if screen.has_colour() { format!("  \u{1b}[30;107m{line}\u{1b}[0m") } else { format!("  {line}") };
        screen.line(line);
    }
}

pub fn devices(screen: &mut Screen, devices: &Devices) {
    if !devices.requests.is_empty() {
        let title = screen.tone(Tone::Strong, "waiting for you:");
        screen.line(title);
        let mut table = Table::new(["CODE", "NAME", "TAILNET USER", "ASKED", "EXPIRES"]);
        for request in &devices.requests {
            table.row([
                Cell::toned(Tone::Warn, &request.code),
                request.name.as_str().into(),
                Cell::or_dash(request.login.clone()),
                screen.ago(request.asked_at).into(),
                screen.ago(request.expires_at).into(),
            ]);
        }
        screen.table(&table);
        let hint =
            format!("approve only a code that you see in front of you: botctl device approve {} CODE", devices.profile);
        let hint = screen.tone(Tone::Faint, &hint);
        screen.line(hint);
    }
    if devices.devices.is_empty() {
        if devices.requests.is_empty() {
            screen.line(format!("nobody is paired with {0} yet: botctl open {0}", devices.profile));
        }
        return;
    }
    screen.blank();
    let mut table = Table::new(["CODE", "NAME", "MAY", "PAIRED", "LAST SEEN", "STATE"]);
    for device in &devices.devices {
        table.row(device_row(screen, device));
    }
    screen.table(&table);
}

fn device_row(screen: &Screen, device: &Device) -> [Cell; 6] {
    let state = match device.revoked_at {
        None => Cell::toned(Tone::Good, "paired"),
        Some(at) => Cell::toned(Tone::Faint, format!("revoked {}", screen.ago(at))),
    };
    [
        device.code.as_str().into(),
        device.name.as_str().into(),
        scopes(&device.scopes).into(),
        screen.ago(device.added_at).into(),
        Cell::or_dash(device.seen_at.map(|at| screen.ago(at))),
        state,
    ]
}

fn scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub fn approved(screen: &mut Screen, changed: &DeviceChanged) {
    let Device { code, name, scopes: may, .. } = &changed.device;
    screen.line(format!("{} ({code}) is paired with {} and may {}", neutral(name), changed.profile, scopes(may)));
    unconfirmed(screen, changed.pushed);
}

pub fn changed(screen: &mut Screen, changed: &DeviceChanged) {
    let Device { code, name, scopes: may, .. } = &changed.device;
    screen.line(format!("{} ({code}) of {} may {}", neutral(name), changed.profile, scopes(may)));
    unconfirmed(screen, changed.pushed);
}

pub fn refused(screen: &mut Screen, refused: &RequestRefused) {
    screen.line(format!("{} ({}) was turned away", neutral(&refused.request.name), refused.request.code));
}

pub fn revoked(screen: &mut Screen, changed: &DeviceChanged) {
    let Device { code, name, .. } = &changed.device;
    screen.line(format!("{} ({code}) has no access to {} any more", neutral(name), changed.profile));
    unconfirmed(screen, changed.pushed);
}

pub fn token_created(screen: &mut Screen, created: &TokenCreated) {
    screen.line(format!("the token {} of {}, shown this once:", neutral(&created.name), created.profile));
    screen.blank();
    let token = screen.tone(Tone::Strong, &created.token);
    screen.line(format!("  {token}"));
    screen.blank();
    screen.line(format!("try it: curl -H 'Authorization: Bearer {}' {}/models", created.token, created.base_url));
    unconfirmed(screen, created.pushed);
}

pub fn token_revoked(screen: &mut Screen, revoked: &TokenRevoked) {
    screen.line(format!("the token {} of {} is of no use any more", neutral(&revoked.name), revoked.profile));
    unconfirmed(screen, revoked.pushed);
}

pub fn tokens(screen: &mut Screen, tokens: &Tokens) {
    if tokens.tokens.is_empty() {
        screen.line(format!(
            "{0} has no token; the endpoint for scripts is off. Make one: botctl token create {0} NAME",
            tokens.profile
        ));
        return;
    }
    let mut table = Table::new(["NAME", "MADE", "LAST SEEN", "STATE"]);
    for token in &tokens.tokens {
        let state = match token.revoked_at {
            None => Cell::toned(Tone::Good, "in use"),
            Some(at) => Cell::toned(Tone::Faint, format!("revoked {}", screen.ago(at))),
        };
        table.row([
            token.name.as_str().into(),
            screen.ago(token.created_at).into(),
            Cell::or_dash(token.seen_at.map(|at| screen.ago(at))),
            state,
        ]);
    }
    screen.table(&table);
}

pub(super) fn unconfirmed(screen: &mut Screen, pushed: bool) {
    if !pushed {
        let line = screen.tone(Tone::Warn, "the gate has not confirmed it yet; it is told as soon as it answers");
        screen.line(line);
    }
}
