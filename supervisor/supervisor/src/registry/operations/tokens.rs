//! Bearer tokens of scripts.

use platform_kit::{Failure, random};
use platform_types::text::neutral;
use platform_types::{ErrorCode, ProfileName};
use supervisor_store::TokenRecord;

use super::{in_ledger, note, origin, push, served_origin};
use crate::api::failure::internal;
use crate::api::wire::registry as wire;
use crate::registry::code;
use crate::state::Shared;

/// Longest name of a token.
const MAX_TOKEN_NAME_CHARS: usize = 48;
/// Tokens of a profile that are in use at the same time. Each is pushed with every configuration.
const MAX_TOKENS: usize = 64;

pub async fn list_tokens(shared: &Shared, profile: &ProfileName) -> Result<wire::Tokens, Failure> {
    origin(shared, profile)?;
    let tokens = tokens(shared, profile).await?.into_iter().map(token).collect();
    Ok(wire::Tokens { profile: profile.clone(), now: shared.clock.now(), tokens })
}

/// Makes a token; the answer is the only place where it is ever shown.
pub async fn create_token(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    name: &str,
) -> Result<wire::TokenCreated, Failure> {
    let address = served_origin(shared, profile, "token")?;
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_TOKEN_NAME_CHARS || name.trim() != name || neutral(name) != name {
        let message = format!("a token's name has 1 to {MAX_TOKEN_NAME_CHARS} printable characters");
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("name"));
    }
    let in_use = tokens(shared, profile).await?.iter().filter(|token| token.revoked_at.is_none()).count();
    if in_use >= MAX_TOKENS {
        let message = format!("{profile} has {MAX_TOKENS} tokens; revoke one that is not used");
        return Err(Failure::new(ErrorCode::Conflict, message));
    }
    let secret = code::script_token(random::bytes());
    let now = shared.clock.now();
    let created = {
        let (profile, name, sha256) = (profile.clone(), name.to_owned(), code::sha256_hex(&secret));
        in_ledger(shared, move |store| store.create_token(&profile, &name, &sha256, now)).await
    };
    if !created.map_err(|error| internal(&error))? {
        let message = format!("{profile} has a token named {name:?}; revoke it first, or take another name");
        return Err(Failure::new(ErrorCode::Conflict, message).with_param("name"));
    }
    note(shared, profile, by, "token.created", format!("the token {name:?} was made")).await;
    let pushed = push(shared, profile).await;
    let base_url = format!("{address}/v1");
    Ok(wire::TokenCreated { profile: profile.clone(), name: name.to_owned(), token: secret, base_url, pushed })
}

pub async fn revoke_token(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    name: &str,
) -> Result<wire::TokenRevoked, Failure> {
    origin(shared, profile)?;
    let now = shared.clock.now();
    let changed = {
        let (profile, name) = (profile.clone(), name.to_owned());
        in_ledger(shared, move |store| store.revoke_token(&profile, &name, now)).await
    };
    if !changed.map_err(|error| internal(&error))? {
        let message = format!("{profile} has no token named {:?}", neutral(name));
        return Err(Failure::new(ErrorCode::NotFound, message));
    }
    note(shared, profile, by, "token.revoked", format!("the token {name:?} was revoked")).await;
    let pushed = push(shared, profile).await;
    Ok(wire::TokenRevoked { profile: profile.clone(), name: name.to_owned(), pushed })
}

async fn tokens(shared: &Shared, profile: &ProfileName) -> Result<Vec<TokenRecord>, Failure> {
    let profile = profile.clone();
    in_ledger(shared, move |store| store.tokens(&profile)).await.map_err(|error| internal(&error))
}

fn token(record: TokenRecord) -> wire::Token {
    let TokenRecord { name, created_at, seen_at, revoked_at } = record;
    wire::Token { name, created_at, seen_at, revoked_at }
}
