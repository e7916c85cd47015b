//! What the demo model says. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use platform_types::ErrorCode;
use serde_json::Value;

use super::CONTEXT_TOKENS;
use crate::refusal::Refusal;
use crate::request::ChatRequest;

/// Most words of `/slow` and `/long`.
const MAX_WORDS: usize = 20_000;
/// The pace of `/slow`: 20 words a second, a model at reading speed.
const SLOW_PACE: Duration = Duration::from_millis(50);
/// A token is about four characters.
const CHARS_PER_TOKEN: usize = 4;

const COMMANDS: &str = "\
- `/call NAME {\"argument\": 1}` calls a tool that the bot has; more such lines call more of them\n\
- `/loop NAME {}` calls it again after every result\n\
- `/slow N` says N words, 50 ms apart\n\
- `/long N` says N words at once\n\
- `/markdown` shows what formatted text looks like\n\
- `/fail` fails before the first word, `/fail midway` after a few\n";

const CONNECT: &str = "\
I am **demo/echo**, a stand-in that is built into Bot Platform. I am not a language model: I only repeat what you say. \
To talk to a real model, put `[spark]` with `url` and `model` into `platform.toml` and run `botctl apply`. `/help` shows what I can do.";

const MARKDOWN: &str = "\
# A heading\n\n\
Text with **bold**, *italic*, ~~struck~~ words, `code` and a [link](https://example.com/).\n\n\
> A quotation\n> of two lines.\n\n\
1. first\n2. second\n   - nested\n   - [x] done\n\n\
| model | real |\n|:--|--:|\n| demo/echo | no |\n| yours | yes |\n\n\
```rust\nfn main() {\n    println!(\"<b>not HTML</b>\");\n}\n```\n\n\
---\n\n<script>alert('this stays text')</script>\n";

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    pub say: Say,
    /// Between two pieces.
    pub pace: Option<Duration>,
    pub prompt_tokens: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Say {
    /// Words, each with the space before it.
    Words(Vec<String>),
    /// Some words, and then an error.
    Broken(Vec<String>),
    Calls(Vec<Call>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// As it was typed: whether it is JSON is for the caller to find out.
    pub arguments: String,
}

/// Reads the conversation and decides on an answer.
pub fn compose(request: &ChatRequest) -> Result<Performance, Refusal> {
    let prompt_tokens = estimate(request);
    if prompt_tokens > u64::from(CONTEXT_TOKENS) {
        let message = format!(
            "the prompt has {prompt_tokens} tokens, the context window of the model {CONTEXT_TOKENS}; shorten the conversation or begin a new one"
        );
        return Err(Refusal::backend(ErrorCode::ContextLengthExceeded, message).with_param("messages"));
    }
    let asked = last_of(request, "user");
    let is_result = request.messages.last().is_some_and(|message| role(message) == "tool");
    let (command, rest) = command(&asked);
    let pace = (command == "/slow").then_some(SLOW_PACE);
    let say = match command {
        "/loop" => call(request, &asked.replacen("/loop", "/call", 1)),
        _ if is_result => Say::Words(words(&results(request))),
        "/call" => call(request, &asked),
        "/slow" | "/long" => Say::Words(numbered(rest)),
        "/markdown" => Say::Words(words(MARKDOWN)),
        "/help" => Say::Words(words(&format!("{CONNECT}\n\nCommands:\n\n{COMMANDS}"))),
        "/fail" if rest == "midway" => Say::Broken(words("This answer breaks off in")),
        "/fail" => return Err(Refusal::backend(ErrorCode::UpstreamError, "the demo model failed, as it was told to")),
        _ => Say::Words(words(&format!("You said:\n\n{}\n\n{CONNECT}", quoted(&asked)))),
    };
    Ok(Performance { say, pace, prompt_tokens })
}

/// The command in front, and the rest of its line.
fn command(text: &str) -> (&str, &str) {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.split_once(' ') {
        Some((command, rest)) => (command, rest.trim()),
        None => (line, ""),
    }
}

/// One call for each line `/call NAME ARGUMENTS`; in words when a tool is not on offer.
fn call(request: &ChatRequest, text: &str) -> Say {
    let mut calls = Vec::new();
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("/call")) {
        let (name, arguments) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments.trim() };
        match request.tools.iter().find(|offered| same_name(offered, name)) {
            Some(offered) if request.tool_choice != Some(Value::from("none")) => {
                calls.push(Call { name: offered.clone(), arguments: arguments.to_owned() });
            }
            _ => {
                let offered = if request.tools.is_empty() { "none".to_owned() } else { request.tools.join(", ") };
                return Say::Words(words(&format!(
                    "The tool `{name}` is not on offer here. On offer: {offered}.\n\n{CONNECT}"
                )));
            }
        }
    }
    Say::Calls(calls)
}

/// Clients write `clock.now` as `clock_now` where dots are not allowed.
fn same_name(offered: &str, typed: &str) -> bool {
    let plain = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    plain(offered) == plain(typed)
}

fn results(request: &ChatRequest) -> String {
    let results: Vec<&Value> = request.messages.iter().rev().take_while(|message| role(message) == "tool").collect();
    let mut text = String::new();
    for result in results.into_iter().rev() {
        let name = called_name(request, result["tool_call_id"].as_str().unwrap_or_default());
        let _ = write!(text, "The tool{name} answered:\n\n```\n{}\n```\n\n", text_of(result));
    }
    text + CONNECT
}

