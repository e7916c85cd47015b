//! Heads of gates' and agents' chains, fetched as they grow and kept in the ledger; and the supervisor's own, given to every
//! gate to keep.
//!
//! **Invariant.** A head is kept only when what leads to it continues the head that was kept before: a chain that was
//! written anew shows at once, and old heads are not needed for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform_kit::chain::{Broken, Verifier, genesis};
use platform_types::ProfileName;
use platform_types::audit::{Anchor, Chain, Page};
use supervisor_store::{NewEvent, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::own;
use super::source::{DEADLINE, Source, SourceError, within};
use crate::registry::operations::in_ledger;
use crate::sockets;
use crate::state::Shared;
use crate::words::chain as chain_of_causes;

/// Heads are fetched so often.
const EVERY: Duration = Duration::from_secs(30);

/// What became of one look at a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing new, or nobody to ask.
    Same,
    Kept(Anchor),
    /// It does not continue what was kept.
    Broken(String),
}

/// Fetches until `stop`.
pub async fn keep(shared: Shared, stop: CancellationToken) {
    let mut rounds = Rounds::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = rounds.next(&shared, DEADLINE) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What one round leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    told: BTreeSet<(ProfileName, Chain, String)>,
    given: BTreeMap<ProfileName, Anchor>,
}

impl Rounds {
    /// Looks at every chain, at each no longer than `limit`.
    pub(super) async fn next(&mut self, shared: &Shared, limit: Duration) {
        let profiles: Vec<ProfileName> = shared.world.borrow().config.profiles.keys().cloned().collect();
        for profile in profiles {
            give(shared, &profile, &mut self.given).await;
            for chain in [Chain::Gate, Chain::Agent] {
                match within(limit, look(shared, &profile, chain)).await {
                    Ok(Look::Broken(why)) => {
                        if self.told.insert((profile.clone(), chain, why.clone())) {
                            tell(shared, &profile, chain, &why).await;
                        }
                    }
                    Ok(Look::Same | Look::Kept(_)) => {}
                    Err(error) => {
                        tracing::debug!(%profile, ?chain, error = chain_of_causes(&error), "no head of a chain");
                    }
                }
            }
        }
    }
}

/// Has a gate keep where the supervisor's chain ends, unless it does. A gate that is away is told later.
pub async fn give(shared: &Shared, profile: &ProfileName, given: &mut BTreeMap<ProfileName, Anchor>) {
    let Ok(head) = in_ledger(shared, Store::audit_head).await else { return };
    if head.n == 0 || given.get(profile) == Some(&head) {
        return;
    }
    let Some(gate) = sockets::gate(shared, profile) else { return };
    match gate.post::<_, serde::de::IgnoredAny>("/anchor", &head).await {
        Ok(_) => drop(given.insert(profile.clone(), head)),
        Err(error) => tracing::debug!(%profile, error = chain_of_causes(&error), "a gate did not keep a head"),
    }
}

/// Looks at one chain once.
pub async fn look(shared: &Shared, profile: &ProfileName, chain: Chain) -> Result<Look, SourceError> {
    let source = Source::of(shared, profile, chain)?;
    let last = last(shared, profile, chain).await?;
    let mut page = source.page(last.n).await?;
    let mut start = last.clone();
    if begins_later(&page, &last) {
        // What lies between was dropped before anybody saw it. Of a chain that nobody ever saw, its owner says what the oldest
        // entry follows; of another one, nobody could tell a true word from an invented one.
        page = source.page(0).await?;
        if let Some(base) = page.base.clone().filter(|base| is_dropped(chain, base, &page) && base.n > last.n) {
            if last.n > 0 {
                return Ok(Look::Broken(Broken::Unseen { first: last.n + 1, base: base.n }.to_string()));
            }
            start = base;
        }
    }
    if page.head.as_ref().is_none_or(|head| head.n < last.n) {
        let end = page.head.map_or(0, |head| head.n);
        let broken = Broken::Cut { end, anchored: last.n };
        return Ok(if last.n > 0 { Look::Broken(broken.to_string()) } else { Look::Same });
    }
    if page.head.as_ref().is_some_and(|head| head.n == last.n && head.hash != last.hash) {
        return Ok(Look::Broken(Broken::Replaced { n: last.n }.to_string()));
    }
    let mut verifier = match Verifier::new(start, []) {
        Ok(verifier) => verifier,
        Err(broken) => return Ok(Look::Broken(broken.to_string())),
    };
    let mut broken = None;
    source
        .read(page, |entry| {
            broken = verifier.push(&entry).err();
            broken.is_none()
        })
        .await?;
    if let Some(broken) = broken {
        return Ok(Look::Broken(broken.to_string()));
    }
    match verifier.finish() {
        Ok(end) if end.head.n > last.n => {
            let (profile, head, now) = (profile.clone(), end.head, shared.clock.now());
            let kept = head.clone();
            in_ledger(shared, move |store| store.keep_anchor(&profile, chain, &head, now)).await?;
            Ok(Look::Kept(kept))
        }
        Ok(_) => Ok(Look::Same),
        Err(broken) => Ok(Look::Broken(broken.to_string())),
    }
}

/// The chain is long enough to have dropped what came before.
fn is_dropped(chain: Chain, base: &Anchor, page: &Page) -> bool {
    page.head.as_ref().is_some_and(|head| base.n <= chain.latest_base(head.n))
}

fn begins_later(page: &Page, last: &Anchor) -> bool {
    page.entries.first().is_some_and(|entry| entry.n > last.n + 1)
}

/// The newest head that counts; of an agent none from before a restore.
async fn last(shared: &Shared, profile: &ProfileName, chain: Chain) -> Result<Anchor, StoreError> {
    let profile = profile.clone();
    in_ledger(shared, move |store| {
        let restored = if chain == Chain::Agent { own::restored_at(store, &profile)? } else { None };
        let known = super::verify::since(store.anchors(&profile, chain)?, restored);
        Ok(known.into_iter().next_back().map_or_else(genesis, |kept| kept.head))
    })
    .await
}

async fn tell(shared: &Shared, profile: &ProfileName, chain: Chain, why: &str) {
    let whose = format!("{chain:?}").to_lowercase();
    let message = format!("the audit of the {whose} is broken: {why}; botctl audit {profile} --verify");
    tracing::error!(%profile, message, "an audit chain is broken");
    let event = NewEvent {
        at: shared.clock.now(),
        kind: "audit_broken".to_owned(),
        subject: Some(profile.to_string()),
        message,
    };
    if let Err(error) = in_ledger(shared, move |store| store.record_event(&event)).await {
        tracing::warn!(%error, "an event was not recorded");
    }
}
