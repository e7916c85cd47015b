//! Each profile with an address is served into the tailnet, and to nobody else.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::doctor::tailscale::{Serve, Tailscale, leads_to};

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let profiles = &daemon.world.config.profiles;
    let addressed = profiles.values().any(|profile| profile.address.is_some());
    let serve = match &facts.tailscale {
        Tailscale::NotInstalled if addressed => {
            return Finding::warning(
                "a profile has an address, and tailscale was not found",
                "install it, or remove the address from platform.toml",
            );
        }
        Tailscale::NotInstalled => {
            return Finding::ok("not found; no profile has an address, so bots are reached on this machine only");
        }
        Tailscale::Failed(why) => {
            return Finding::unknown(
                format!("tailscale did not answer: {why}"),
                Some("look yourself: tailscale status"),
            );
        }
        Tailscale::Answered(serve) => serve,
    };
    let open = open_to_the_internet(facts, serve);
    if !open.is_empty() {
        let remedy = "close it: tailscale funnel reset; then serve again as docs/runbooks/tailnet.md says";
        return Finding::problem("a bot can be reached from the internet through Funnel", remedy).with_details(open);
    }
    let missing: Vec<String> = profiles
        .iter()
        .filter_map(|(name, profile)| {
            let address = profile.address.as_ref()?;
            let host = authority(address);
            let socket = facts.roots.tailnet(name).display().to_string();
            let port = profile.port.get();
            let by_port = serve.of_port(port);
            // Where users are named, the gate refuses what the port brings from the tailnet.
            let must_name = !profile.tailscale_users.is_empty();
            let served = serve.of_socket(&socket).or(by_port.filter(|_| !must_name));
            (served != Some(host.as_str())).then(|| match served {
                None => {
                    format!("{address} of {name} is not served: {}", command(&host, &target(must_name, &socket, port)))
                }
                Some(other) => format!("{name} is served as {other}, and its address is {address}"),
            })
        })
        .collect();
    match (missing.is_empty(), addressed) {
        (true, true) => Finding::ok("every address is served in the tailnet; Funnel is closed"),
        (true, false) => Finding::ok("no profile has an address; Funnel is closed"),
        (false, _) => Finding::warning(
            "an address is not served in the tailnet",
            "run the command, or change profile.NAME.address and botctl apply",
        )
        .with_details(missing),
    }
}

fn open_to_the_internet(facts: &Facts, serve: &Serve) -> Vec<String> {
    let Some(daemon) = &facts.daemon else { return Vec::new() };
    let profiles = daemon.world.config.profiles.iter();
    let open = profiles.filter_map(|(name, profile)| {
        let port = profile.port.get();
        let socket = facts.roots.tailnet(name).display().to_string();
        let host = serve.funnels.iter().find(|host| {
            let leads_to = |proxy: &String| leads_to(proxy, port) || proxy.strip_prefix("unix:") == Some(&socket);
            serve.proxies.get(*host).is_some_and(leads_to)
        })?;
        Some(format!("{name}: https://{host}"))
    });
    open.collect()
}

/// `https://host` as tailscale writes it: with the port.
fn authority(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    if rest.contains(':') { rest.to_owned() } else { format!("{rest}:443") }
}

fn target(must_name: bool, socket: &str, port: u16) -> String {
    if must_name { format!("unix:{socket}") } else { format!("http://127.0.0.1:{port}") }
}

fn command(host: &str, target: &str) -> String {
    let https = host.rsplit(':').next().unwrap_or("443");
    format!("tailscale serve --bg --https={https} {target}")
}
