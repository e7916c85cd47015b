//! `[profile.X.bot.Y.cron.Z]`.

use std::collections::BTreeMap;

use platform_types::channel::{ChatId, Senders};
use platform_types::cron::{CronJob, DEFAULT_TIMEOUT_MINUTES, Deliver, MAX_JOBS, MAX_PROMPT_BYTES, Missed};
use platform_types::schedule::{Expression, Interval, When};
use platform_types::{JobName, UpstreamName};

use super::{Context, DEFAULT_TIMEZONE, zone};
use crate::config::{Bot, Channel};
use crate::path::KeyPath;
use crate::raw::{RawBot, RawCron, RawDeliver, RawMissed};
use crate::suggest::{listed, nearest};

const EXPRESSION: &str =
    "Write five fields: minute, hour, day of the month, month, day of the week. For example: schedule = \"0 20 * * *\"";
const INTERVAL: &str =
    "Write a number with s, m, h or d. For example: every = \"30m\". For a time of day use `schedule`.";

/// The jobs of each bot, by the bot's name, as they are written.
pub(super) type RawJobs = BTreeMap<String, BTreeMap<String, RawCron>>;

/// What a job refers to.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub bots: &'a [Bot],
    pub channels: &'a BTreeMap<UpstreamName, Channel>,
    /// The platform's.
    pub timezone: &'a str,
}

/// Takes the jobs out of the bots: they are looked at when everything that they refer to is known.
pub(super) fn take(bots: &mut BTreeMap<String, RawBot>) -> RawJobs {
    bots.iter_mut().filter_map(|(name, bot)| Some((name.clone(), bot.cron.take()?))).collect()
}

/// All jobs of a profile, in the order of the file.
pub(super) fn jobs(raw: RawJobs, path: &KeyPath, around: Around<'_>, context: &mut Context<'_>) -> Vec<CronJob> {
    let mut in_file_order: Vec<(KeyPath, String, String, RawCron)> = Vec::new();
    for (bot, jobs) in raw {
        let path = path.key(&bot).key("cron");
        in_file_order.extend(jobs.into_iter().map(|(name, raw)| (path.key(&name), bot.clone(), name, raw)));
    }
    in_file_order.sort_by_key(|(path, ..)| context.report.document().place(path));
    if in_file_order.len() > MAX_JOBS {
        let message = format!("{} jobs of one profile are more than {MAX_JOBS}", in_file_order.len());
        context.report.error(path, message, "Use fewer, or spread them over profiles.");
    }
    let jobs = in_file_order.into_iter().filter_map(|(path, bot, name, raw)| {
        let name = context.named(JobName::new(name), &path);
        // A bot that was refused has been reported.
        let bot = around.bots.iter().find(|known| known.name.as_str() == bot);
        job((bot, name), raw, &path, (around, &mut *context))
    });
    jobs.collect()
}

fn job(
    (bot, name): (Option<&Bot>, Option<JobName>),
    raw: RawCron,
    path: &KeyPath,
    (around, context): (Around<'_>, &mut Context<'_>),
) -> Option<CronJob> {
    let RawCron { schedule, every, timezone, prompt, missed, timeout_minutes, retries, deliver, tools } = raw;
    let when = when(schedule, every, path, context);
    let timezone = self::timezone(timezone, when.as_ref(), (&path.key("timezone"), around), context);
    let prompt = prompt.and_then(|prompt| self::prompt(prompt, &path.key("prompt"), context));
    let deliver = match deliver {
        Some(deliver) => Some(self::deliver(deliver, &path.key("deliver"), around, context)?),
        None => None,
    };
    let tools = tools.map(|tools| {
        let path = path.key("tools");
        let of_bot = bot.map(|bot| bot.tools.as_slice()).unwrap_or_default();
        context.each(Some(tools), &path, |context, tool, path| context.tool_of(of_bot, tool, path))
    });
    Some(CronJob {
        bot: bot?.name.clone(),
        name: name?,
        when: when?,
        timezone: timezone?,
        prompt: prompt?,
        missed: match missed {
            None | Some(RawMissed::RunOnce) => Missed::RunOnce,
            Some(RawMissed::Skip) => Missed::Skip,
        },
        timeout_minutes: timeout_minutes.unwrap_or(DEFAULT_TIMEOUT_MINUTES),
        retries: retries.unwrap_or(0),
        deliver,
        tools,
    })
}

