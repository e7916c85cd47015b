//! One file a check. Each is a function of [`Evidence`](super::evidence::Evidence) and says what it found in half a sentence.

pub mod as_planned;
pub mod confinement;
pub mod directories;
pub mod from_inside;
pub mod mounts;
pub mod names;
pub mod networks;
pub mod not_enforced;
pub mod private_files;
pub mod strangers;
pub mod users;

use supervisor_plan::observed::ObservedContainer;

use super::evidence::Evidence;
use crate::doctor::Finding;

/// What to do about a container that may do too much.
const REPLACE: &str = "botctl apply replaces it; if it comes back so, somebody changes it: look at botctl events";

/// Holds each container against a rule, and says which break it.
fn each_container(
    evidence: &Evidence,
    well: impl FnOnce(usize) -> String,
    broken: impl Fn(&ObservedContainer) -> Vec<String>,
) -> Finding {
    let containers = match &evidence.containers {
        Ok(containers) => containers,
        Err(error) => return Finding::unknown(format!("Docker did not say: {error}"), None),
    };
    let found: Vec<String> = containers
        .iter()
        .flat_map(|container| broken(container).into_iter().map(|why| format!("{}: {why}", container.name)))
        .collect();
    match found.len() {
        0 => Finding::ok(well(containers.len())),
        1 => Finding::problem(found[0].clone(), REPLACE),
        count => Finding::problem(format!("{count} things that no container should have"), REPLACE).with_details(found),
    }
}
