//! One-time setup links.

use platform_kit::{Failure, random};
use platform_types::ProfileName;
use platform_types::gate::Scope;
use supervisor_store::LinkRecord;

use super::{in_ledger, normal, note, push, served_origin};
use crate::api::failure::internal;
use crate::api::wire::registry as wire;
use crate::registry::code;
use crate::state::Shared;

/// How long a setup link works.
pub const LINK_MILLIS: i64 = 15 * 60_000;

/// Makes a one-time setup link.
pub async fn create_link(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    scopes: Option<Vec<Scope>>,
) -> Result<wire::Link, Failure> {
    let address = served_origin(shared, profile, "setup link")?;
    let code = code::setup_code(random::bytes());
    let now = shared.clock.now();
    let link = LinkRecord {
        profile: profile.clone(),
        code_sha256: code::sha256_hex(&code),
        scopes: scopes.map(normal),
        created_at: now,
        expires_at: now.plus_millis(LINK_MILLIS),
        used_at: None,
        used_by: None,
    };
    let expires_at = link.expires_at;
    in_ledger(shared, move |store| store.create_link(&link)).await.map_err(|error| internal(&error))?;
    note(shared, profile, by, "link.created", "a setup link was made".to_owned()).await;
    let pushed = push(shared, profile).await;
    let url = format!("{address}/#setup={code}");
    Ok(wire::Link { profile: profile.clone(), url, address, created_at: now, expires_at, pushed })
}
