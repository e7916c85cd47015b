//! No container that is not ours is in a network of ours, or has files of ours.

use std::path::Path;

use supervisor_docker::Stranger;

use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    let strangers = match &evidence.strangers {
        Ok(strangers) => strangers,
        Err(error) => return Finding::unknown(format!("Docker did not say: {error}"), None),
    };
    let found: Vec<String> = strangers
        .iter()
        .flat_map(|stranger| meets(evidence, stranger).into_iter().map(|why| format!("{}: {why}", stranger.name)))
        .collect();
    match found.len() {
        0 => Finding::ok(format!("{} other containers, none meets ours", strangers.len())),
        _ => Finding::problem(
            "a container that is not ours has something of ours",
            "find out whose it is, and remove it",
        )
        .with_details(found),
    }
}

fn meets(evidence: &Evidence, stranger: &Stranger) -> Vec<String> {
    let roots = &evidence.roots;
    let services = || evidence.desired.services.values();
    let networks = services().filter_map(|service| Some(service.network.as_ref()?.name.as_str()));
    let networks =
        networks.filter(|name| stranger.networks.contains(*name)).map(|name| format!("is in the network {name}"));
    let volumes = services().filter_map(|service| Some(service.volume.as_ref()?.name.as_str()));
    let volumes = volumes.filter(|name| stranger.sources.contains(*name)).map(|name| format!("has the volume {name}"));
    let ours = [&roots.config, &roots.state, &roots.runtime];
    let touches = |source: &&String| {
        let source = Path::new(source);
        source.is_absolute() && ours.iter().any(|root| source.starts_with(root) || root.starts_with(source))
    };
    let paths = stranger.sources.iter().filter(touches).map(|source| format!("has {source} of the host"));
    networks.chain(volumes).chain(paths).collect()
}
