//! What an upstream lets pass: the lists of its preset, or rules.

use platform_types::ways::{Requeue, SCENE, domain_of};

use super::{Context, rule};
use crate::config::{Allows, House, Jobs};
use crate::path::KeyPath;
use crate::presets::home_assistant::RISKY;
use crate::raw::{RawPreset, RawRequeue, RawRule};

/// The keys that belong to one preset, or to none.
pub(super) struct Lists {
    pub read: Option<Vec<String>>,
    pub entities: Option<Vec<String>>,
    pub scenes: Option<Vec<String>>,
    pub confirm: Option<Vec<String>>,
    pub table: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub requeue: Option<RawRequeue>,
    pub rule: Option<Vec<RawRule>>,
}

const KEYS: [&str; 8] = ["read", "entities", "scenes", "confirm", "table", "kinds", "requeue", "rule"];

pub(super) fn allows(
    preset: Option<RawPreset>,
    lists: Lists,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<Allows> {
    let own: &[&str] = match preset {
        Some(RawPreset::HomeAssistant) => &["read", "entities", "scenes", "confirm"],
        Some(RawPreset::SupabaseJobs) => &["table", "kinds", "requeue"],
        Some(RawPreset::Telegram) => &[],
        None => &["rule"],
    };
    for key in KEYS {
        if !own.contains(&key) && context.report.document().contains(&path.key(key)) {
            let remedy = "Remove it, or choose the preset that it belongs to.";
            context.report.error(&path.key(key), "it does not belong to this preset", remedy);
        }
    }
    match preset {
        Some(RawPreset::HomeAssistant) => Some(Allows::HomeAssistant(house(lists, path, context))),
        Some(RawPreset::SupabaseJobs) => jobs(lists, path, context).map(Allows::SupabaseJobs),
        Some(RawPreset::Telegram) => {
            if !context.report.document().contains(&path.key("token")) {
                let remedy = "Write for example: token = { secret = \"telegram-token\" }";
                context.report.error(&path.key("token"), "it is missing", remedy);
            }
            Some(Allows::Telegram)
        }
        None => rule::rules(lists.rule.unwrap_or_default(), &path.key("rule"), context).map(Allows::Rules),
    }
}

fn house(lists: Lists, path: &KeyPath, context: &mut Context<'_>) -> House {
    let mut list = |ids, key: &str| context.each(ids, &path.key(key), Context::entity);
    let house = House {
        read: list(lists.read, "read"),
        entities: list(lists.entities, "entities"),
        scenes: list(lists.scenes, "scenes"),
        confirm: list(lists.confirm, "confirm"),
    };
    for id in house.entities.iter().filter(|id| !house.confirm.contains(id)) {
        let domain = domain_of(id);
        if RISKY.contains(&domain) {
            let remedy =
                "Write it into `confirm`, so that a person confirms each change; or into `read`, if bots only see it.";
            context.report.error(&path.key("entities"), format!("{id} would be set unasked"), remedy);
        } else if domain == "script" {
            let remedy = "Write it into `confirm`, unless it does nothing that a person has to allow.";
            context.report.warning(&path.key("entities"), format!("what {id} does is not known here"), remedy);
        }
    }
    for id in house.scenes.iter().filter(|id| domain_of(id) != SCENE) {
        let remedy = "Write the id of a scene; other entities belong into `entities` or `confirm`.";
        context.report.error(&path.key("scenes"), format!("{id} is not a scene"), remedy);
    }
    house
}

fn jobs(lists: Lists, path: &KeyPath, context: &mut Context<'_>) -> Option<Jobs> {
    let Some(table) = lists.table else {
        context.report.error(&path.key("table"), "it is missing", "Write for example: table = \"jobs\"");
        return None;
    };
    let kinds = context.each(lists.kinds, &path.key("kinds"), Context::token_text);
    let requeue = match lists.requeue {
        None | Some(RawRequeue::Function) => Requeue::Function,
        Some(RawRequeue::CompareAndSet) => Requeue::CompareAndSet,
    };
    Some(Jobs { table: context.token_text(&table, &path.key("table"))?, kinds, requeue })
}

impl Context<'_> {
    /// `domain.name`, as Home Assistant names its entities.
    fn entity(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let valid = text.split_once('.').is_some_and(|(domain, name)| part(domain) && part(name));
        if !valid {
            let message = format!("{text:?} is not an entity id");
            self.report.error(path, message, "Write an id as Home Assistant shows it, for example \"light.kitchen\".");
        }
        valid.then(|| text.to_owned())
    }
}
