//! Ports are published on the loopback only: what reaches them from outside came through `tailscale serve`.

use supervisor_plan::spec::Network;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let published = daemon.world.observed.containers.iter().filter_map(|container| match &container.spec.network {
        Network::Bridge { publish: Some(publish), .. } => Some((container, publish)),
        _ => None,
    });
    let open: Vec<String> = published
        .filter(|(_, publish)| publish.host_ip != "127.0.0.1")
        .map(|(container, publish)| format!("{} publishes {}:{}", container.name, publish.host_ip, publish.host_port))
        .collect();
    if !open.is_empty() {
        return Finding::problem(
            "a port can be reached from outside this machine",
            "botctl apply replaces the container",
        )
        .with_details(open);
    }
    let ports: Vec<u16> = daemon.world.config.profiles.values().map(|profile| profile.port.get()).collect();
    let beside: Vec<String> = facts
        .listeners
        .iter()
        .flatten()
        .filter(|listener| ports.contains(&listener.port) && !listener.is_loopback())
        .map(|listener| format!("port {} listens on every address, or on one of the network", listener.port))
        .collect();
    if beside.is_empty() {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        return Finding::ok(format!("published on 127.0.0.1 only: {}", ports.join(", ")));
    }
    Finding::problem(
        "another program offers one of our ports to the network",
        "see which: ss -ltnp; stop it, or change the profile's port",
    )
    .with_details(beside)
}
