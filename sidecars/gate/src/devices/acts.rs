//! Acts that wait for the supervisor's word, each with the page that waits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use platform_kit::Failure;
use platform_types::device::{ActOutcome, DeviceAct};
use platform_types::{ErrorCode, Revision};
use tokio::sync::oneshot;

use crate::gate::Gate;

/// All of them, bounded: people press these buttons.
#[derive(Debug)]
pub struct Acts {
    limit: usize,
    waiting: Mutex<HashMap<String, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    act: DeviceAct,
    /// The revision in force when it was asked for.
    asked: Revision,
    tell: oneshot::Sender<ActOutcome>,
}

/// Forgets the act when the page that waits for it goes away.
#[derive(Debug)]
pub struct Wait<'a> {
    id: String,
    acts: &'a Acts,
    outcome: oneshot::Receiver<ActOutcome>,
}

impl Acts {
    pub fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default() }
    }

    pub fn open(&self, act: DeviceAct, asked: Revision) -> Result<Wait<'_>, Failure> {
        let (tell, outcome) = oneshot::channel();
        let id = act.id.clone();
        self.with(|waiting| {
            if waiting.len() >= self.limit {
                let message = "too many devices wait for the supervisor; try again later";
                return Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(10));
            }
            waiting.insert(act.id.clone(), Waiting { act, asked, tell });
            Ok(())
        })?;
        Ok(Wait { id, acts: self, outcome })
    }

    /// What has to be told again to a supervisor that connects.
    pub fn undecided(&self) -> Vec<DeviceAct> {
        self.with(|waiting| waiting.values().map(|one| one.act.clone()).collect())
    }

    /// The act, and the revision that was in force when it was asked for.
    pub fn get(&self, id: &str) -> Option<(DeviceAct, Revision)> {
        self.with(|waiting| waiting.get(id).map(|one| (one.act.clone(), one.asked)))
    }

    /// The supervisor's word, once.
    pub fn settle(&self, id: &str, outcome: ActOutcome) -> Result<(), Failure> {
        let gone = || Failure::new(ErrorCode::NotFound, "nobody waits for this any more");
        let one = self.with(|waiting| waiting.remove(id)).ok_or_else(gone)?;
        one.tell.send(outcome).map_err(|_| gone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Waiting>) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wait<'_> {
    /// The outcome, or the error for a page that waited long enough.
    pub async fn outcome(mut self, gate: &Gate) -> Result<ActOutcome, Failure> {
        let no_word = || {
            let message = "the supervisor has not answered yet; look again before you try again";
            Failure::new(ErrorCode::SupervisorUnavailable, message).with_retry_after(2)
        };
        match tokio::time::timeout(gate.limits.pairing.decision_time, &mut self.outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(no_word()),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.acts.with(|waiting| waiting.remove(&self.id));
    }
}

#[cfg(test)]
mod tests {
    use platform_types::DeviceId;
    use platform_types::device::Act;
    use platform_types::egress::Verdict;

    use super::*;

    fn act(id: &str) -> DeviceAct {
        let device = DeviceId::new("a".repeat(64)).expect("an id");
        let act = Act::Admit {
            request: "r".into(),
            device: device.clone(),
            name: "phone".into(),
            verdict: Verdict::Deny,
            scopes: Vec::new(),
        };
        DeviceAct { id: id.into(), by: device, act, signature: String::new() }
    }

    #[test]
    fn bounded_settled_once_and_gone_with_the_page() {
        let acts = Acts::new(2);
        let first = acts.open(act("1"), Revision(1)).expect("room");
        let second = acts.open(act("2"), Revision(1)).expect("room");
        assert_eq!(acts.open(act("3"), Revision(1)).expect_err("full").code, ErrorCode::RateLimited);
        assert_eq!(acts.undecided().len(), 2);
        let refused = || ActOutcome::Refused { reason: "no".into() };
        acts.settle("1", refused()).expect("settles");
        assert_eq!(acts.settle("1", refused()).expect_err("once").code, ErrorCode::NotFound);
        drop(first);
        drop(second);
        assert_eq!(acts.undecided(), []);
    }
}
