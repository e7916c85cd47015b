//! Files and sockets that the supervisor or a gate is to fall for.

use std::fs::{self, File};
use std::io::{IoSlice, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::mkfifo;

/// Puts something in the place of what lies at `path`.
pub fn plant(kind: &str, path: &str, target: &str) -> anyhow::Result<()> {
    let _ = fs::remove_file(path);
    let everybody = Mode::from_bits_truncate(0o666);
    match kind {
        "symlink" => symlink(target, path)?,
        "hardlink" => fs::hard_link(target, path)?,
        "file" => fs::write(path, target)?,
        "directory" => fs::create_dir(path)?,
        "fifo" => mkfifo(path, everybody)?,
        "device" => mknod(path, SFlag::S_IFCHR, everybody, makedev(1, 3))?,
        _ => bail!("nobody knows what a {kind} is"),
    }
    Ok(())
}

/// Listens in the place of what lies at `path`, until it is killed.
pub fn serve(kind: &str, path: &str) -> anyhow::Result<()> {
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    // The test waits for this line.
    writeln!(std::io::stdout(), "listening")?;
    let mut held = Vec::new();
    for stream in listener.incoming() {
        let stream = stream?;
        match kind {
            "silent" => held.push(stream),
            "endless" => {
                std::thread::spawn(move || endless(stream));
            }
            _ => bail!("nobody knows what {kind} is"),
        }
    }
    Ok(())
}

/// An answer whose body never ends.
fn endless(mut stream: UnixStream) {
    let _ = stream.read(&mut [0; 4096]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999999999\r\n\r\n{\"x\":\"";
    let _ = stream.write_all(head.as_bytes());
    let more = vec![b'y'; 65_536];
    while stream.write_all(&more).is_ok() {}
}

/// Locks a new file in the place of `lock`, and passes its descriptor to whoever listens at `socket`, who reads no descriptors.
pub fn pass_lock(lock: &str, socket: &str) -> anyhow::Result<()> {
    let _ = fs::remove_file(lock);
    let file = File::create(Path::new(lock)).context("cannot make the file anew")?;
    file.try_lock().context("cannot lock it")?;
    let stream = UnixStream::connect(socket).context("cannot connect")?;
    let descriptors = [file.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&descriptors)];
    // The first is read with the head of the request, the second waits behind it, unless the other end is gone already.
    let send = |part: &[u8]| {
        sendmsg::<()>(
            stream.as_raw_fd(),
            &[IoSlice::new(part)],
            &message,
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            None,
        )
    };
    send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").context("cannot pass it on")?;
    let queued = send(&vec![b'z'; 50_000]);
    writeln!(std::io::stdout(), "passed; the second: {queued:?}")?;
    Ok(())
}
