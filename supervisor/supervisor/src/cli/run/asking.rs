//! Asking the person at the terminal.

use std::io::IsTerminal as _;

use crate::cli::failure::{Failure, USAGE};
use crate::cli::screen;

/// That there is somebody to ask, or that nobody need be asked. `instead`: what to do where there is not.
pub fn somebody_or(yes: bool, instead: &str) -> Result<(), Failure> {
    if yes || (std::io::stdin().is_terminal() && screen::is_terminal()) {
        return Ok(());
    }
    Err(Failure::new(USAGE, format!("there is no terminal to ask on: {instead}")))
}

/// No answer means no.
pub fn confirmed(question: &str) -> Result<bool, Failure> {
    screen::write_out(&format!("{question} [y/N] "))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
