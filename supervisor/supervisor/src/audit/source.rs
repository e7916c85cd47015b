//! Entries of one chain, page by page: the ledger's own, or another's over its admin socket.
//!
//! An agent may say what it likes: answers are bounded in size and number, and nothing is kept but what is asked for.

use std::time::Duration;

use platform_kit::client::{CallError, Client};
use platform_types::ProfileName;
use platform_types::audit::{Anchor, Chain, Entry, MAX_PAGE, Page};
use supervisor_store::StoreError;

use crate::registry::operations::in_ledger;
use crate::sockets;
use crate::state::Shared;

/// A page is 500 entries of below 1 KiB each.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// More entries than a chain has after years.
const MAX_ENTRIES: usize = 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(5);
/// For all pages of a chain together: whoever gives them one by one holds nobody up.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Why a chain cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("it is not there to be asked")]
    Nobody,
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the ledger cannot be read")]
    Store(#[from] StoreError),
    #[error("it was not read to its end within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("it has more than {MAX_ENTRIES} entries")]
    TooMany,
}

/// Does what reads a chain, for so long.
pub async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(SourceError::TooSlow(limit)))
}

/// Where the entries of a chain are.
#[derive(Debug)]
pub struct Source {
    shared: Shared,
    /// `None`: the ledger.
    client: Option<Client>,
}

impl Source {
    pub fn of(shared: &Shared, profile: &ProfileName, chain: Chain) -> Result<Self, SourceError> {
        let client = match chain {
            Chain::Supervisor => return Ok(Self { shared: shared.clone(), client: None }),
            Chain::Agent => sockets::agent(shared, profile),
            Chain::Gate => sockets::gate(shared, profile),
        };
        let client = client.ok_or(SourceError::Nobody)?.with_timeout(TIMEOUT).with_max_answer(MAX_ANSWER_BYTES);
        Ok(Self { shared: shared.clone(), client: Some(client) })
    }

    /// The entries after a number.
    pub async fn page(&self, after: u64) -> Result<Page, SourceError> {
        if let Some(client) = &self.client {
            return Ok(client.get(&format!("/audit?after={after}")).await?);
        }
        let page = in_ledger(&self.shared, move |store| {
            let entries = store.audit_after(after, u32::try_from(MAX_PAGE).unwrap_or(u32::MAX))?;
            let head = store.audit_head()?;
            let more = entries.last().is_some_and(|last| last.n < head.n);
            let head = (head.n > 0).then_some(head);
            Ok(Page { entries, more, head, base: None, anchors: Vec::new() })
        });
        Ok(page.await?)
    }

    /// Gives every entry of `first` and of the pages after it to `each`, until it has enough.
    pub async fn read(&self, first: Page, mut each: impl FnMut(Entry) -> bool) -> Result<(), SourceError> {
        let (mut page, mut count) = (first, 0);
        loop {
            let (more, last) = (page.more, page.entries.last().map(|entry| entry.n));
            count += page.entries.len();
            for entry in page.entries {
                if !each(entry) {
                    return Ok(());
                }
            }
            let Some(last) = last.filter(|_| more) else { return Ok(()) };
            if count > MAX_ENTRIES {
                return Err(SourceError::TooMany);
            }
            page = self.page(last).await?;
        }
    }

    /// Where the chain ends, as its owner says.
    pub async fn head(&self) -> Result<Option<Anchor>, SourceError> {
        // Beyond every entry: only the head comes back.
        Ok(self.page(u64::from(u32::MAX)).await?.head)
    }
}
