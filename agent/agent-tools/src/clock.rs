//! `clock.now`: the time, in the profile's zone or another.

use agent_core::prompt::Risk;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tool::{Context, Pending, Tool, ToolError};

/// Tells the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClockNow;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// IANA time zone such as "Europe/Berlin"; leave out for the user's own.
    #[serde(default)]
    zone: Option<String>,
}

/// For example `{"local":"2026-11-22T13:05:09+01:00","weekday":"Sunday","zone":"Europe/Berlin"}`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Now {
    local: String,
    weekday: &'static str,
    zone: String,
}

impl Tool for ClockNow {
    type Arguments = Arguments;
    type Output = Now;

    const NAME: &'static str = "clock.now";
    const DESCRIPTION: &'static str = "The current date, weekday and time.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: Arguments, context: &'a Context) -> Pending<'a, Now> {
        Box::pin(std::future::ready(now(arguments.zone.as_deref().unwrap_or(&context.timezone), context)))
    }
}

/// Whether `zone` is an IANA name that this release knows.
pub fn is_zone(zone: &str) -> bool {
    TimeZone::get(zone).is_ok()
}

/// The day in a time zone, for example `2026-11-22`; in UTC where the zone is not known.
pub fn date(at: platform_types::Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(at.as_millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    moment.to_zoned(zone).date().to_string()
}

/// A moment in a time zone, for example `2026-11-22T13:05:09+01:00`; in UTC where the zone is not known.
pub fn local(at: platform_types::Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(at.as_millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    written(&moment.to_zoned(zone))
}

fn written(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A moment as people and programs read it, for example `2026-11-22T12:00:00Z`.
pub fn utc(at: platform_types::Timestamp) -> String {
    let seconds = at.as_millis().div_euclid(1000);
    Timestamp::from_second(seconds).map_or_else(|_| format!("{} ms", at.as_millis()), |moment| moment.to_string())
}

fn now(zone: &str, context: &Context) -> Result<Now, ToolError> {
    let zone_of = TimeZone::get(zone)
        .map_err(|_| ToolError(format!("unknown time zone {zone:?}: use an IANA name such as \"Europe/Berlin\"")))?;
    let moment = Timestamp::from_millisecond(context.now.as_millis())
        .map_err(|_| ToolError("the clock is out of range".to_owned()))?;
    let local = moment.to_zoned(zone_of);
    Ok(Now { local: written(&local), weekday: weekday(&local), zone: zone.to_owned() })
}

fn weekday(local: &Zoned) -> &'static str {
    use jiff::civil::Weekday;
    match local.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times() {
        let context = |millis| Context {
            now: platform_types::Timestamp(millis),
            timezone: "Europe/Berlin".into(),
            bot: platform_types::BotName::new("assistant").unwrap(),
            turn: String::new(),
            upstreams: [].into(),
            house: None,
            jobs: None,
            progress: crate::Progress::new(|_| {}),
        };
        let check = |zone: &str, millis, local: &str, weekday: &str| {
            let now = now(zone, &context(millis)).unwrap();
            assert_eq!((now.local.as_str(), now.weekday), (local, weekday));
        };
        check("Europe/Berlin", 1_795_348_800_000, "2026-11-22T13:00:00+01:00", "Sunday");
        check("Europe/Berlin", 1_782_129_600_000, "2026-06-22T14:00:00+02:00", "Monday");
        check("UTC", 0, "1970-01-01T00:00:00+00:00", "Thursday");
        check("Asia/Kathmandu", 0, "1970-01-01T05:30:00+05:30", "Thursday");
        assert!(now("Mars/Olympus", &context(0)).unwrap_err().0.contains("IANA"));
        assert!(now("UTC", &context(i64::MAX)).is_err());
    }
}
