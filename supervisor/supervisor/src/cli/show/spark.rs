//! `botctl spark`.

use platform_types::meters::{UsageReport, UsageRow};
use platform_types::spark::{BackendKind, ModelList, SparkHealth};
use platform_types::text::neutral;

use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn health(screen: &mut Screen, health: &SparkHealth) {
    let model = neutral(health.model.as_str());
    if health.backend == BackendKind::Demo {
        screen.line(format!("spark: the built-in demo model {model} answers; no [spark] is configured"));
        return;
    }
    let url = health.url.as_deref().unwrap_or("the model box");
    screen.line(format!("spark: {model} at {url}, asked in {} ms", health.latency_millis));
    // Each fact is asked only where the one before holds.
    let mut asked = true;
    for (fact, holds) in
        [("reachable", health.reachable), ("answering", health.answering), ("model listed", health.model_listed)]
    {
        let word = match (asked, holds) {
            (false, _) => "not asked".to_owned(),
            (true, true) => screen.tone(Tone::Good, "yes"),
            (true, false) => screen.tone(Tone::Bad, "no"),
        };
        screen.line(format!("  {fact:<13} {word}"));
        asked &= holds;
    }
    if let Some(problem) = &health.problem {
        let problem = screen.tone(Tone::Bad, &neutral(problem));
        screen.line(format!("  {problem}"));
    }
}

pub fn models(screen: &mut Screen, models: &ModelList) {
    if models.data.is_empty() {
        screen.line("the model box lists no model");
        return;
    }
    let mut table = Table::new(["MODEL", "CONTEXT", "LOADED", "OWNER"]).right([1]);
    for model in &models.data {
        let loaded = model.loaded.map(|loaded| if loaded { "yes" } else { "no" }.to_owned());
        table.row([
            model.id.as_str().into(),
            Cell::or_dash(model.context_window.map(|tokens| tokens.to_string())),
            Cell::or_dash(loaded),
            Cell::or_dash(Some(model.owned_by.clone()).filter(|owner| !owner.is_empty())),
        ]);
    }
    screen.table(&table);
}

pub fn usage(screen: &mut Screen, usage: &UsageReport) {
    let UsageReport { since, rows } = usage;
    if rows.is_empty() {
        screen.line(format!("nothing was asked of the model since {}", screen.moment(*since)));
        return;
    }
    screen.line(format!(
        "tokens of requests since {}; estimated are those whose server did not tell",
        screen.moment(*since)
    ));
    let mut table = Table::new(["PROFILE", "BOT", "REQUESTS", "ESTIMATED", "INPUT", "CACHED", "OUTPUT", "LAST"]);
    for UsageRow { profile, bot, used } in rows {
        table.row([
            profile.as_str().into(),
            Cell::or_dash(bot.as_ref().map(ToString::to_string)),
            used.requests.to_string().into(),
            used.estimated.to_string().into(),
            used.input_tokens.to_string().into(),
            used.cached_tokens.to_string().into(),
            used.output_tokens.to_string().into(),
            screen.ago(used.last).into(),
        ]);
    }
    screen.table(&table.right([2, 3, 4, 5, 6]));
}
