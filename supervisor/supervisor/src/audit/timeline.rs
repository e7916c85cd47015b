//! Three chains as one timeline, verified or not.

use std::collections::VecDeque;

use platform_kit::chain::genesis;
use platform_types::audit::{Anchor, Chain, Entry, KeptAnchor, Page};
use platform_types::text::neutral_cut;
use platform_types::{ProfileName, Timestamp};
use serde_json::Value;
use supervisor_store::StoreError;

use super::own::{self, concerns};
use super::source::{DEADLINE, Source, SourceError, within};
use super::verify::{self, Check, Verdict};
use crate::api::wire::audit::{ChainState, Line, Trail};
use crate::registry::operations::{device_names, in_ledger};
use crate::state::Shared;
use crate::words::chain;

/// Longest words, kind and actor of a line.
const MAX_WORDS_CHARS: usize = 400;
const MAX_NAME_CHARS: usize = 120;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The newest lines.
    pub limit: usize,
    /// Read every chain from its beginning and verify it.
    pub verify: bool,
}

/// What one chain gave.
struct Part {
    chain: Chain,
    entries: VecDeque<Entry>,
    state: ChainState,
}

/// The newest lines of a profile. A chain that cannot be read is named; the others are shown.
pub async fn read(shared: &Shared, profile: &ProfileName, question: Question) -> Result<Trail, StoreError> {
    let known = known(shared, profile).await?;
    // The gate first: it keeps heads of the other two.
    let (gate, kept) = part(shared, profile, Chain::Gate, (&known.gate, newest(&known.gate)), question).await;
    let (ours, agents): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| kept.chain == Chain::Supervisor);
    let ours = verify::since(ours, known.recovered_at);
    let seen = newest(&verify::since(known.agent.clone(), known.restored_at));
    let agents = verify::since(known.agent.into_iter().chain(agents).collect(), known.restored_at);
    let (supervisor, _) = part(shared, profile, Chain::Supervisor, (&ours, None), question).await;
    let (agent, _) = part(shared, profile, Chain::Agent, (&agents, seen), question).await;
    let parts = vec![supervisor, gate, agent];
    let verified = question.verify.then(|| parts.iter().all(|part| part.state.problem.is_none()));
    let chains = parts.iter().map(|part| part.state.clone()).collect();
    let lines = merge(parts, question.limit);
    let devices = device_names(shared, profile).await;
    Ok(Trail { profile: profile.clone(), now: shared.clock.now(), verified, chains, lines, devices })
}

/// The last entry that one of these heads is of.
fn newest(kept: &[KeptAnchor]) -> Option<u64> {
    kept.iter().map(|kept| kept.head.n).max()
}

/// What the ledger knows of a profile's chains.
struct Known {
    gate: Vec<KeptAnchor>,
    agent: Vec<KeptAnchor>,
    restored_at: Option<Timestamp>,
    recovered_at: Option<Timestamp>,
}

async fn known(shared: &Shared, profile: &ProfileName) -> Result<Known, StoreError> {
    let profile = profile.clone();
    in_ledger(shared, move |store| {
        Ok(Known {
            gate: store.anchors(&profile, Chain::Gate)?,
            agent: store.anchors(&profile, Chain::Agent)?,
            restored_at: own::restored_at(store, &profile)?,
            recovered_at: own::recovered_at(store)?,
        })
    })
    .await
}

/// Heads that others keep of a chain, and the last entry that the ledger has one of.
type Heads<'a> = (&'a [KeptAnchor], Option<u64>);

/// Reads one chain. The heads that it keeps of others come back too.
async fn part(
    shared: &Shared,
    profile: &ProfileName,
    chain: Chain,
    heads: Heads<'_>,
    question: Question,
) -> (Part, Vec<KeptAnchor>) {
    let mut part = Part { chain, entries: VecDeque::new(), state: ChainState::unread(chain) };
    let read = async {
        let source = Source::of(shared, profile, chain)?;
        if question.verify {
            return whole(&source, &mut part, profile, heads, question.limit).await;
        }
        tail(&source, &mut part, profile, question.limit).await.map(|()| Vec::new())
    };
    let kept = match within(DEADLINE, read).await {
        Ok(kept) => kept,
        Err(error) => {
            part.state.problem =
                Some(format!("it cannot be read: {}", neutral_cut(&self::chain(&error), MAX_WORDS_CHARS)));
            Vec::new()
        }
    };
    (part, kept)
}

