//! Lets a test speak from inside: each end of a relay is a socket that this container reaches, so the far end sees this process.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use anyhow::Context as _;

/// Listens at the first path of each `LISTEN=CONNECT` in the place of whatever lies there, until it is killed.
pub fn relay(pairs: &[&str]) -> anyhow::Result<()> {
    let mut listening = Vec::new();
    for pair in pairs {
        let (here, there) = pair.split_once('=').context("a relay is LISTEN=CONNECT")?;
        let _ = fs::remove_file(here);
        let listener = UnixListener::bind(here).with_context(|| format!("cannot listen at {here}"))?;
        fs::set_permissions(here, Permissions::from_mode(0o666))?;
        let there = there.to_owned();
        listening.push(thread::spawn(move || accept(&listener, &there)));
    }
    // The test waits for this line.
    writeln!(io::stdout(), "listening")?;
    for thread in listening {
        let _ = thread.join();
    }
    Ok(())
}

fn accept(listener: &UnixListener, there: &str) {
    for near in listener.incoming().flatten() {
        let Ok(far) = UnixStream::connect(there) else { continue };
        let (Ok(near_again), Ok(far_again)) = (near.try_clone(), far.try_clone()) else { continue };
        thread::spawn(move || copy(near, far));
        thread::spawn(move || copy(far_again, near_again));
    }
}

/// One direction, to its end.
fn copy(mut from: UnixStream, mut to: UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
