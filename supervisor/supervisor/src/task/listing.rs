//! The snapshots of a profile as the backup sidecar lists them, and which of them is meant.

use std::time::Duration;

use platform_kit::client::{CallError, Client};
use platform_types::ProfileName;
use platform_types::backup::{Snapshot, SnapshotList};
use serde::de::IgnoredAny;

/// What people say instead of an id.
pub const LATEST: &str = "latest";
/// Why the snapshot before a restore is taken. `latest` never means one of these: a restore that is repeated restores the
/// same again.
pub const BEFORE_RESTORE: &str = "before-restore";
/// Shortest beginning of a snapshot's id, as the restore task wants it.
const MIN_ID_CHARS: usize = 6;
/// A sidecar that lives says so in a millisecond; one that is stopped is not waited for.
const ALIVE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Listing opens the repository: a second or two when it is large.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks the sidecar behind `client`.
pub async fn list(client: &Client, profile: &ProfileName) -> Result<SnapshotList, CallError> {
    client.clone().with_timeout(ALIVE_TIMEOUT).get::<IgnoredAny>("/healthz").await?;
    client.clone().with_timeout(LIST_TIMEOUT).get(&format!("/snapshots/{profile}")).await
}

/// The whole id of the snapshot that is meant, or why there is none.
pub fn choose(snapshots: &[Snapshot], profile: &ProfileName, wanted: &str) -> Result<String, String> {
    let own = || snapshots.iter().filter(|snapshot| snapshot.profile == *profile);
    if wanted == LATEST {
        let good = own().filter(|snapshot| snapshot.complete && snapshot.reason != BEFORE_RESTORE);
        let latest = good.max_by_key(|snapshot| snapshot.at).map(|snapshot| snapshot.id.clone());
        return latest.ok_or_else(|| {
            if own().any(|snapshot| snapshot.complete) {
                format!(
                    "there are only snapshots from before a restore; name one by its id: botctl backup list {profile}"
                )
            } else {
                format!("there is no complete snapshot yet; take one with: botctl backup now {profile}")
            }
        });
    }
    check_beginning(wanted)?;
    let wanted = wanted.to_ascii_lowercase();
    let mut matching = snapshots.iter().filter(|snapshot| snapshot.id.starts_with(&wanted));
    let Some(found) = matching.next() else {
        return Err(format!("no snapshot begins with {wanted}; see: botctl backup list {profile}"));
    };
    if matching.next().is_some() {
        return Err(format!("more than one snapshot begins with {wanted}; name more characters of the id"));
    }
    if found.profile != *profile {
        return Err(format!("snapshot {wanted} belongs to the profile {}, not to {profile}", found.profile));
    }
    if !found.complete {
        return Err(format!("snapshot {wanted} is not complete: it was never compared with a manifest"));
    }
    Ok(found.id.clone())
}

/// What can be no id is refused before anybody is asked.
pub fn check_beginning(wanted: &str) -> Result<(), String> {
    let plausible = wanted.len() >= MIN_ID_CHARS && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plausible || wanted == LATEST {
        return Ok(());
    }
    Err(format!("name at least {MIN_ID_CHARS} hexadecimal characters of the snapshot's id, or \"{LATEST}\""))
}

#[cfg(test)]
mod tests {
    use platform_kit::socket::Peer;
    use platform_types::Timestamp;

    use super::*;

    fn snapshot(id: &str, profile: &str, at: i64, reason: &str, complete: bool) -> Snapshot {
        Snapshot {
            id: format!("{id:0<64}"),
            profile: ProfileName::new(profile).unwrap(),
            at: Timestamp(at),
            reason: reason.to_owned(),
            files: 1,
            bytes: 1,
            added_bytes: None,
            complete,
        }
    }

    fn check(snapshots: &[Snapshot], wanted: &str, expect: Result<&str, &str>) {
        match (choose(snapshots, &ProfileName::new("personal").unwrap(), wanted), expect) {
            (Ok(found), Ok(id)) => assert_eq!(found, format!("{id:0<64}"), "{wanted}"),
            (Err(said), Err(words)) => assert!(said.contains(words), "{wanted}: {said}"),
            (found, expect) => panic!("{wanted}: {found:?}, not {expect:?}"),
        }
    }

    #[test]
    fn which_snapshot_is_meant_is_known_before_anything_is_done() {
        let all = [
            snapshot("aaaa11", "personal", 1, "manual", true),
            snapshot("aaaa112", "personal", 2, "manual", true),
            snapshot("bbbb22", "personal", 3, "manual", false),
            snapshot("cccc33", "personal", 4, BEFORE_RESTORE, true),
            snapshot("dddd44", "ops", 5, "manual", true),
        ];
        check(&all, "latest", Ok("aaaa112"));
        check(&all, "cccc33", Ok("cccc33"));
        check(&all, "CCCC330", Ok("cccc33"));
        check(&all, "aaaa110", Ok("aaaa11"));
        check(&all, "aaaa11", Err("more than one"));
        check(&all, "abcdef", Err("no snapshot begins with abcdef"));
        check(&all, "bbbb22", Err("not complete"));
        check(&all, "dddd44", Err("belongs to the profile ops"));
        for nonsense in ["aaaa1", "", "../../x", "aaaa1g", "Latest"] {
            check(&all, nonsense, Err("at least 6 hexadecimal characters"));
        }
        check(&all[3..], "latest", Err("only snapshots from before a restore"));
        check(&all[2..3], "latest", Err("botctl backup now personal"));
        check(&[], "latest", Err("botctl backup now personal"));
    }

    #[tokio::test]
    async fn a_sidecar_that_is_stopped_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup.sock");
        // It is bound, and nobody accepts: so the kernel keeps connections to a process that is stopped.
        let _stopped = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let client = Client::new(path, Peer::Trusted, Duration::from_hours(1));
        let began = std::time::Instant::now();
        let error = list(&client, &ProfileName::new("personal").unwrap()).await.unwrap_err();
        assert!(matches!(error, CallError::Timeout(ALIVE_TIMEOUT)), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
