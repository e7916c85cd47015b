//! The model box lets spark switch it: its host key is the pinned one, the login works, the forced command answers.

use platform_types::switch::SwitchCheck;
use platform_types::text::neutral;
use supervisor_config::config::Switch;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

/// Where Tailscale SSH listens.
const TAILSCALE_SSH_PORT: u16 = 22;

pub fn check(facts: &Facts) -> Finding {
    match &facts.daemon {
        None => Finding::unseen(),
        Some(daemon) => judge(daemon.world.config.switch(), daemon.switch.as_ref()),
    }
}

fn judge(switch: Option<&Switch>, tried: Option<&Result<SwitchCheck, String>>) -> Finding {
    let (Some(Switch { address, .. }), Some(tried)) = (switch, tried) else {
        return Finding::ok("no switch of the model box is configured");
    };
    let remedy = "see deploy/spark/README.md and docs/runbooks/switch-the-model.md";
    match tried {
        Err(why) => Finding::unknown(format!("the way to {address} could not be tried: {}", neutral(why)), None),
        Ok(SwitchCheck { well: false, message }) => Finding::problem(neutral(message), remedy),
        Ok(SwitchCheck { well: true, .. }) if address.port.get() == TAILSCALE_SSH_PORT => {
            let summary = format!("{address} answers on port 22, where Tailscale SSH bypasses a forced command");
            let remedy = "let OpenSSH listen on another port of the box, and name that one in [spark.switch].address";
            Finding::warning(summary, remedy)
        }
        Ok(SwitchCheck { well: true, message }) => Finding::ok(format!("{address} answers: {}", neutral(message))),
    }
}

#[cfg(test)]
mod tests {
    use supervisor_config::config::Config;

    use super::*;
    use crate::api::wire::findings::Verdict;

    const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh";

    fn config(port: u16) -> Config {
        let toml = format!(
            "[spark]\nurl = \"https://spark.example/v1\"\nmodel = \"m\"\n[spark.switch]\naddress = \"bot@spark.example:{port}\"\n\
             host_key = \"{HOST_KEY}\"\nkey = {{ secret = \"spark-ssh\" }}\nmodels = [\"m\"]\n[profile.ops]\nport = 1\n"
        );
        let surroundings = supervisor_config::Surroundings {
            secrets: [platform_types::SecretName::new("spark-ssh").unwrap()].into(),
            tools: ["clock.now".to_owned()].into(),
            ..supervisor_config::Surroundings::default()
        };
        supervisor_config::read(&toml, &surroundings).config.expect("a good configuration")
    }

    fn check(port: u16, tried: Option<&Result<SwitchCheck, String>>, verdict: Verdict, says: &str) {
        let found = judge(tried.is_some().then(|| config(port)).as_ref().and_then(Config::switch), tried);
        assert_eq!((found.verdict, found.summary.contains(says)), (verdict, true), "{}", found.summary);
    }

    #[test]
    fn what_the_way_to_the_box_came_to() {
        let tried = |well, message: &str| Ok(SwitchCheck { well, message: message.to_owned() });
        check(2222, None, Verdict::Ok, "no switch of the model box is configured");
        check(2222, Some(&tried(true, "idle")), Verdict::Ok, "bot@spark.example:2222 answers: idle");
        check(22, Some(&tried(true, "idle")), Verdict::Warning, "port 22, where Tailscale SSH bypasses");
        check(22, Some(&tried(false, "no SSH connection\u{1b}[2J")), Verdict::Problem, r"no SSH connection\u{1b}[2J");
        check(
            2222,
            Some(&Err("spark was never started".to_owned())),
            Verdict::Unknown,
            "could not be tried: spark was never",
        );
    }
}
