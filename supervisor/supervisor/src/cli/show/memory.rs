//! `botctl memory`.

use platform_types::memory::{Fact, Memory};
use platform_types::text::neutral;

use crate::api::wire::memory::{Forgotten, Memories};
use crate::cli::screen::{Screen, Table, Tone};

pub fn list(screen: &mut Screen, memories: &Memories) {
    screen.quote();
    if memories.memories.is_empty() {
        screen.line(format!("no bot of {} has a memory", memories.profile));
        return;
    }
    for Memory { bot, facts, .. } in &memories.memories {
        let used = facts.iter().filter(|fact| fact.in_prompt).count();
        let heading = screen.tone(Tone::Strong, bot.as_str());
        screen.line(format!("{heading} remembers {}, {used} of them in each prompt", counted(facts.len())));
        if facts.is_empty() {
            continue;
        }
        let mut table = Table::new(["ID", "DATE", "WHOSE", "PROMPT", "FACT"]);
        for Fact { id, text, date, shared, in_prompt } in facts {
            let whose = if *shared { "all bots" } else { bot.as_str() };
            let in_prompt = if *in_prompt { "yes" } else { "no" };
            table.row([id.as_str().into(), date.as_str().into(), whose.into(), in_prompt.into(), text.as_str().into()]);
        }
        screen.table(&table);
    }
    let reported = screen.tone(Tone::Faint, "as the agent reports it");
    screen.line(reported);
}

pub fn forgotten(screen: &mut Screen, forgotten: &Forgotten) {
    screen.line(format!("{} forgot: {}", forgotten.bot, neutral(&forgotten.text)));
}

fn counted(facts: usize) -> String {
    if facts == 1 { "one fact".to_owned() } else { format!("{facts} facts") }
}
