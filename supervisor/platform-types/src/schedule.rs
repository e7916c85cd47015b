//! When something is done: five-field cron expressions, and intervals. Values only; who has a clock and a time zone says when
//! that is.

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// Shortest and longest interval, in seconds: a job has to be able to end before its next run, and a month is for an expression.
pub const INTERVAL_SECONDS: RangeInclusive<u32> = 10..=31 * 86_400;

/// When something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At times of day.
    Schedule(Expression),
    /// Again and again, in seconds; counted from the beginning of 1970 (UTC), so that it does not depend on who counts since when.
    EverySeconds(Interval),
}

/// A valid expression: minute, hour, day of the month, month, day of the week, one space between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    text: String,
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    /// From 0, Sunday, to 6.
    weekdays: Values,
}

/// A number of seconds in [`INTERVAL_SECONDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Interval(u32);

/// Why a text is neither; a clause without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError(String);

/// What a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Values {
    bits: u64,
    /// It begins with a star.
    starred: bool,
}

/// One of the five fields.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names that stand for numbers, from `least` on.
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of the month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    Field { name: "day of the week", least: 0, most: 7, names: DAYS },
];

/// Days of each month, in a leap year.
const MONTH_DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

impl Expression {
    /// Checks each field: `*`, numbers or names, ranges `a-b`, steps `/n`, lists `a,b`; and that there is such a day.
    pub fn new(text: &str) -> Result<Self, ScheduleError> {
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        if parts.len() != FIELDS.len() {
            return Err(ScheduleError(format!("it has {} fields, a schedule has five", parts.len())));
        }
        let mut fields = [Values { bits: 0, starred: false }; FIELDS.len()];
        for ((part, field), values) in parts.iter().zip(&FIELDS).zip(&mut fields) {
            *values = field.values(part).ok_or_else(|| {
                let Field { name, least, most, names: _ } = field;
                ScheduleError(format!("{part:?} is no {name}, which goes from {least} to {most}"))
            })?;
        }
        let [minutes, hours, days, months, mut weekdays] = fields;
        // Both 0 and 7 are Sunday.
        weekdays.bits = (weekdays.bits | weekdays.bits >> 7) & 0x7f;
        let found = Self { text: parts.join(" "), minutes, hours, days, months, weekdays };
        let is_some_day = |month: u8, last: u8| (1..=last).any(|day| found.fits_month(month) && found.days.has(day));
        if (found.days.starred || found.weekdays.starred) && !(1..).zip(MONTH_DAYS).any(|(m, d)| is_some_day(m, d)) {
            return Err(ScheduleError("there is no such day in any year".to_owned()));
        }
        Ok(found)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names this month, from 1 to 12.
    pub fn fits_month(&self, month: u8) -> bool {
        self.months.has(month)
    }

    /// Whether it names this day: of the month from 1, of the week from 0, Sunday. Where both fields are restricted (neither
    /// begins with a star) one of them is enough.
    pub fn fits_day(&self, day: u8, weekday: u8) -> bool {
        let (by_month, by_week) = (self.days.has(day), self.weekdays.has(weekday));
        if self.days.starred || self.weekdays.starred { by_month && by_week } else { by_month || by_week }
    }

    /// Times of a day that it names, as hour and minute, in order.
    pub fn times(&self) -> impl Iterator<Item = (u8, u8)> {
        let hours = (0..24).filter(|hour| self.hours.has(*hour));
        hours.flat_map(|hour| (0..60).filter(|minute| self.minutes.has(*minute)).map(move |minute| (hour, minute)))
    }

    /// The hour is `*`: it is about minutes of every hour that passes, not about times of day.
    pub fn is_hourly(&self) -> bool {
        self.hours.starred && self.hours.bits == (1 << 24) - 1
    }
}

impl Interval {
    /// `90s`, `30m`, `12h` or `7d`.
    pub fn new(text: &str) -> Result<Self, ScheduleError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let seconds = unit.zip(number.parse::<u32>().ok()).map(|(unit, number)| number.checked_mul(unit));
        let Some(seconds) = seconds else { return Err(ScheduleError(format!("{text:?} is not a time"))) };
        Self::try_from(seconds.unwrap_or(u32::MAX))
    }

    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Interval {
    type Error = ScheduleError;
    fn try_from(seconds: u32) -> Result<Self, ScheduleError> {
        let fits = INTERVAL_SECONDS.contains(&seconds);
        fits.then_some(Self(seconds)).ok_or_else(|| ScheduleError("an interval is from 10s to 31d".to_owned()))
    }
}

impl From<Interval> for u32 {
    fn from(interval: Interval) -> Self {
        interval.0
    }
}

/// In the largest unit that needs no fraction.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3600, "h"), (60, "m")];
        let (size, unit) = units.into_iter().find(|(size, _)| self.0.is_multiple_of(*size)).unwrap_or((1, "s"));
        write!(f, "{}{unit}", self.0 / size)
    }
}

/// As people read it: the expression, or `every 30m`.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schedule(expression) => expression.fmt(f),
            Self::EverySeconds(interval) => write!(f, "every {interval}"),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Expression {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Expression {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        Self::new(&text)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.text
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ScheduleError {}

impl Values {
    fn has(self, value: u8) -> bool {
        1_u64.checked_shl(value.into()).is_some_and(|bit| self.bits & bit != 0)
    }
}

impl Field {
    fn values(&self, part: &str) -> Option<Values> {
        let starred = part.starts_with('*');
        part.split(',').try_fold(Values { bits: 0, starred }, |values, item| {
            Some(Values { bits: values.bits | self.item(item)?, ..values })
        })
    }

    /// `*`, `*/n`, `a`, `a-b` or `a-b/n`, as bits.
    fn item(&self, item: &str) -> Option<u64> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| (1..=self.most).contains(step))?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if step.is_some() => return None,
            None => (self.value(range)?, self.value(range)?),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (first <= last).then(|| (first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = (self.least..).zip(self.names).find(|(_, name)| name.eq_ignore_ascii_case(text));
        match named {
            Some((value, _)) => Some(value),
            None => number(text).filter(|value| (self.least..=self.most).contains(value)),
        }
    }
}

/// One or two digits: `u32::from_str` would take a sign.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
