//! Golden scripts: commands for a simulated installation, and the history they must produce.
//!
//! A line that begins with `>` is a command, one with `#` a remark; every other line is what the commands before it
//! produced. `tests/planner-scripts/README.md` lists the commands for people; [`Script::run`] makes the text anew, and a
//! test compares.

use std::fmt::Write as _;

use platform_types::{Port, Role};
use supervisor_plan::{Change, Impact, Target};

use crate::build::Configuration;
use crate::fault::Fault;
use crate::simulation::{Armed, Leftover, Simulation};
use crate::time::clock;

/// Longest time that `settle` waits.
const SETTLE_MILLIS: i64 = 30 * 60 * 1000;

/// An installation that commands are given to.
#[derive(Debug)]
pub struct Script {
    simulation: Simulation,
    /// Lines of the history that were shown.
    shown: usize,
}

impl Script {
    /// Runs a script and returns it with the history it produced.
    pub fn run(text: &str) -> Result<String, String> {
        let mut script = Self { simulation: Simulation::new(Configuration::new()), shown: 0 };
        let mut produced = String::new();
        for (number, line) in text.lines().enumerate() {
            let is_kept = line.is_empty() || line.starts_with('#') || line.starts_with('>');
            if !is_kept {
                continue;
            }
            writeln!(produced, "{line}").map_err(|error| error.to_string())?;
            if let Some(command) = line.strip_prefix('>') {
                let lines = script.command(command.trim()).map_err(|error| format!("line {}: {error}", number + 1))?;
                for line in lines {
                    writeln!(produced, "{line}").map_err(|error| error.to_string())?;
                }
            }
        }
        let Simulation { violations, .. } = &script.simulation;
        if violations.is_empty() { Ok(produced) } else { Err(violations.join("\n")) }
    }

    fn command(&mut self, command: &str) -> Result<Vec<String>, String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let said = match words.as_slice() {
            ["settle"] => {
                let settled = self.simulation.settle(SETTLE_MILLIS);
                let at = clock(self.simulation.now);
                vec![if settled { format!("settled at {at}") } else { format!("not settled by {at}") }]
            }
            ["wait", time @ ..] => {
                self.simulation.run(duration(time)?);
                Vec::new()
            }
            ["report"] => self.simulation.plan().report.lines(&clock),
            ["docker", "ps"] => self.containers(),
            ["docker", "network", "ls"] => self.simulation.engine.networks.keys().cloned().collect(),
            ["docker", "volume", "ls"] => self.simulation.engine.volumes.keys().cloned().collect(),
            ["set" | "change" | "release" | "back" | "drop", ..] => self.configure(&words)?,
            _ => {
                self.simulation.inject(&fault(&words)?);
                Vec::new()
            }
        };
        let history = self.simulation.history[self.shown..].to_vec();
        self.shown = self.simulation.history.len();
        Ok(history.into_iter().chain(said).collect())
    }

    /// A change of `platform.toml` or of the release, answered with what it will do.
    fn configure(&mut self, words: &[&str]) -> Result<Vec<String>, String> {
        let mut next = self.simulation.configuration.clone();
        match words {
            ["set", "profile", name, "port", port] => {
                let port: u16 = number(port)?;
                if next.topology.profiles.keys().any(|profile| profile.as_str() == *name) {
                    next.profile(name).port = Port::new(port).ok_or("0 is no port")?;
                } else {
                    next.add_profile(name, port);
                }
            }
            ["set", "profile", name, "documents", path, folder] => {
                next.profile(name).documents.insert((*path).to_owned(), (*folder).to_owned());
            }
            ["set", "profile", name, "memory", mib] => next.profile(name).memory_bytes = number::<u64>(mib)? << 20,
            ["drop", "profile", name] => next.remove_profile(name),
            ["change", "configuration", "of", target] => next.change_config(&parse(target)?),
            ["release", role] => next.release(role_of(role)?),
            ["back", "to", "release", number_, "of", role] => next.release_number(role_of(role)?, number(number_)?),
            _ => return Err(format!("no such command: {}", words.join(" "))),
        }
        let impacts = self.simulation.configure(|configuration| *configuration = next);
        let changes = impacts.iter().filter(|impact| impact.change != Change::Unchanged);
        Ok(changes.map(|impact: &Impact| format!("plan: {impact}")).collect())
    }

    fn containers(&self) -> Vec<String> {
        let describe = |container: &crate::engine::Container| {
            let generation = container.generation().map(|g| format!(", generation {g}")).unwrap_or_default();
            format!("{:28}{}{generation}", container.name, container.state.word())
        };
        let mut lines: Vec<String> = self.simulation.engine.containers.values().map(describe).collect();
        lines.sort();
        lines
    }
}

