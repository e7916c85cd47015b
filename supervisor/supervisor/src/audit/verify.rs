//! Whether a chain holds, entry by entry, against the heads that others keep. Pure.

use platform_kit::chain::{Broken, Verifier, genesis};
use platform_types::Timestamp;
use platform_types::audit::{Anchor, Chain, Entry, KeptAnchor};

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Where the chain ends, as far as it was read.
    pub head: Anchor,
    /// Entries up to this one are proven by a head that somebody else keeps.
    pub anchored: u64,
    pub broken: Option<Broken>,
}

/// A chain under verification.
#[derive(Debug)]
pub struct Check {
    chain: Chain,
    base: u64,
    /// The base is not beyond this.
    seen: u64,
    /// `None` once it is broken.
    verifier: Option<Verifier>,
    head: Anchor,
    broken: Option<Broken>,
}

impl Check {
    /// `base` is what the first entry follows in a chain whose beginning was rotated away; `seen` the last entry that the
    /// ledger has a head of, if it has one.
    pub fn new(chain: Chain, base: Option<Anchor>, anchors: &[KeptAnchor], seen: Option<u64>) -> Self {
        let head = base.unwrap_or_else(genesis);
        let (base, seen) = (head.n, seen.unwrap_or(head.n));
        match Verifier::new(head.clone(), anchors.iter().map(|kept| kept.head.clone())) {
            Ok(verifier) => Self { chain, base, seen, verifier: Some(verifier), head, broken: None },
            Err(broken) => Self { chain, base, seen, verifier: None, head, broken: Some(broken) },
        }
    }

    /// `false`: it is broken, and there is no use in reading on.
    pub fn push(&mut self, entry: &Entry) -> bool {
        let Some(verifier) = &mut self.verifier else { return false };
        match verifier.push(entry) {
            Ok(()) => self.head = platform_kit::chain::head(entry),
            Err(broken) => {
                self.broken = Some(broken);
                self.verifier = None;
            }
        }
        self.verifier.is_some()
    }

    pub fn finish(self) -> Verdict {
        let Self { chain, base, seen, verifier, head, broken } = self;
        match verifier.map(Verifier::finish) {
            // The anchors cannot tell: entries before the oldest that is left prove nothing any more.
            Some(Ok(_)) if base > chain.latest_base(head.n) => {
                let broken = Some(Broken::Shortened { base, end: head.n });
                Verdict { head, anchored: 0, broken }
            }
            // A base beyond every head that was kept continues nothing: it and all that follows may be invented.
            Some(Ok(_)) if base > seen => {
                let broken = Some(Broken::Unseen { first: seen + 1, base });
                Verdict { head, anchored: 0, broken }
            }
            Some(Ok(verified)) => Verdict { head: verified.head, anchored: verified.anchored, broken: None },
            Some(Err(broken)) => Verdict { head, anchored: 0, broken: Some(broken) },
            None => Verdict { head, anchored: 0, broken },
        }
    }
}

/// The heads that count. A restore by the operator takes an agent's chain back to where it was when the snapshot was taken:
/// heads from before it say nothing about the chain of now. So does a ledger that had to be recovered, about the supervisor's.
pub fn since(anchors: Vec<KeptAnchor>, restored_at: Option<Timestamp>) -> Vec<KeptAnchor> {
    anchors.into_iter().filter(|kept| restored_at.is_none_or(|at| kept.at > at)).collect()
}
