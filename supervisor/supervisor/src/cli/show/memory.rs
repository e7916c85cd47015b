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

#[cfg(test)]
mod tests {
    use platform_types::{BotName, ProfileName};

    use super::*;
    use crate::example::NOW;

    fn fact(id: &str, text: &str, shared: bool, in_prompt: bool) -> Fact {
        Fact { id: id.to_owned(), text: text.to_owned(), date: "2026-11-23".to_owned(), shared, in_prompt }
    }

    #[test]
    fn what_is_remembered_is_shown_with_what_of_it_goes_along() {
        let facts =
            vec![fact("1a2b3c4d", "Learns Italian.", false, true), fact("5e6f7a8b", "Is\u{1b} Sam.", true, false)];
        let (bot, profile) = (BotName::new("learning").unwrap(), ProfileName::new("personal").unwrap());
        let mut memories = Memories { profile, memories: vec![Memory { bot: bot.clone(), facts, prompt_bytes: 3000 }] };
        let printed = |memories: &Memories| {
            let mut screen = Screen::plain(NOW);
            list(&mut screen, memories);
            screen.into_text()
        };
        let text = printed(&memories);
        assert!(text.starts_with("learning remembers 2 facts, 1 of them in each prompt\n"), "{text}");
        for words in ["1a2b3c4d", "yes", "Learns Italian.", "all bots", r"Is\u{1b} Sam."] {
            assert!(text.contains(words), "{words}: {text}");
        }
        memories.memories[0].facts.clear();
        assert!(printed(&memories).starts_with("learning remembers 0 facts"));
        memories.memories.clear();
        assert_eq!(printed(&memories), "no bot of personal has a memory\n");
        let mut screen = Screen::plain(NOW);
        forgotten(&mut screen, &Forgotten { profile: memories.profile, bot, text: "Learns Italian.".to_owned() });
        assert_eq!(screen.into_text(), "learning forgot: Learns Italian.\n");
    }
}
