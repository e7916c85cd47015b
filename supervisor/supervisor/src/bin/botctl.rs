//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::cli::main()
}
