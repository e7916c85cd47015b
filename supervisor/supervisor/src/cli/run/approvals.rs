//! `botctl approval`: what is decided is what was shown.

use platform_kit::{Clock as _, SystemClock};
use platform_types::agent::{Approval as Call, ApprovalState};
use platform_types::egress::{Card, CardState};

use super::asking::{confirmed, somebody_or};
use super::{Call as Session, one_of};
use crate::api::wire::approvals::{Approvals, Asker, Decided, Decision};
use crate::cli::args::{Approval, OneApproval};
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;
use crate::cli::show;

/// One that waits, with the digest that the answer is bound to.
enum Waiting<'a> {
    Gate(&'a Card),
    Agent(&'a Call),
    Spark(&'a Card),
}

impl Waiting<'_> {
    fn id(&self) -> &str {
        match self {
            Self::Gate(card) | Self::Spark(card) => &card.id,
            Self::Agent(call) => &call.id,
        }
    }
}

pub async fn approval(session: &Session, approval: Approval) -> Result<(), Failure> {
    match approval {
        Approval::List { profile } => {
            let query = profile.map_or_else(String::new, |profile| format!("?profile={profile}"));
            session.get(&format!("/approvals{query}"), show::approvals::list).await
        }
        Approval::Allow(one) => decide(session, one, true).await,
        Approval::Deny(one) => decide(session, one, false).await,
    }
}

async fn decide(session: &Session, one: OneApproval, allow: bool) -> Result<(), Failure> {
    let OneApproval { profile, id, yes } = one;
    let found: Approvals = session.supervisor.get(&format!("/approvals?profile={profile}")).await?;
    let waiting: Vec<Waiting<'_>> = found.profiles.iter().flat_map(waiting).collect();
    let list = format!("botctl approval list {profile}");
    let id = one_of(waiting.iter().map(Waiting::id), &id, "undecided approval", &list)?;
    let Some(chosen) = waiting.iter().find(|waiting| waiting.id() == id) else {
        return Err(Failure::other("it was decided meanwhile"));
    };
    somebody_or(yes, &format!("look at it with {list}, then add --yes"))?;
    let (asker, digest) = match chosen {
        Waiting::Gate(card) => (Asker::Gate, card.digest.clone()),
        Waiting::Agent(call) => (Asker::Agent, call.digest.clone()),
        Waiting::Spark(card) => (Asker::Spark, card.digest.clone()),
    };
    if !session.json {
        let mut screen = Screen::for_stdout(SystemClock.now());
        match chosen {
            Waiting::Gate(card) | Waiting::Spark(card) => show::approvals::card(&mut screen, &profile, card),
            Waiting::Agent(call) => show::approvals::call(&mut screen, &profile, call),
        }
        screen.show()?;
    }
    if !yes && !confirmed(if allow { "allow this, once?" } else { "deny this?" })? {
        return Err(Failure::other("nothing was decided"));
    }
    let target = format!("/profiles/{profile}/approvals/{id}");
    let body = Decision { asker, allow, digest };
    session.post::<_, Decided>(&target, &body, show::approvals::decided).await
}

fn waiting(profile: &crate::api::wire::approvals::ProfileApprovals) -> impl Iterator<Item = Waiting<'_>> {
    let cards = profile.confirmations.iter().filter(|card| card.state == CardState::Pending).map(Waiting::Gate);
    let calls = profile.approvals.iter().filter(|call| call.state == ApprovalState::Pending).map(Waiting::Agent);
    let switches = profile.switches.iter().filter(|card| card.state == CardState::Pending).map(Waiting::Spark);
    cards.chain(calls).chain(switches)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::api;
    use crate::cli::failure::OTHER;
    use crate::cli::link::Supervisor;
    use crate::example::{self, profile};

    #[tokio::test]
    async fn an_id_that_nobody_knows_is_said_before_anything_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let daemon = example::daemon(directory.path());
        std::fs::create_dir_all(&daemon.shared.roots.runtime).unwrap();
        let listener = api::bind(&daemon.shared.roots).unwrap();
        let stop = CancellationToken::new();
        platform_kit::task::spawn("test socket", api::serve(listener, daemon.shared.clone(), stop.clone()));
        let session = Session { supervisor: Supervisor::new(daemon.shared.roots.clone()), json: false };
        let one = OneApproval { profile: profile("personal"), id: "1234".to_owned(), yes: false };
        let failure = decide(&session, one, true).await.unwrap_err();
        assert_eq!(failure.exit, OTHER);
        let said = failure.message.unwrap();
        assert!(said.contains("no undecided approval begins with \"1234\"") && !said.contains("--yes"), "{said}");
        stop.cancel();
    }
}
