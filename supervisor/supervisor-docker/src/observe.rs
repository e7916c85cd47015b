//! The engine's containers as the planner sees them.

use std::collections::{BTreeSet, HashMap};

use bollard::models::{ContainerInspectResponse, ContainerState, ContainerStateStatusEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use platform_types::role::{LABEL_GENERATION, LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE, LABEL_SPEC};
use platform_types::{Generation, ProfileName, Timestamp};
use supervisor_plan::Target;
use supervisor_plan::observed::{ContainerId, Labels, ObservedContainer, Probe, State};
use supervisor_plan::spec::ImageId;

use crate::engine::Engine;
use crate::error::{EngineError, Operation};
use crate::image::ImageFacts;
use crate::lifecycle::subject;

/// Every container of the engine: which are ours, and the names of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The containers with the label of the installation.
    pub ours: Vec<Listed>,
    pub foreign_names: BTreeSet<String>,
}

/// One of ours, before it is inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: ContainerId,
    pub name: String,
    pub target: Option<Target>,
}

impl Engine {
    /// Lists all containers, running or not.
    pub async fn list_containers(&self, install: &str) -> Result<Listing, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self.timed(Operation::List, "containers", self.api()?.list_containers(Some(options))).await?;
        let mut listing = Listing::default();
        for container in containers {
            let labels = container.labels.unwrap_or_default();
            let mut names = container.names.into_iter().flatten().map(|name| plain_name(&name));
            if labels.get(LABEL_INSTALL).is_some_and(|value| value == install) {
                let target = read_labels(&labels).target;
                let name = names.next().unwrap_or_default();
                listing.ours.extend(container.id.map(|id| Listed { id: ContainerId(id), name, target }));
            } else {
                listing.foreign_names.extend(names);
            }
        }
        Ok(listing)
    }

    /// Inspects one container of the installation; `None` when it is gone or is not ours. Not probed.
    pub async fn observe_container(
        &self,
        id: &ContainerId,
        install: &str,
    ) -> Result<Option<ObservedContainer>, EngineError> {
        let inspection = self.api()?.inspect_container(&id.0, None);
        let inspected = match self.timed(Operation::Inspect, &subject(&id.0), inspection).await {
            Err(EngineError::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        let labels = inspected.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
        if labels.get(LABEL_INSTALL).is_none_or(|value| value != install) {
            return Ok(None);
        }
        let image = ImageId(inspected.image.clone().unwrap_or_default());
        let facts = match self.image_facts(&image).await {
            // An image can be removed by force below a container: nothing inherited is known then.
            Err(EngineError::NotFound { .. }) => std::sync::Arc::new(ImageFacts::default()),
            other => other?,
        };
        Ok(Some(observed(inspected, &labels, &facts)))
    }
}

fn observed(
    inspected: ContainerInspectResponse,
    labels: &HashMap<String, String>,
    image: &ImageFacts,
) -> ObservedContainer {
    let spec = crate::inspect::spec(&inspected, image);
    let state = inspected.state.unwrap_or_default();
    ObservedContainer {
        id: ContainerId(inspected.id.unwrap_or_default()),
        name: plain_name(&inspected.name.unwrap_or_default()),
        labels: read_labels(labels),
        started_at: state.started_at.as_deref().and_then(timestamp),
        state: read_state(&state),
        spec,
        probe: Probe::Never,
    }
}

/// Docker puts a slash before each name.
fn plain_name(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn read_labels(labels: &HashMap<String, String>) -> Labels {
    let profile = labels.get(LABEL_PROFILE).map(|text| ProfileName::new(text.clone()));
    let role = labels.get(LABEL_ROLE).and_then(|text| text.parse().ok());
    let target = match (role, profile) {
        (Some(role), None) => Target::new(role, None),
        (Some(role), Some(Ok(profile))) => Target::new(role, Some(profile)),
        _ => None,
    };
    Labels {
        target,
        generation: labels.get(LABEL_GENERATION).and_then(|text| text.parse().ok()).map(Generation),
        release: labels.get(LABEL_RELEASE).cloned(),
        spec_digest: labels.get(LABEL_SPEC).cloned(),
    }
}

fn read_state(state: &ContainerState) -> State {
    match state.status {
        Some(
            ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::STOPPING,
        ) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
        Some(ContainerStateStatusEnum::EXITED) => State::Exited {
            code: state.exit_code.unwrap_or(0),
            oom_killed: state.oom_killed.unwrap_or(false),
            at: state.finished_at.as_deref().and_then(timestamp).unwrap_or(Timestamp::ZERO),
        },
        Some(ContainerStateStatusEnum::DEAD) => State::Dead,
        Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => State::Created,
    }
}

/// Docker's times are RFC 3339; `0001-01-01T00:00:00Z` means never.
fn timestamp(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    (at.as_millisecond() > 0).then(|| Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond() {
        assert_eq!(timestamp("1970-01-01T00:00:01.234567891Z"), Some(Timestamp(1234)));
        assert_eq!(timestamp("2026-11-22T13:00:00.5+01:00"), timestamp("2026-11-22T12:00:00.5Z"));
        assert_eq!(timestamp("0001-01-01T00:00:00Z"), None);
        assert_eq!(timestamp("yesterday"), None);
    }

    #[test]
    fn labels_that_do_not_parse_name_no_target() {
        let check = |pairs: &[(&str, &str)], expect: Option<&str>| {
            let labels = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(read_labels(&labels).target.map(|target| target.to_string()).as_deref(), expect, "{pairs:?}");
        };
        check(&[(LABEL_ROLE, "agent"), (LABEL_PROFILE, "ops")], Some("ops/agent"));
        check(&[(LABEL_ROLE, "spark")], Some("spark"));
        check(&[(LABEL_ROLE, "spark"), (LABEL_PROFILE, "ops")], None);
        check(&[(LABEL_ROLE, "agent")], None);
        check(&[(LABEL_ROLE, "agent"), (LABEL_PROFILE, "../x")], None);
        check(&[], None);
    }
}
