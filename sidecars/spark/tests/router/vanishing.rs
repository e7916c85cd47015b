//! A thousand clients that go away, in each phase: nothing of them stays.

use platform_types::spark::SparkLimits;
use spark::place::Limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::limits::{PATIENT, limited, queue_of};
use crate::running::chat;
use crate::scripted::*;

/// Clients in one wave: at the box, and in the profile's share of the queue.
const WAVE: usize = 50;
const WAVES: usize = 20;
/// Growth of resident memory from the second wave to the last one.
const MAX_GROWTH_BYTES: usize = 8 * 1024 * 1024;

/// Open descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

async fn vanish(steps: Vec<Step>, extra: &str) {
    let scripted = ScriptedBox::start(listing(steps)).await;
    let given = SparkLimits { concurrency: 4, queue: 128, ..PATIENT };
    let running = limited(scripted.backend(), given, Limits::default()).await;
    let path = running.lane("personal").0.path().to_owned();
    let body = chat(MODEL, "hi", extra);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-bot-progress: 1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut settled = (0, 0);
    for wave in 1..=WAVES {
        let mut clients = Vec::with_capacity(WAVE);
        for _ in 0..WAVE {
            let mut client = UnixStream::connect(&path).await.unwrap();
            client.write_all(head.as_bytes()).await.unwrap();
            client.write_all(body.as_bytes()).await.unwrap();
            clients.push(client);
        }
        let full = |lane: platform_types::spark::LaneStatus| (lane.running, lane.waiting_chat) == (4, 46);
        running.counted("a wave is there", |status| full(queue_of(status, "personal"))).await;
        drop(clients);
        let gone = (wave * WAVE) as u64;
        let status = running.counted("a wave is gone", |status| status.inflight == 0).await;
        assert_eq!((status.cancelled_total, status.errors_total), (gone, 0));
        scripted.until_idle().await;
        if wave == 2 {
            settled = (descriptors(), resident_bytes());
        }
    }
    let (now, bytes) = (descriptors(), resident_bytes());
    assert!(now <= settled.0, "{now} descriptors, {} after the second wave", settled.0);
    assert!(bytes <= settled.1 + MAX_GROWTH_BYTES, "{bytes} bytes, {} after the second wave", settled.1);
    let lane = queue_of(&running.counted("all ended", |status| status.inflight == 0).await, "personal");
    assert_eq!((lane.running, lane.waiting_chat, lane.waiting_cron), (0, 0, 0));
}

#[tokio::test]
async fn before_the_first_byte() {
    vanish(vec![Step::UntilGone], "").await;
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    vanish(vec![stream_head(), send(&chunk("a")), Step::UntilGone], r#","stream":true"#).await;
}