impl Part {
    fn take(&mut self, entry: Entry, profile: &ProfileName, limit: usize) {
        if self.chain == Chain::Supervisor && !concerns(&entry, profile) {
            return;
        }
        self.entries.push_back(entry);
        if self.entries.len() > limit {
            self.entries.pop_front();
        }
    }
}

/// The newest entries alone.
async fn tail(source: &Source, part: &mut Part, profile: &ProfileName, limit: usize) -> Result<(), SourceError> {
    let Some(head) = source.head().await? else { return Ok(()) };
    part.state.head = Some(head.clone());
    // The supervisor's chain holds what concerns other profiles too.
    let wanted = if part.chain == Chain::Supervisor { head.n } else { u64::try_from(limit).unwrap_or(u64::MAX) };
    let first = source.page(head.n.saturating_sub(wanted)).await?;
    source
        .read(first, |entry| {
            part.take(entry, profile, limit);
            true
        })
        .await
}

/// Every entry, each verified.
async fn whole(
    source: &Source,
    part: &mut Part,
    profile: &ProfileName,
    (anchors, seen): Heads<'_>,
    limit: usize,
) -> Result<Vec<KeptAnchor>, SourceError> {
    let mut first = source.page(0).await?;
    let kept = std::mem::take(&mut first.anchors);
    let Page { base, head, .. } = &first;
    let (base, said) = (base.clone(), head.clone());
    let mut check = Check::new(part.chain, base.clone(), anchors, seen);
    source
        .read(first, |entry| {
            let holds = check.push(&entry);
            if holds {
                part.take(entry, profile, limit);
            }
            holds
        })
        .await?;
    let verdict = check.finish();
    part.state.judge(verdict, base, said.as_ref());
    Ok(kept)
}

impl ChainState {
    fn unread(chain: Chain) -> Self {
        Self { chain, head: None, rotated: 0, anchored: None, unproven: None, problem: None }
    }

    fn judge(&mut self, verdict: Verdict, base: Option<Anchor>, said: Option<&Anchor>) {
        let Verdict { head, anchored, broken } = verdict;
        self.rotated = base.map_or(0, |base| base.n);
        self.problem = broken.map(|broken| broken.to_string());
        if self.problem.is_none() && said.is_some_and(|said| said.n < head.n) {
            self.problem = Some("it says that it ends before its last entry".to_owned());
        }
        if self.problem.is_none() {
            self.anchored = Some(anchored);
            self.unproven = Some(head.n - anchored.max(self.rotated).min(head.n));
        }
        self.head = (head != genesis()).then_some(head);
    }
}

/// The newest lines of all, in the order of time. Each chain keeps its own order whatever its clock did.
fn merge(mut parts: Vec<Part>, limit: usize) -> Vec<Line> {
    let mut lines = VecDeque::new();
    let next = |parts: &[Part]| -> Option<usize> {
        let heads = parts.iter().enumerate().filter_map(|(index, part)| Some((part.entries.front()?.at, index)));
        heads.min().map(|(_, index)| index)
    };
    while let Some(index) = next(&parts) {
        let part = &mut parts[index];
        let Some(entry) = part.entries.pop_front() else { break };
        lines.push_back(line(part.chain, entry));
        if lines.len() > limit {
            lines.pop_front();
        }
    }
    lines.into()
}

fn line(chain: Chain, entry: Entry) -> Line {
    let Entry { n, at, kind, actor, data, hash } = entry;
    Line {
        at,
        chain,
        n,
        kind: neutral_cut(&kind, MAX_NAME_CHARS),
        actor: neutral_cut(&actor, MAX_NAME_CHARS),
        words: words(&data),
        data,
        hash: neutral_cut(&hash, MAX_NAME_CHARS),
    }
}

/// What an entry says, for people: its own words, or its members.
fn words(data: &Value) -> String {
    let member = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{name} {text}")),
        other => Some(format!("{name} {other}")),
    };
    let text = match data {
        Value::Object(members) => match members.get("words") {
            Some(Value::String(words)) => words.clone(),
            _ => members.iter().filter_map(member).collect::<Vec<_>>().join(", "),
        },
        Value::Null => String::new(),
        other => other.to_string(),
    };
    neutral_cut(&text, MAX_WORDS_CHARS)
}

/// Of tests: the parts as they would be read.
#[cfg(test)]
pub(super) fn merged(chains: Vec<(Chain, Vec<Entry>)>, limit: usize) -> Vec<Line> {
    let parts = chains.into_iter().map(|(chain, entries)| Part {
        chain,
        entries: entries.into(),
        state: ChainState::unread(chain),
    });
    merge(parts.collect(), limit)
}
