//! What people tell the channel itself, and not the bot.

use super::Me;

/// Longest name of a command (Bot API, `BotCommand`).
const MAX_NAME_CHARS: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Sent when somebody opens the chat, with whatever stood in the link.
    Start,
    /// The next message begins a new conversation.
    New,
    /// Ends the answer that runs.
    Stop,
    Status,
    Help,
    /// The bot that answers from now on; `None`: which there are.
    Bot(Option<String>),
    Unknown,
}

/// How a text reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// No command.
    Text,
    Command(Command),
    /// A command that names this bot.
    Addressed(Command),
    /// A command that names another bot.
    ForAnother,
}

/// Reads a command at the beginning of `text`, perhaps after a mention of the bot.
pub fn parse(me: &Me, text: &str) -> Parsed {
    let text = after_mention(me, text);
    let Some(rest) = text.strip_prefix('/') else { return Parsed::Text };
    let (word, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (name, to) = match word.split_once('@') {
        Some((name, to)) => (name, Some(to)),
        None => (word, None),
    };
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !is_name(name) || !to.is_none_or(is_name) {
        return Parsed::Text;
    }
    let command = match name.to_ascii_lowercase().as_str() {
        "start" => Command::Start,
        "new" => Command::New,
        "stop" => Command::Stop,
        "status" => Command::Status,
        "help" => Command::Help,
        "bot" => Command::Bot(arguments.split_whitespace().next().map(str::to_owned)),
        _ => Command::Unknown,
    };
    match to {
        None => Parsed::Command(command),
        Some(to) if !to.is_empty() && to.eq_ignore_ascii_case(&me.username) => Parsed::Addressed(command),
        Some(_) => Parsed::ForAnother,
    }
}

fn after_mention<'a>(me: &Me, text: &'a str) -> &'a str {
    let Some((first, rest)) = text.split_once(char::is_whitespace) else { return text };
    let names = first.strip_prefix('@').is_some_and(|name| name.eq_ignore_ascii_case(&me.username));
    if names { rest.trim_start() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn me() -> Me {
        Me { id: 42, username: "House_bot".to_owned() }
    }

    #[test]
    fn commands() {
        let check = |text: &str, expect: Parsed| assert_eq!(parse(&me(), text), expect, "{text:?}");
        let plain = |text: &str, command: Command| check(text, Parsed::Command(command));
        plain("/start", Command::Start);
        plain("/start pair-XY12_", Command::Start);
        plain("/new", Command::New);
        plain("/NEW now", Command::New);
        plain("/stop", Command::Stop);
        plain("/status", Command::Status);
        plain("/help", Command::Help);
        plain("/bot", Command::Bot(None));
        plain("/bot  notes please", Command::Bot(Some("notes".to_owned())));
        plain("/bot\nnotes", Command::Bot(Some("notes".to_owned())));
        plain("/frobnicate", Command::Unknown);
        plain("@house_bot /stop", Command::Stop);
        check("/stop@House_bot", Parsed::Addressed(Command::Stop));
        check("/bot@house_BOT notes", Parsed::Addressed(Command::Bot(Some("notes".to_owned()))));
        check("/stop@other_bot", Parsed::ForAnother);
        check("/stop@", Parsed::ForAnother);
        for text in ["", "/", "/ stop", "//stop", "stop", "say /stop", "/usr/bin", "/what?", "@other_bot /stop", "/ä"]
        {
            check(text, Parsed::Text);
        }
        check(&format!("/{}", "a".repeat(33)), Parsed::Text);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,40}", name in "[A-Za-z_]{0,8}") {
            let me = Me { id: 1, username: name };
            let parsed = parse(&me, &text);
            prop_assert!(text.contains('/') || parsed == Parsed::Text);
        }
    }
}
