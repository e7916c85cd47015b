//! The variables a process reads. All errors are reported at once.

use std::fmt::Display;
use std::str::FromStr;

/// Collects what is wrong while variables are read.
#[derive(Debug, Default)]
pub struct Environment {
    problems: Vec<String>,
}

/// Every variable that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the environment is not complete: {}", .0.join("; "))]
pub struct EnvironmentError(Vec<String>);

impl Environment {
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a required variable; a problem is remembered and `None` returned.
    pub fn required<T>(&mut self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(text) = optional(name) else {
            self.problems.push(format!("set {name}"));
            return None;
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name}: {error}"));
                None
            }
        }
    }

    /// Fails with every problem found.
    pub fn finish(self) -> Result<(), EnvironmentError> {
        if self.problems.is_empty() { Ok(()) } else { Err(EnvironmentError(self.problems)) }
    }
}

/// A variable, or `None` when it is unset, empty or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
