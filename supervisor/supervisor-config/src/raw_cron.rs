//! `[profile.X.bot.Y.cron.Z]`, as it is written. See [`crate::raw`].

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Something that the bot does by the clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["prompt"]))]
pub(crate) struct RawCron {
    /// When it runs, as a cron expression.
    #[schemars(example = &"0 20 * * *", extend("x-default" = "none; this or `every` is required", "x-change" = "pushed live"))]
    pub schedule: Option<String>,
    /// Runs again and again, from 10s to 31d: a number with `s`, `m`, `h` or `d`.
    #[schemars(example = &"30m", extend("x-default" = "none; this or `schedule` is required", "x-change" = "pushed live"))]
    pub every: Option<String>,
    /// IANA name of the time zone of `schedule`.
    #[schemars(example = &"Europe/Berlin", extend("x-default" = "`timezone` at the top of the file", "x-change" = "pushed live"))]
    pub timezone: Option<String>,
    /// What the bot is told; at most 8 KiB.
    #[schemars(example = &"Write the recap of today's notes.", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub prompt: Option<String>,
    /// When due times passed while the agent was not there: one run for all of them, or none.
    #[schemars(example = &"skip", extend("default" = "run_once", "x-change" = "pushed live"))]
    pub missed: Option<RawMissed>,
    /// Longest attempt, from its start.
    #[schemars(range(min = 1, max = 120), example = 30, extend("default" = 15, "x-change" = "pushed live"))]
    pub timeout_minutes: Option<u32>,
    /// Attempts after one that failed.
    #[schemars(range(min = 0, max = 10), example = 2, extend("default" = 0, "x-change" = "pushed live"))]
    pub retries: Option<u32>,
    /// A chat of a channel that gets what the bot says.
    #[schemars(
        example = json!({"channel": "telegram", "chat": 123_456_789}),
        extend("x-default" = "none: it stands on the page", "x-change" = "pushed live")
    )]
    pub deliver: Option<RawDeliver>,
    /// Tools of the bot that runs may call.
    #[schemars(example = json!(["clock.now"]), extend("x-default" = "all tools of the bot", "x-change" = "pushed live"))]
    pub tools: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawMissed {
    RunOnce,
    Skip,
}

/// A chat of a channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-type" = "chat", "required" = ["channel", "chat"]))]
pub(crate) struct RawDeliver {
    /// Name of a channel of the profile.
    #[schemars(example = &"telegram")]
    pub channel: Option<String>,
    /// Id of the chat: that of the sender, or of a group.
    #[schemars(example = 123_456_789)]
    pub chat: Option<i64>,
}
