//! Nothing but sockets of their owner lies where a container writes and others connect.

use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    let odd: Vec<String> = evidence.directories.iter().flat_map(|dir| dir.odd.iter().cloned()).collect();
    match odd.len() {
        0 => Finding::ok("only sockets of their owners, canaries, and secrets of their readers"),
        count => Finding::problem(
            format!("{count} names do not belong where they are; nobody follows them"),
            "the container that writes there may be taken over: botctl logs, then replace it (botctl apply --retry)",
        )
        .with_details(odd),
    }
}