/// Exactly one of the two.
fn when(schedule: Option<String>, every: Option<String>, path: &KeyPath, context: &mut Context<'_>) -> Option<When> {
    match (schedule, every) {
        (Some(text), None) => {
            context.parsed(Expression::new(&text), &path.key("schedule"), EXPRESSION).map(When::Schedule)
        }
        (None, Some(text)) => {
            context.parsed(Interval::new(&text), &path.key("every"), INTERVAL).map(When::EverySeconds)
        }
        (None, None) => {
            context.report.error(&path.key("schedule"), "it is missing, and so is `every`", EXPRESSION);
            None
        }
        (Some(_), Some(_)) => {
            let message = "a job has `schedule` or `every`, not both";
            context.report.error(&path.key("every"), message, "Remove one of the two.");
            None
        }
    }
}

/// The job's own, or the platform's; an interval is the same in every time zone.
fn timezone(
    own: Option<String>,
    when: Option<&When>,
    (path, around): (&KeyPath, Around<'_>),
    context: &mut Context<'_>,
) -> Option<String> {
    if let Some(When::EverySeconds(_)) = when {
        if own.is_some() {
            let remedy = "Remove it: an interval is the same in every time zone.";
            context.report.warning(path, "it means nothing to an interval", remedy);
        }
        return Some(DEFAULT_TIMEZONE.to_owned());
    }
    own.map_or_else(|| Some(around.timezone.to_owned()), |name| zone(&name, path, context))
}

fn prompt(text: String, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    let message = if text.trim().is_empty() {
        "it is empty".to_owned()
    } else if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')) {
        "it holds control characters".to_owned()
    } else if text.len() > MAX_PROMPT_BYTES {
        format!("it has {} bytes", text.len())
    } else {
        return Some(text);
    };
    let remedy = format!("Write what the bot shall do, in at most {MAX_PROMPT_BYTES} bytes.");
    context.report.error(path, message, remedy);
    None
}

/// `None` where the chat was refused.
fn deliver(raw: RawDeliver, path: &KeyPath, around: Around<'_>, context: &mut Context<'_>) -> Option<Deliver> {
    let RawDeliver { channel, chat } = raw;
    let (name, chat) = (channel?, ChatId(chat?));
    let found = around.channels.iter().find(|(known, _)| known.as_str() == name);
    let Some((channel, Channel { senders, allow, groups, .. })) = found else {
        let known = || around.channels.keys().map(UpstreamName::as_str);
        let remedy = match nearest(&name, known()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None if around.channels.is_empty() => "Add a channel to the profile, or leave the key out.".to_owned(),
            None => format!("Choose from {}.", listed(known())),
        };
        context.report.error(&path.key("channel"), format!("there is no channel {name:?} in this profile"), remedy);
        return None;
    };
    let listed = allow.contains(&chat) || groups.contains(&chat);
    let message = match senders {
        _ if chat.0 == 0 => "0 is no chat".to_owned(),
        Senders::Closed => format!("the channel {channel} is closed: nothing goes there"),
        Senders::Allowlist if !listed => format!("the channel {channel} does not know the chat {chat}"),
        Senders::Pairing if chat.0 < 0 && !listed => format!("the channel {channel} does not know the group {chat}"),
        Senders::Allowlist | Senders::Pairing => return Some(Deliver { channel: channel.clone(), chat }),
    };
    context.report.error(
        &path.key("chat"),
        message,
        "Write a sender's id that is in `allow`, or a group's in `groups`.",
    );
    None
}
