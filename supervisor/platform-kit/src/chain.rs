//! The hash chain of an audit: computes and verifies [`platform_types::audit`].
//!
//! An entry's hash is SHA-256 over `<hash before>\n` and the JSON list `[n, at, kind, actor, data]` without white space, the
//! members of objects in the order of their names: it does not depend on who wrote or parsed the line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use platform_types::Timestamp;
use platform_types::audit::{Anchor, Entry, GENESIS};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Where a chain without entries ends.
pub fn genesis() -> Anchor {
    Anchor { n: 0, hash: GENESIS.to_owned() }
}

/// The head of a chain whose last entry this is.
pub fn head(last: &Entry) -> Anchor {
    Anchor { n: last.n, hash: last.hash.clone() }
}

/// The next entry of a chain that ends at `head`.
pub fn next(head: &Anchor, at: Timestamp, kind: &str, actor: &str, data: Value) -> Entry {
    let mut entry = Entry {
        n: head.n + 1,
        at,
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        data: canonical(data),
        hash: String::new(),
    };
    entry.hash = hash(&head.hash, &entry);
    entry
}

/// The hash that an entry must have after `before`.
pub fn hash(before: &str, entry: &Entry) -> String {
    let line = Value::from(vec![
        entry.n.into(),
        entry.at.as_millis().into(),
        entry.kind.as_str().into(),
        entry.actor.as_str().into(),
        canonical(entry.data.clone()),
    ]);
    sha256(&format!("{before}\n{line}"))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// The same value with the members of all objects in the order of their names.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<String, Value> = members.into_iter().collect();
            Value::Object(sorted.into_iter().map(|(name, value)| (name, canonical(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Order { expected: u64, found: u64 },
    #[error("entry {n} was changed, or an entry before it")]
    Hash { n: u64 },
    #[error("entry {n} is not the one that was anchored")]
    Replaced { n: u64 },
    #[error("its first {base} entries are missing, and a chain that ends at entry {end} has not dropped so many")]
    Shortened { base: u64, end: u64 },
    #[error("entries {first} to {base} were dropped before anybody saw them: what is said of them is not proven")]
    Unseen { first: u64, base: u64 },
    #[error("the chain ends at entry {end}, but entry {anchored} was anchored: it was cut")]
    Cut { end: u64, anchored: u64 },
}

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub head: Anchor,
    /// Entries up to this one are proven by an anchor; what came later is consistent in itself, not proven. 0: none is.
    pub anchored: u64,
}

/// Verifies a chain entry by entry.
#[derive(Debug, Clone)]
pub struct Verifier {
    head: Anchor,
    /// Still to come, by number; the last of them decides about a cut.
    anchors: BTreeMap<u64, String>,
    anchored: u64,
}

impl Verifier {
    /// `after` is what the first entry follows: [`genesis`], or the base of a chain that was rotated. Of `anchors` those
    /// before it prove nothing any more.
    pub fn new(after: Anchor, anchors: impl IntoIterator<Item = Anchor>) -> Result<Self, Broken> {
        let mut known = BTreeMap::new();
        let mut anchored = 0;
        for anchor in anchors {
            if anchor.n == after.n && anchor.hash != after.hash {
                return Err(Broken::Replaced { n: anchor.n });
            }
            if anchor.n <= after.n {
                anchored = anchored.max(anchor.n);
                continue;
            }
            // Two anchors of one entry have to agree.
            let before = known.insert(anchor.n, anchor.hash.clone());
            if before.is_some_and(|hash| hash != anchor.hash) {
                return Err(Broken::Replaced { n: anchor.n });
            }
        }
        Ok(Self { head: after, anchors: known, anchored })
    }

    pub fn push(&mut self, entry: &Entry) -> Result<(), Broken> {
        let expected = self.head.n + 1;
        if entry.n != expected {
            return Err(Broken::Order { expected, found: entry.n });
        }
        if entry.hash != hash(&self.head.hash, entry) {
            return Err(Broken::Hash { n: entry.n });
        }
        if let Some(anchored) = self.anchors.remove(&entry.n) {
            if anchored != entry.hash {
                return Err(Broken::Replaced { n: entry.n });
            }
            self.anchored = entry.n;
        }
        self.head = head(entry);
        Ok(())
    }

    pub fn finish(self) -> Result<Verified, Broken> {
        match self.anchors.last_key_value() {
            Some((anchored, _)) => Err(Broken::Cut { end: self.head.n, anchored: *anchored }),
            None => Ok(Verified { head: self.head, anchored: self.anchored }),
        }
    }
}

/// Verifies a whole chain at once.
pub fn verify<'a>(
    after: Anchor,
    anchors: impl IntoIterator<Item = Anchor>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Verified, Broken> {
    let mut verifier = Verifier::new(after, anchors)?;
    for entry in entries {
        verifier.push(entry)?;
    }
    verifier.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chain(kinds: &[String]) -> Vec<Entry> {
        let mut end = genesis();
        let mut entries = Vec::new();
        for (index, kind) in kinds.iter().enumerate() {
            let entry = next(&end, Timestamp(7), kind, "anna", json!({ "b": index, "a": { "d": 1, "c": [2] } }));
            end = head(&entry);
            entries.push(entry);
        }
        entries
    }

    /// Verifies against an anchor of the whole, untouched chain.
    fn found(before: &[Entry], after: &[Entry]) -> bool {
        verify(genesis(), before.last().map(head), after).is_err()
    }

    #[test]
    fn the_hash_is_over_fixed_text() {
        let entry = next(&genesis(), Timestamp(5), "tool.denied", "bot", json!({ "b": 1, "a": "x" }));
        let text = format!("{GENESIS}\n[1,5,\"tool.denied\",\"bot\",{{\"a\":\"x\",\"b\":1}}]");
        assert_eq!(entry.hash, sha256(&text));
        let line = serde_json::to_string(&entry).expect("serialises");
        let read: Entry = serde_json::from_str(&line).expect("parses");
        assert_eq!(hash(GENESIS, &read), entry.hash);
    }

    #[test]
    fn what_came_after_the_last_anchor_is_not_proven() {
        let entries = chain(&["a".into(), "b".into(), "c".into()]);
        let verified = verify(genesis(), [head(&entries[1])], &entries).expect("holds");
        assert_eq!((verified.head, verified.anchored), (head(&entries[2]), 2));
        let cut = verify(genesis(), [head(&entries[1])], &entries[..1]);
        assert_eq!(cut, Err(Broken::Cut { end: 1, anchored: 2 }));
        assert_eq!(verify(genesis(), [], &entries).expect("holds").anchored, 0);
    }

    #[test]
    fn a_rotated_chain_holds_from_its_base() {
        let entries = chain(&["a".into(), "b".into(), "c".into()]);
        let anchors = || entries.iter().map(head);
        assert_eq!(verify(head(&entries[0]), anchors(), &entries[1..]).expect("holds").anchored, 3);
        let other = Anchor { n: 1, hash: GENESIS.into() };
        assert_eq!(verify(other.clone(), anchors(), &entries[1..]), Err(Broken::Replaced { n: 1 }));
        assert_eq!(verify(other, [], &entries[1..]), Err(Broken::Hash { n: 2 }));
    }

    /// What somebody may do to one entry.
    fn edit(entry: &mut Entry, how: u8) {
        match how {
            0 => entry.at = Timestamp(entry.at.0 + 1),
            1 => entry.kind.push('x'),
            2 => entry.actor.push('x'),
            3 => entry.data["a"]["c"][0] = json!("2"),
            4 => entry.data["e"] = Value::Null,
            5 => entry.hash.replace_range(0..1, if entry.hash.starts_with('0') { "1" } else { "0" }),
            _ => std::mem::swap(&mut entry.kind, &mut entry.actor),
        }
    }

    proptest! {
        #[test]
        fn any_edit_is_found(kinds in prop::collection::vec("[a-z]{1,4}", 1..12), at: prop::sample::Index, how in 0_u8..7) {
            let before = chain(&kinds);
            prop_assert!(!found(&before, &before));
            let mut after = before.clone();
            let at = at.index(after.len());
            edit(&mut after[at], how);
            if after != before {
                prop_assert!(found(&before, &after));
            }
        }

        #[test]
        fn an_edit_that_is_hashed_again_is_found_by_the_anchor(
            kinds in prop::collection::vec("[a-z]{1,4}", 1..12), at: prop::sample::Index,
        ) {
            let before = chain(&kinds);
            let mut kinds = kinds;
            let at = at.index(kinds.len());
            kinds[at].push('x');
            prop_assert_eq!(
                verify(genesis(), before.last().map(head), &chain(&kinds)),
                Err(Broken::Replaced { n: before.len() as u64 })
            );
        }

        #[test]
        fn any_removal_swap_repetition_or_cut_is_found(
            kinds in prop::collection::vec("[a-z]{1,4}", 2..12), a: prop::sample::Index, b: prop::sample::Index,
        ) {
            let before = chain(&kinds);
            let (a, b) = (a.index(before.len()), b.index(before.len()));
            let mut removed = before.clone();
            removed.remove(a);
            prop_assert!(found(&before, &removed));
            let mut repeated = before.clone();
            repeated.insert(b, before[a].clone());
            prop_assert!(found(&before, &repeated));
            prop_assert!(found(&before, &before[..a]));
            if a != b {
                let mut swapped = before.clone();
                swapped.swap(a, b);
                prop_assert!(found(&before, &swapped));
            }
        }
    }
}
