//! Consistent copies, while the agent works and while it does not.

use platform_types::agent::{Checkpoint, CheckpointRequest};
use rusqlite::Connection;

use crate::support::agent::{World, program};

async fn checkpoint(world: &World, id: &str) -> Checkpoint {
    world.agent.admin.post("/checkpoint", &CheckpointRequest { id: id.to_owned() }).await.unwrap()
}

/// Messages in a copy that is whole.
fn messages(path: &std::path::Path) -> i64 {
    let copy = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let one = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("PRAGMA integrity_check"), "ok");
    assert_eq!(one("PRAGMA journal_mode"), "delete");
    let gaps =
        "SELECT count(*) FROM sessions WHERE messages <> (SELECT count(*) FROM messages WHERE session = sessions.id)";
    assert_eq!(copy.query_row(gaps, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "one moment, not two");
    copy.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn copies_are_consistent_while_messages_come_in() {
    let world = World::start().await;
    let workspace = world.state().join("current/workspace");
    std::fs::create_dir_all(workspace.join("notes")).unwrap();
    std::fs::write(workspace.join("notes/a.md"), "a note").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", workspace.join("link")).unwrap();
    nix::unistd::mkfifo(&workspace.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut page = world.agent.page().await;
    let mut sessions = Vec::new();
    for n in 0..4 {
        sessions.push(page.session(n + 1, "plain").await);
    }
    let writer = async {
        for n in 0..60_u32 {
            let session = sessions[n as usize % 4].clone();
            page.send(&session, 100 + n, &"x".repeat(20_000)).await;
        }
        page
    };
    let copier = async {
        let mut counts = Vec::new();
        for n in 0..6 {
            let made = checkpoint(&world, &format!("copy-{n}")).await;
            let place = world.state().join(format!("staging/copy-{n}"));
            assert_eq!((made.files, made.schema), (2, agent_store::schema::WRITES));
            assert_eq!(std::fs::read_to_string(place.join("workspace/notes/a.md")).unwrap(), "a note");
            assert!(!place.join("workspace/link").exists() && !place.join("workspace/pipe").exists());
            counts.push(messages(&place.join("agent.db")));
        }
        counts
    };
    let (_page, counts) = tokio::join!(writer, copier);
    assert!(counts.is_sorted(), "{counts:?}");
}

#[tokio::test]
async fn copies_are_named_removed_and_never_mixed_up() {
    let world = World::start().await;
    checkpoint(&world, "one").await;
    let again = world.agent.admin.post::<_, Checkpoint>("/checkpoint", &CheckpointRequest { id: "one".into() }).await;
    assert!(again.unwrap_err().to_string().contains("exists"));
    for bad in ["", "../x", "A", "a/b", &"x".repeat(65)] {
        let asked = CheckpointRequest { id: bad.to_owned() };
        assert!(world.agent.admin.post::<_, Checkpoint>("/checkpoint", &asked).await.is_err(), "{bad:?}");
    }
    world.agent.admin.delete::<()>("/checkpoint/one").await.unwrap();
    world.agent.admin.delete::<()>("/checkpoint/one").await.unwrap();
    assert!(!world.state().join("staging/one").exists());
    assert!(world.agent.admin.delete::<()>("/checkpoint/%2e%2e%2fcurrent").await.is_err());
    assert!(world.state().join("current/agent.db").exists());
}

#[tokio::test]
async fn an_agent_that_is_down_is_copied_by_its_own_program() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    page.send(&session, 10, "Hi").await;
    let offline = |id: &str| program(world.directory.path(), 9).args(["checkpoint", "--offline", "--id", id]).output();
    let refused = offline("early").await.unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another agent"), "{refused:?}");
    world.agent.terminate();
    let waiting = world.model.next().await;
    let stream = waiting.stream();
    stream.text("Hello").await;
    stream.finish("stop").await;
    world.agent.ended().await;
    let made = offline("late").await.unwrap();
    assert!(made.status.success(), "{made:?}");
    let made: Checkpoint = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made.id, "late");
    assert_eq!(messages(&world.state().join("staging/late/agent.db")), 2);
}
