//! Bearer tokens of scripts for the OpenAI-compatible endpoint, by their digests.

use platform_types::{ProfileName, Timestamp};

use crate::error::StoreError;
use crate::store::Store;

/// A script token. The token itself was shown once and is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub name: String,
    pub created_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Store {
    /// Adds a token; `false` when one in use has that name already.
    pub fn create_token(
        &self,
        profile: &ProfileName,
        name: &str,
        token_sha256: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let added = transaction.execute(
                "INSERT INTO token (profile, token_sha256, name, created_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                (profile.as_str(), token_sha256, name, now.as_millis()),
            )?;
            Ok(added > 0)
        })
    }

    /// Every token of a profile, the revoked ones too, oldest first.
    pub fn tokens(&self, profile: &ProfileName) -> Result<Vec<TokenRecord>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT name, created_at, seen_at, revoked_at FROM token WHERE profile = ?1 ORDER BY created_at, name",
            )?;
            let rows = statement.query_map([profile.as_str()], |row| {
                Ok(TokenRecord {
                    name: row.get(0)?,
                    created_at: Timestamp(row.get(1)?),
                    seen_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
                    revoked_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Revokes the token in use with this name; `false` when there is none.
    pub fn revoke_token(&self, profile: &ProfileName, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE token SET revoked_at = ?3 WHERE profile = ?1 AND name = ?2 AND revoked_at IS NULL",
                (profile.as_str(), name, now.as_millis()),
            )?;
            Ok(changed > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_use_once_and_a_revoked_token_never_returns() {
        let store = Store::in_memory().unwrap();
        let profile = ProfileName::new("personal").unwrap();
        let (first, second) = ("a".repeat(64), "b".repeat(64));
        assert!(store.create_token(&profile, "ci", &first, Timestamp(1)).unwrap());
        assert!(!store.create_token(&profile, "ci", &second, Timestamp(2)).unwrap());
        assert!(store.revoke_token(&profile, "ci", Timestamp(3)).unwrap());
        assert!(!store.revoke_token(&profile, "ci", Timestamp(4)).unwrap());
        assert!(!store.create_token(&profile, "other", &first, Timestamp(5)).unwrap());
        assert!(store.create_token(&profile, "ci", &second, Timestamp(6)).unwrap());
        let valid = store.gate_registry(&profile, Timestamp(7)).unwrap().tokens;
        assert_eq!(valid.iter().map(|token| &token.token_sha256).collect::<Vec<_>>(), [&second]);
        let states: Vec<_> = store.tokens(&profile).unwrap().iter().map(|token| token.revoked_at).collect();
        assert_eq!(states, [Some(Timestamp(3)), None]);
    }
}
