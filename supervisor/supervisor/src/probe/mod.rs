//! Asks every running container how it is, over its admin socket.
//!
//! **Invariants.** The directory of a socket belongs to the container: it is connected without trust in names, the uid
//! at the other end is checked, time and size of the answer are bounded. An answer belongs to one life of a process: a
//! restart begins anew.

pub mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http::Method;
use platform_kit::client::Client;
use platform_kit::socket::Peer;
use platform_types::health::{Readiness, Release};
use platform_types::layout::Roots;
use platform_types::text::neutral_cut;
use platform_types::{Generation, Role, Timestamp};
use supervisor_plan::Target;
use supervisor_plan::ledger::Ids;
use supervisor_plan::observed::Answer;
use supervisor_plan::topology::id_name;

/// A process that turns its loop answers in a millisecond; on a loaded machine in a hundred.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A readiness is below 2 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Reasons and notes that are kept of an answer, and how long each may be.
const MAX_TEXTS: usize = 8;
const MAX_TEXT_CHARS: usize = 240;

/// Where a container answers, and who has to be at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    pub socket: PathBuf,
    pub uid: u32,
}

/// What one probe brought.
#[derive(Debug, Clone)]
pub enum Reading {
    Answered { readiness: Readiness, release: Option<Release>, latency: Duration },
    Silent { error: String },
}

/// The admin socket of a target; `None` where there is none, or nobody has a uid yet.
pub fn door(roots: &Roots, ids: &Ids, target: &Target, generation: Option<Generation>) -> Option<Door> {
    let (socket, name) = match (target.role(), target.profile()) {
        (Role::Agent, Some(profile)) => (roots.agent_admin(profile, generation?), id_name(Role::Agent, profile)),
        (Role::Gate, Some(profile)) => (roots.gate_admin(profile), id_name(Role::Gate, profile)),
        (Role::Spark, _) => (roots.spark_admin(), "spark".to_owned()),
        (Role::Backup, _) => (roots.backup_admin(), "backup".to_owned()),
        _ => return None,
    };
    Some(Door { socket, uid: ids.get(&name)? })
}

impl Door {
    pub fn client(&self, timeout: Duration) -> Client {
        Client::new(&self.socket, Peer::Uid(self.uid), timeout)
    }
}

/// Asks once. The release is asked for when it is not known yet.
pub async fn ask(door: &Door, with_release: bool) -> Reading {
    let client = door.client(TIMEOUT).with_max_answer(MAX_ANSWER_BYTES);
    let began = Instant::now();
    let readiness = match client.exchange::<()>(Method::GET, "/readyz", None).await {
        Ok((_, body)) => serde_json::from_slice::<Readiness>(&body),
        Err(error) => return Reading::Silent { error: crate::words::chain(&error) },
    };
    let latency = began.elapsed();
    let Ok(readiness) = readiness else {
        return Reading::Silent { error: "its answer to /readyz cannot be read".to_owned() };
    };
    let release = if with_release { client.get::<Release>("/release").await.ok().map(neutral_release) } else { None };
    Reading::Answered { readiness, release, latency }
}

fn neutral_release(mut release: Release) -> Release {
    release.version = neutral_cut(&release.version, MAX_TEXT_CHARS);
    release
}

/// An answer as the planner sees it. `previous` is the one before, of the same process.
pub fn answer(
    readiness: &Readiness,
    expected: &BTreeMap<String, String>,
    previous: Option<&Answer>,
    now: Timestamp,
) -> Answer {
    let since = previous.filter(|previous| previous.ready == readiness.ready).map_or(now, |previous| previous.since);
    Answer {
        at: now,
        ready: readiness.ready,
        since,
        reasons: texts(&readiness.reasons),
        notes: texts(&readiness.notes),
        revision: readiness.revision,
        generation: readiness.generation,
        lost_mounts: lost_mounts(&readiness.canaries, expected),
    }
}

fn texts(texts: &[String]) -> Vec<String> {
    texts.iter().take(MAX_TEXTS).map(|text| neutral_cut(text, MAX_TEXT_CHARS)).collect()
}

/// Mounts that a container looks at and where it does not read what was written there.
fn lost_mounts(reported: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) -> BTreeSet<String> {
    let differs = |(mount, text): &(&String, &String)| reported.get(*mount).is_some_and(|read| read != *text);
    expected.iter().filter(differs).map(|(mount, _)| mount.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_mount_is_lost_when_another_text_is_read_there() {
        let expected = map(&[("/state", "a"), ("/run/bot/http", "b"), ("/run/bot/llm", "c")]);
        let reported = map(&[("/state", "a"), ("/run/bot/http", ""), ("/elsewhere", "x")]);
        assert_eq!(lost_mounts(&reported, &expected), BTreeSet::from(["/run/bot/http".to_owned()]));
    }

    #[test]
    fn an_answer_keeps_since_when_it_is_so() {
        let ready = Readiness { ready: true, ..Readiness::default() };
        let first = answer(&ready, &BTreeMap::new(), None, Timestamp(10));
        let second = answer(&ready, &BTreeMap::new(), Some(&first), Timestamp(20));
        assert_eq!((second.at, second.since), (Timestamp(20), Timestamp(10)));
        let unready = Readiness { reasons: vec!["disk\u{1b}[31m full".into(); 20], ..Readiness::default() };
        let third = answer(&unready, &BTreeMap::new(), Some(&second), Timestamp(30));
        assert_eq!(third.since, Timestamp(30));
        assert_eq!(third.reasons.len(), MAX_TEXTS);
        assert!(!third.reasons[0].contains('\u{1b}'));
    }

    #[tokio::test]
    async fn an_endless_answer_is_silence() {
        use tokio::io::AsyncWriteExt as _;
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("a.sock");
        let listener = platform_kit::socket::bind(&socket, 0o666).unwrap();
        platform_kit::task::spawn("hostile peer", async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
            let mut result = stream.write_all(head.as_bytes()).await;
            while result.is_ok() {
                result = stream.write_all(&[b' '; 4096]).await;
            }
        });
        let door = Door { socket, uid: nix::unistd::getuid().as_raw() };
        assert!(matches!(ask(&door, false).await, Reading::Silent { error } if error.contains("longer")));
        let missing = Door { socket: directory.path().join("b.sock"), uid: 0 };
        assert!(matches!(ask(&missing, false).await, Reading::Silent { .. }));
    }
}
