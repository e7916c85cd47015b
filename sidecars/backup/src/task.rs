//! How a task speaks: JSON lines on standard output, the last one says how it ended.

use std::io::Write as _;
use std::process::ExitCode;

use platform_types::backup::{TaskLine, TaskReport};

/// Runs a task and prints its outcome.
pub fn run(work: impl FnOnce() -> anyhow::Result<TaskReport>) -> ExitCode {
    match work() {
        Ok(report) => {
            print(&TaskLine::Done { report });
            ExitCode::SUCCESS
        }
        Err(error) => {
            print(&TaskLine::Failed { message: format!("{error:#}") });
            ExitCode::FAILURE
        }
    }
}

/// Tells what is being done now.
pub fn progress(message: impl Into<String>) {
    print(&TaskLine::Progress { message: message.into() });
}

/// A number of files in words.
pub fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn print(line: &TaskLine) {
    let text = serde_json::to_string(line).expect("a line serialises");
    // Nobody reads any more: the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_one_file() {
        assert_eq!([0, 1, 2].map(files), ["0 files", "1 file", "2 files"]);
    }
}
