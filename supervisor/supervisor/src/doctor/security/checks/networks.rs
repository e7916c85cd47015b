//! Agents and backup have no network; a gate and spark one of their own; ports are published on 127.0.0.1 only.

use platform_types::Role;
use supervisor_plan::observed::ObservedContainer;
use supervisor_plan::spec::Network;

use super::each_container;
use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    each_container(
        evidence,
        |_| "agents have none, each gate and spark one of its own, published on 127.0.0.1 only".to_owned(),
        |container| broken(evidence, container),
    )
}

fn broken(evidence: &Evidence, container: &ObservedContainer) -> Vec<String> {
    let target = container.labels.target.as_ref();
    let may_have_one = target.is_some_and(|target| matches!(target.role(), Role::Gate | Role::Spark));
    match &container.spec.network {
        Network::None => Vec::new(),
        Network::Other { described } => vec![format!("its network is not one of ours: {described}")],
        Network::Bridge { name, .. } if !may_have_one => {
            vec![format!("it has a network ({name}) and should have none")]
        }
        Network::Bridge { name, publish } => {
            let own = target.and_then(|target| evidence.desired.services.get(target));
            let is_own = own.and_then(|service| service.network.as_ref()).is_some_and(|network| network.name == *name);
            let mut why = Vec::new();
            if !is_own {
                why.push(format!("{name} is not its own network"));
            }
            if let Some(publish) = publish.as_ref().filter(|publish| publish.host_ip != "127.0.0.1") {
                why.push(format!("it is published on {}", publish.host_ip));
            }
            why
        }
    }
}