fn called_name(request: &ChatRequest, id: &str) -> String {
    let calls = request.messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
    calls
        .filter(|call| call["id"] == id)
        .find_map(|call| call["function"]["name"].as_str())
        .map_or_else(String::new, |name| format!(" `{name}`"))
}

fn numbered(count: &str) -> Vec<String> {
    let count = count.parse::<usize>().unwrap_or(100).clamp(1, MAX_WORDS);
    (1..=count).map(|n| if n == 1 { "word1".to_owned() } else { format!(" word{n}") }).collect()
}

fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    if lines.is_empty() { "> (nothing)".to_owned() } else { lines.join("\n") }
}

/// Cuts text into pieces that begin at a word; joined they are the text.
fn words(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let begins = c.is_whitespace() && in_word;
        in_word = !c.is_whitespace();
        match pieces.last_mut() {
            Some(piece) if !begins => piece.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

fn last_of(request: &ChatRequest, wanted: &str) -> String {
    request.messages.iter().rev().find(|message| role(message) == wanted).map(text_of).unwrap_or_default()
}

fn role(message: &Value) -> &str {
    message["role"].as_str().unwrap_or_default()
}

/// The text of a message; pictures and sounds are named.
fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| part["text"].as_str().unwrap_or("(a picture or a sound)"));
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn estimate(request: &ChatRequest) -> u64 {
    let chars: usize = request.messages.iter().map(|message| text_of(message).chars().count() + CHARS_PER_TOKEN).sum();
    u64::try_from(chars / CHARS_PER_TOKEN).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(messages: &str, tools: &[&str]) -> ChatRequest {
        let tools: Vec<Value> =
            tools.iter().map(|name| serde_json::json!({"type": "function", "function": {"name": name}})).collect();
        let body = format!(r#"{{"model":"demo/echo","messages":{messages},"tools":{}}}"#, serde_json::json!(tools));
        ChatRequest::parse(body.as_bytes()).unwrap()
    }

    fn user(text: &str) -> String {
        serde_json::json!([{"role": "user", "content": text}]).to_string()
    }

    fn says(messages: &str, tools: &[&str]) -> String {
        match compose(&request(messages, tools)).unwrap().say {
            Say::Words(words) => words.concat(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_echoes_and_says_what_it_is() {
        let said = says(&user("Hallo Welt\nzwei"), &[]);
        assert!(said.starts_with("You said:\n\n> Hallo Welt\n> zwei\n"), "{said}");
        assert!(said.contains("not a language model") && said.contains("[spark]") && said.contains("botctl apply"));
        assert!(says(&user("/help"), &[]).contains("/loop"));
        assert!(says(&user("/markdown"), &[]).contains("| demo/echo | no |"));
    }

    #[test]
    fn it_calls_tools_and_tells_their_results() {
        let calls = |text: &str, tools: &[&str]| compose(&request(&user(text), tools)).unwrap().say;
        let call = |name: &str, arguments: &str| Call { name: name.to_owned(), arguments: arguments.to_owned() };
        assert_eq!(
            calls("/call clock.now {\"zone\":\"UTC\"}", &["clock_now"]),
            Say::Calls(vec![call("clock_now", "{\"zone\":\"UTC\"}")])
        );
        assert_eq!(
            calls("/call a\n/call b {broken", &["a", "b"]),
            Say::Calls(vec![call("a", "{}"), call("b", "{broken")])
        );
        assert!(
            says(&user("/call lamp.on"), &["clock.now"])
                .contains("`lamp.on` is not on offer here. On offer: clock.now")
        );

        let after = |text: &str| {
            serde_json::json!([
                {"role": "user", "content": text},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "clock.now", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "1", "content": "12:00"}
            ])
            .to_string()
        };
        assert!(
            says(&after("/call clock.now"), &["clock.now"])
                .starts_with("The tool `clock.now` answered:\n\n```\n12:00\n```")
        );
        assert!(matches!(compose(&request(&after("/loop clock.now"), &["clock.now"])).unwrap().say, Say::Calls(_)));
    }

    #[test]
    fn long_slow_and_failing() {
        let perform = |text: &str| compose(&request(&user(text), &[]));
        let slow = perform("/slow 3").unwrap();
        assert_eq!(
            (slow.say, slow.pace),
            (Say::Words(vec!["word1".into(), " word2".into(), " word3".into()]), Some(SLOW_PACE))
        );
        assert!(matches!(perform("/long 99999999").unwrap().say, Say::Words(words) if words.len() == MAX_WORDS));
        assert!(matches!(perform("/fail midway").unwrap().say, Say::Broken(_)));
        assert_eq!(perform("/fail").unwrap_err().code(), ErrorCode::UpstreamError);
        let refusal = perform(&"word ".repeat(20_000)).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::ContextLengthExceeded);
        assert!(refusal.message().contains("25001 tokens"), "{}", refusal.message());
    }

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["", "a", " a  b\n\nc ", MARKDOWN] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("ab cd\n ef"), ["ab", " cd", "\n ef"]);
    }
}
