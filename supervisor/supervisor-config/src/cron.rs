//! Five-field cron expressions, by shape. When one fires is decided elsewhere.

use std::fmt;

/// A valid expression: minute, hour, day of the month, month, day of the week, one space between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron(String);

/// Why a text is not a cron expression; a clause without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError(String);

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

impl Cron {
    /// Checks each field: `*`, numbers or names, ranges `a-b`, steps `/n`, lists `a,b`.
    pub fn new(text: &str) -> Result<Self, CronError> {
        let parts: Vec<&str> = text.split_ascii_whitespace().collect();
        if parts.len() != FIELDS.len() {
            return Err(CronError(format!("it has {} fields, a schedule has five", parts.len())));
        }
        for (part, field) in parts.iter().zip(&FIELDS) {
            if !part.split(',').all(|item| field.accepts(item)) {
                return Err(CronError(format!(
                    "{part:?} is no {name}, which goes from {least} to {most}",
                    name = field.name,
                    least = field.least,
                    most = field.most
                )));
            }
        }
        Ok(Self(parts.join(" ")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CronError {}

impl Field {
    /// `*`, `*/n`, `a`, `a-b` or `a-b/n`.
    fn accepts(&self, item: &str) -> bool {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        if step.is_some_and(|step| !number(step).is_some_and(|step| (1..=self.most).contains(&step))) {
            return false;
        }
        match range.split_once('-') {
            _ if range == "*" => true,
            Some((first, last)) => match (self.value(first), self.value(last)) {
                (Some(first), Some(last)) => first <= last,
                _ => false,
            },
            None => step.is_none() && self.value(range).is_some(),
        }
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
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let check = |text: &str, expect: Result<&str, &str>| match (Cron::new(text), expect) {
            (Ok(cron), Ok(expect)) => assert_eq!(cron.as_str(), expect),
            (Err(error), Err(expect)) => assert_eq!(error.to_string(), expect, "{text:?}"),
            (got, expect) => panic!("{text:?}: {got:?}, not {expect:?}"),
        };
        check("0 3 * * *", Ok("0 3 * * *"));
        check("  0  3 * *\t* ", Ok("0 3 * * *"));
        check("*/15 8-18/2 1,15 jan-MAR Mon-fri", Ok("*/15 8-18/2 1,15 jan-MAR Mon-fri"));
        check("0 5 * * 7", Ok("0 5 * * 7"));
        check("", Err("it has 0 fields, a schedule has five"));
        check("@daily", Err("it has 1 fields, a schedule has five"));
        check("0 3 * * * *", Err("it has 6 fields, a schedule has five"));
        check("60 3 * * *", Err("\"60\" is no minute, which goes from 0 to 59"));
        check("0 24 * * *", Err("\"24\" is no hour, which goes from 0 to 23"));
        check("0 3 0 * *", Err("\"0\" is no day of the month, which goes from 1 to 31"));
        check("0 3 * foo *", Err("\"foo\" is no month, which goes from 1 to 12"));
        check("0 3 * * 5-1", Err("\"5-1\" is no day of the week, which goes from 0 to 7"));
        check("*/0 3 * * *", Err("\"*/0\" is no minute, which goes from 0 to 59"));
        check("1, 3 * * *", Err("\"1,\" is no minute, which goes from 0 to 59"));
        check("+1 3 * * *", Err("\"+1\" is no minute, which goes from 0 to 59"));
    }
}
