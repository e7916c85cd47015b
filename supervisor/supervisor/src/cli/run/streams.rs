//! `botctl events`, `botctl logs`: lines as they come.

use std::fmt::Write as _;

use platform_kit::{Clock as _, SystemClock};

use super::Call;
use crate::api::wire::journal::{Event, LogLine};
use crate::cli::args::Logs;
use crate::cli::failure::{Failure, USAGE};
use crate::cli::screen::{self, Screen};
use crate::cli::show::journal;

pub async fn events(call: &Call, follow: bool, count: u32) -> Result<(), Failure> {
    if count == 0 && !follow {
        return Err(Failure::new(USAGE, "-n 0 shows nothing; with -f it shows what happens from now on"));
    }
    let mut lines = call.stream(&format!("/events?limit={count}&follow={follow}")).await?;
    while let Some(line) = lines.next().await? {
        let event: Event = serde_json::from_slice(&line)?;
        let text = if call.json {
            screen::json_line(&event)?
        } else {
            journal::event(&Screen::for_stdout(SystemClock.now()), &event)
        };
        screen::write_out(&text)?;
    }
    Ok(())
}

pub async fn logs(call: &Call, logs: Logs) -> Result<(), Failure> {
    let Logs { who, follow, lines: tail } = logs;
    if tail == 0 && !follow {
        return Err(Failure::new(USAGE, "-n 0 shows nothing; with -f it shows what is written from now on"));
    }
    let who = who.map(|who| format!("&who={}", escaped(&who))).unwrap_or_default();
    let mut lines = call.stream(&format!("/logs?tail={tail}&follow={follow}{who}")).await?;
    let screen = Screen::for_stdout(SystemClock.now());
    let mut width = 0;
    while let Some(line) = lines.next().await? {
        let line: LogLine = serde_json::from_slice(&line)?;
        width = width.max(line.target.to_string().len());
        let text = if call.json { screen::json_line(&line)? } else { journal::log_line(&screen, &line, width) };
        screen::write_out(&text)?;
    }
    Ok(())
}

/// Percent-encodes everything but letters and digits.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_stays_one_value() {
        assert_eq!(escaped("personal/agent"), "personal%2Fagent");
        assert_eq!(escaped("a&follow=true"), "a%26follow%3Dtrue");
        assert_eq!(escaped("ü"), "%C3%BC");
    }
}
