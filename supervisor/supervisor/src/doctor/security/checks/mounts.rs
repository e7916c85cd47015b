//! A container has its own volume, directories under `run/`, and nothing else of the host.

use std::path::Path;

use platform_types::{ProfileName, Role};
use supervisor_plan::observed::ObservedContainer;
use supervisor_plan::spec::MountSource;

use super::each_container;
use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    each_container(
        evidence,
        |count| format!("{count} containers: nothing of the host but their own directories; Docker's socket nowhere"),
        |container| broken(evidence, container),
    )
}

fn broken(evidence: &Evidence, container: &ObservedContainer) -> Vec<String> {
    let role = container.labels.target.as_ref().map(supervisor_plan::Target::role);
    let profile = container.labels.target.as_ref().and_then(supervisor_plan::Target::profile);
    let run = evidence.roots.run();
    let mut why = Vec::new();
    for (inside, mount) in &container.spec.mounts {
        match &mount.source {
            MountSource::Tmpfs { .. } => {}
            MountSource::Volume { name } => {
                if let Some(owner) =
                    owner_of(evidence, name).filter(|owner| Some(*owner) != container.labels.target.as_ref())
                    && !(role == Some(Role::Task) && owner.profile() == profile)
                {
                    why.push(format!("it has the volume of {owner} at {inside}"));
                }
            }
            MountSource::Bind { path } => {
                let path = Path::new(path);
                let repositories = matches!(role, Some(Role::Backup | Role::Task));
                if !path.starts_with(&run) && !repositories {
                    why.push(format!("it has {} of the host at {inside}", path.display()));
                } else if let Some(other) = other_profile(evidence, path, profile) {
                    why.push(format!("it has {} of the profile {other}", path.display()));
                }
            }
        }
    }
    why
}

fn owner_of<'a>(evidence: &'a Evidence, volume: &str) -> Option<&'a supervisor_plan::Target> {
    let services = evidence.desired.services.iter();
    services
        .filter(|(_, service)| service.volume.as_ref().is_some_and(|own| own.name == volume))
        .map(|(target, _)| target)
        .next()
}

/// A directory of one profile in a container of another. Shared sidecars have directories of their own.
fn other_profile<'a>(evidence: &'a Evidence, path: &Path, own: Option<&ProfileName>) -> Option<&'a ProfileName> {
    let run = evidence.roots.run();
    let profiles = evidence.desired.services.keys().filter_map(supervisor_plan::Target::profile);
    let own = own?;
    let mut others = profiles.filter(|profile| *profile != own);
    others.find(|other| {
        path.starts_with(run.join(other.as_str())) || path.starts_with(run.join("spark").join(other.as_str()))
    })
}