/// Everything that goes wrong, in words.
fn fault(words: &[&str]) -> Result<Fault, String> {
    Ok(match words {
        ["exit", target, code] => exit(target, code, false)?,
        ["exit", target, code, "out", "of", "memory"] => exit(target, code, true)?,
        ["wedge", target] => Fault::Wedge { target: parse(target)? },
        ["trouble", target, reason @ ..] => Fault::Trouble { target: parse(target)?, reason: reason.join(" ") },
        ["recover", target] => Fault::Recover { target: parse(target)? },
        ["lose", "mount", path, "of", target] => Fault::LoseMount { target: parse(target)?, path: (*path).to_owned() },
        ["docker", "pause", target] => Fault::Pause { target: parse(target)? },
        ["docker", "update", target, "memory", mib] => Fault::EditMemory { target: parse(target)?, mib: number(mib)? },
        ["docker", "rm", target] => Fault::Delete { target: parse(target)? },
        ["docker", "rename", target, name] => Fault::Rename { target: parse(target)?, name: (*name).to_owned() },
        ["docker", "network", "rm", name] => Fault::DeleteNetwork { name: (*name).to_owned() },
        ["docker", "restarts", "and", "is", "away", time @ ..] => Fault::RestartDocker { away_millis: duration(time)? },
        ["docker", "hangs", time @ ..] => Fault::LoseDocker { away_millis: duration(time)? },
        ["add", "mount", path, "to", target] => Fault::AddMount { target: parse(target)?, path: (*path).to_owned() },
        ["stranger", name] => Fault::Stranger { name: (*name).to_owned() },
        ["stranger", name, "leaves"] => Fault::StrangerLeaves { name: (*name).to_owned() },
        ["port", port, "taken"] => Fault::Listen { port: port_of(port)? },
        ["port", port, "free"] => Fault::Unlisten { port: port_of(port)? },
        ["image", role, "missing"] => Fault::LoseImage { role: role_of(role)? },
        ["image", role, "there"] => Fault::FindImage { role: role_of(role)? },
        ["image", role, "good"] => Fault::GoodImage { role: role_of(role)? },
        ["image", role, "exits", code, "after", time @ ..] => {
            Fault::BadImage { role: role_of(role)?, after_millis: duration(time)?, code: number(code)? }
        }
        ["copy", "the", "ledger"] => Fault::CopyLedger,
        ["restore", "the", "ledger"] => Fault::RestoreLedger { has_mark: true },
        ["restore", "an", "older", "ledger"] => Fault::RestoreLedger { has_mark: false },
        ["hold", profile, reason @ ..] => Fault::Hold { profile: (*profile).to_owned(), reason: reason.join(" ") },
        ["let", "go", profile] => Fault::Release { profile: (*profile).to_owned() },
        ["clear", target] => Fault::Clear { target: parse(target)? },
        ["next", target, how @ ..] => Fault::Next { target: parse(target)?, armed: armed(how)? },
        ["kill", "supervisor", leftover @ ..] => Fault::KillSupervisor { leftover: leftover_of(leftover)? },
        _ => return Err(format!("no such command: {}", words.join(" "))),
    })
}

fn exit(target: &str, code: &str, oom_killed: bool) -> Result<Fault, String> {
    Ok(Fault::Exit { target: parse(target)?, code: number(code)?, oom_killed })
}

fn armed(how: &[&str]) -> Result<Armed, String> {
    Ok(match how {
        ["refused:", message @ ..] => Armed::Refused(message.join(" ")),
        ["halfway:", message @ ..] => Armed::Halfway(message.join(" ")),
        ["answer", "lost"] => Armed::AnswerLost,
        _ => return Err(format!("no such failure: {}", how.join(" "))),
    })
}

fn leftover_of(words: &[&str]) -> Result<Leftover, String> {
    Ok(match words {
        [] | ["actions", "lost"] => Leftover::Lost,
        ["actions", "halfway"] => Leftover::Halfway,
        ["actions", "done"] => Leftover::Done,
        ["actions", "late"] => Leftover::Late,
        _ => return Err(format!("no such leftover: {}", words.join(" "))),
    })
}

fn parse(target: &str) -> Result<Target, String> {
    target.parse().map_err(|error: supervisor_plan::target::TargetError| error.to_string())
}

fn role_of(role: &str) -> Result<Role, String> {
    role.parse().map_err(|()| format!("no such role: {role}"))
}

fn port_of(port: &str) -> Result<Port, String> {
    Port::new(number(port)?).ok_or_else(|| "0 is no port".to_owned())
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

/// `250 ms`, `3 s`, `5 min`.
fn duration(words: &[&str]) -> Result<i64, String> {
    let [number_, unit] = words else { return Err(format!("not a time: {}", words.join(" "))) };
    let unit = match *unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        other => return Err(format!("no such unit: {other}")),
    };
    Ok(number::<i64>(number_)? * unit)
}
