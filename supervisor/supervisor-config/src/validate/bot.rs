//! `[profile.X.bot.Y]`.

use std::collections::BTreeMap;

use platform_types::spark::DEMO_MODEL;
use platform_types::{BotName, ModelId};

use super::Context;
use super::spark::{Section, box_model};
use crate::config::Bot;
use crate::instructions::{DEFAULT_FILE, MAX_INSTRUCTIONS_BYTES, is_file_name, shipped};
use crate::path::KeyPath;
use crate::raw::RawBot;
use crate::suggest::{listed, nearest};

/// Bots of one profile: people choose from a list on a phone.
const MAX_BOTS: usize = 32;
/// The bot of a profile without bots, and its one tool.
const DEFAULT_BOT: &str = "assistant";
const DEFAULT_TOOL: &str = "clock.now";

/// The bots in the order of the file, or the one that every profile has.
pub(super) fn bots(
    raw: BTreeMap<String, RawBot>,
    path: &KeyPath,
    spark: &Section,
    context: &mut Context<'_>,
) -> Vec<Bot> {
    if raw.is_empty() {
        return default_bot(spark).into_iter().collect();
    }
    if raw.len() > MAX_BOTS {
        let message = format!("{} bots are more than {MAX_BOTS}", raw.len());
        context.report.error(path, message, "Use fewer bots, or spread them over profiles.");
    }
    let mut in_file_order: Vec<_> = raw.into_iter().map(|(name, raw)| (path.key(&name), name, raw)).collect();
    in_file_order.sort_by_key(|(path, ..)| context.report.document().place(path));
    in_file_order.into_iter().filter_map(|(path, name, raw)| bot(name, raw, &path, spark, context)).collect()
}

fn default_bot(spark: &Section) -> Option<Bot> {
    Some(Bot {
        name: BotName::new(DEFAULT_BOT).ok()?,
        title: capitalised(DEFAULT_BOT),
        instructions: DEFAULT_FILE.to_owned(),
        model: spark.default_model()?,
        tools: vec![DEFAULT_TOOL.to_owned()],
        documents: Vec::new(),
    })
}

fn bot(name: String, raw: RawBot, path: &KeyPath, spark: &Section, context: &mut Context<'_>) -> Option<Bot> {
    // Its jobs are looked at when the channels are known.
    let RawBot { title, instructions, model, tools, documents, cron: _ } = raw;
    let title = match title {
        Some(title) => context.line(title, &path.key("title")),
        None => Some(capitalised(&name)),
    };
    let name = context.named(BotName::new(name), path);
    let instructions = match instructions {
        Some(file) => instructions_file(file, &path.key("instructions"), context),
        None => Some(DEFAULT_FILE.to_owned()),
    };
    let model = match model {
        Some(model) => bot_model(model, &path.key("model"), spark, context),
        None => spark.default_model(),
    };
    let tools = context.each(tools, &path.key("tools"), Context::tool);
    let documents = super::documents::documents(documents, &path.key("documents"), context);
    Some(Bot { name: name?, title: title?, instructions: instructions?, model: model?, tools, documents })
}

fn bot_model(model: String, path: &KeyPath, spark: &Section, context: &mut Context<'_>) -> Option<ModelId> {
    if !spark.is_absent() {
        return box_model(model, path, context);
    }
    let model = context.named(ModelId::new(model), path)?;
    if model.as_str() == DEMO_MODEL {
        return Some(model);
    }
    let message = format!("without [spark] there is only the built-in model {DEMO_MODEL}");
    context.report.error(path, message, "Add a [spark] section with the URL of the model box, or leave the key out.");
    None
}

/// `bots/<name>.md`, shipped or yours.
fn instructions_file(file: String, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    if !is_file_name(&file) {
        let message = format!("{file:?} is not a file of instructions");
        context.report.error(path, message, "Write \"bots/NAME.md\", with a name of a-z, 0-9 and '-'.");
        return None;
    }
    let message = match context.surroundings.instructions.get(&file) {
        None if shipped(&file).is_some() => return Some(file),
        None => format!("{file} does not exist"),
        Some(text) if text.trim().is_empty() => format!("{file} is empty"),
        Some(text) if text.len() > MAX_INSTRUCTIONS_BYTES => {
            format!("{file} is longer than {} KiB", MAX_INSTRUCTIONS_BYTES / 1024)
        }
        Some(_) => return Some(file),
    };
    let remedy = format!("Write the bot's instructions into {file} beside platform.toml, or leave the key out.");
    context.report.error(path, message, remedy);
    None
}

impl Context<'_> {
    fn tool(&mut self, tool: &str, path: &KeyPath) -> Option<String> {
        let known = || self.surroundings.tools.iter().map(String::as_str);
        if known().any(|name| name == tool) {
            return Some(tool.to_owned());
        }
        let remedy = match nearest(tool, known()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => format!("Remove it; the tools of this release are {}.", listed(known())),
        };
        self.report.error(path, format!("there is no tool {tool:?}"), remedy);
        None
    }
}

impl Context<'_> {
    /// A tool that the bot itself has.
    pub(super) fn tool_of(&mut self, tools: &[String], tool: &str, path: &KeyPath) -> Option<String> {
        if tools.iter().any(|known| known == tool) {
            return Some(tool.to_owned());
        }
        let known = || tools.iter().map(String::as_str);
        let remedy = match nearest(tool, known()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => "Add it to the bot's `tools` first, or remove it here.".to_owned(),
        };
        self.report.error(path, format!("the bot does not have the tool {tool:?}"), remedy);
        None
    }
}

fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
