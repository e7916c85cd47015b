//! The model box lets spark switch it: its host key is the pinned one, the login works, the forced command answers.

use platform_types::switch::SwitchCheck;
use platform_types::text::neutral;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

/// Where Tailscale SSH listens.
const TAILSCALE_SSH_PORT: u16 = 22;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let (Some(switch), Some(tried)) = (daemon.world.config.switch(), &daemon.switch) else {
        return Finding::ok("no switch of the model box is configured");
    };
    let address = &switch.address;
    let remedy = "see deploy/spark/README.md and docs/runbooks/switch-the-model.md";
    match tried {
        Err(why) => Finding::unknown(format!("the way to {address} could not be tried: {}", neutral(why)), None),
        Ok(SwitchCheck { well: false, message }) => Finding::problem(neutral(message), remedy),
        Ok(SwitchCheck { well: true, .. }) if address.port.get() == TAILSCALE_SSH_PORT => {
            let summary = format!("{address} answers on port 22, where Tailscale SSH bypasses a forced command");
            Finding::warning(
                summary,
                "let OpenSSH listen on another port of the box, and name that one in [spark.switch].address",
            )
        }
        Ok(SwitchCheck { well: true, message }) => Finding::ok(format!("{address} answers: {}", neutral(message))),
    }
}
