//! `botctl config`, `botctl secret`: on the files themselves where that is allowed, through the supervisor elsewhere.

use std::io::{IsTerminal as _, Read as _};

use platform_kit::secret::MAX_SECRET_BYTES;
use platform_kit::{Clock as _, Secret as Hidden, SystemClock};
use platform_types::SecretName;

use super::Call;
use crate::api::wire::settings::{ConfigCheck, ConfigDiff, ConfigText, SecretSet, SecretValue, Secrets};
use crate::cli::args::{Config, Secret};
use crate::cli::failure::{CONFIGURATION, Failure, UNREACHABLE, USAGE};
use crate::cli::screen;
use crate::cli::show;
use crate::desired::Accepted;
use crate::settings;
use crate::settings::config::ConfigError;
use crate::words::chain;

pub async fn config(call: &Call, config: Config) -> Result<(), Failure> {
    match config {
        Config::Check => check(call).await,
        Config::Show => show_effective(call).await,
        Config::Diff => diff(call).await,
        Config::Schema => {
            let text = serde_json::to_string_pretty(&supervisor_config::schema())?;
            Ok(screen::write_out(&format!("{text}\n"))?)
        }
    }
}

async fn check(call: &Call) -> Result<(), Failure> {
    let found = match settings::config::check(&call.supervisor.roots) {
        Err(error) if error.is_denied() => call.supervisor.get::<ConfigCheck>("/config/check").await?,
        found => found.map_err(|error| invalid(&error))?,
    };
    call.show(&found, show::settings::check)?;
    if found.valid { Ok(()) } else { Err(Failure::silent(CONFIGURATION)) }
}

async fn show_effective(call: &Call) -> Result<(), Failure> {
    let found = match settings::config::show(&call.supervisor.roots) {
        Err(error) if error.is_denied() => {
            let asked = call.supervisor.try_get::<ConfigText>("/config/show").await;
            asked.map_err(|error| Failure::call_about_files(&error, &call.supervisor.socket()))?
        }
        found => found.map_err(|error| invalid(&error))?,
    };
    if call.json {
        return call.show(&found, |_, _| {});
    }
    Ok(screen::write_out(&found.text)?)
}

async fn diff(call: &Call) -> Result<(), Failure> {
    let asked = call.supervisor.try_get::<ConfigDiff>("/config/diff").await;
    let asked = asked.map_err(|error| Failure::call_about_files(&error, &call.supervisor.socket()));
    let found = match asked {
        Err(failure) if failure.exit == UNREACHABLE => {
            let accepted = Accepted::from_copy(&call.supervisor.roots).map(|accepted| accepted.config);
            settings::config::compare(&call.supervisor.roots, accepted.as_ref()).map_err(|error| invalid(&error))?
        }
        found => found?,
    };
    call.show(&found, show::settings::diff)
}

fn invalid(error: &ConfigError) -> Failure {
    Failure::new(CONFIGURATION, chain(error))
}

pub async fn secret(call: &Call, secret: Secret) -> Result<(), Failure> {
    match secret {
        Secret::Set { name } => set(call, name).await,
        Secret::Rotate { name } => rotate(call, name).await,
        Secret::List => list(call).await,
    }
}

/// Through the supervisor, which gives it to whoever needs it; into the file when there is no supervisor.
async fn set(call: &Call, name: SecretName) -> Result<(), Failure> {
    let value = read_value()?;
    settings::secrets::value(value.expose()).map_err(|error| Failure::new(USAGE, error.to_string()))?;
    let body = SecretValue { value: value.expose().clone(), replace: false };
    let set = match call.supervisor.post::<_, SecretSet>(&format!("/secrets/{name}"), &body).await {
        Err(failure) if failure.exit == UNREACHABLE && platform_is_ours() => {
            settings::secrets::set(&call.supervisor.roots, &name, value.expose())
                .map_err(|error| Failure::other(chain(&error)))?;
            SecretSet { name, delivered: false, used_by: Vec::new(), waiting: Vec::new() }
        }
        set => set?,
    };
    call.show(&set, show::settings::secret_set)
}

/// Through the supervisor only: whoever uses the old one has to get the new one.
async fn rotate(call: &Call, name: SecretName) -> Result<(), Failure> {
    let value = read_value()?;
    settings::secrets::value(value.expose()).map_err(|error| Failure::new(USAGE, error.to_string()))?;
    let body = SecretValue { value: value.expose().clone(), replace: true };
    let set: SecretSet = call.supervisor.post(&format!("/secrets/{name}"), &body).await?;
    call.show(&set, show::settings::secret_set)
}

async fn list(call: &Call) -> Result<(), Failure> {
    let found = match call.supervisor.get::<Secrets>("/secrets").await {
        Err(failure) if failure.exit == UNREACHABLE && platform_is_ours() => {
            let roots = &call.supervisor.roots;
            let needed = settings::config::last_known(roots).as_ref().map(settings::secrets::needed);
            settings::secrets::list(roots, &needed.unwrap_or_default(), SystemClock.now())
                .map_err(|error| Failure::other(chain(&error)))?
        }
        found => found?,
    };
    call.show(&found, show::settings::secrets)
}

fn platform_is_ours() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Standard input to its end; on a terminal one line that is not shown.
fn read_value() -> Result<Hidden<String>, Failure> {
    let mut text = String::new();
    let mut input = std::io::stdin();
    if input.is_terminal() {
        let hidden = Echo::off();
        screen::write_out("value (not shown): ")?;
        input.read_line(&mut text)?;
        drop(hidden);
        screen::write_out("\n")?;
    } else {
        input.by_ref().take(MAX_SECRET_BYTES + 1).read_to_string(&mut text)?;
    }
    Ok(Hidden::new(text))
}

/// Switches the terminal's echo off until it is dropped.
struct Echo;

impl Echo {
    fn off() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// Where there is no `stty` the value is shown while it is typed, which is no reason to refuse it.
fn stty(word: &str) {
    let _ = std::process::Command::new("stty").arg(word).stdin(std::process::Stdio::inherit()).status();
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::api;
    use crate::cli::link::Supervisor;
    use crate::example;

    #[tokio::test]
    async fn a_file_with_errors_exits_alike_with_and_without_a_supervisor() {
        let directory = tempfile::tempdir().unwrap();
        let daemon = example::daemon(directory.path());
        let roots = daemon.shared.roots.clone();
        std::fs::create_dir_all(&roots.config).unwrap();
        std::fs::create_dir_all(&roots.runtime).unwrap();
        std::fs::write(roots.platform_toml(), "prot = 1\n").unwrap();
        let call = Call { supervisor: Supervisor::new(roots.clone()), json: true };
        let exit = async |config| self::config(&call, config).await.unwrap_err().exit;
        assert_eq!(exit(Config::Diff).await, CONFIGURATION);
        let stop = CancellationToken::new();
        let listener = api::bind(&roots).unwrap();
        platform_kit::task::spawn("test socket", api::serve(listener, daemon.shared.clone(), stop.clone()));
        assert_eq!(exit(Config::Diff).await, CONFIGURATION);
        assert_eq!(exit(Config::Show).await, CONFIGURATION);
        stop.cancel();
    }
}
