//! The box's own side: a real sshd with the forced command, and hooks that stop and start the llama.cpp server.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::client::within;
use crate::rig::{ALPHA, BETA};

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn peers(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose/peers").join(path).canonicalize().unwrap()
}

pub fn login() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn public(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

pub async fn sshd(root: &Path, port: u16, host_keys: &str) -> Child {
    let log = fs::File::create(root.join("sshd.log")).unwrap();
    let child = Command::new(peers("sshd/serve"))
        .args([root.as_os_str(), "127.0.0.1".as_ref(), port.to_string().as_ref()])
        .env("HOST_KEYS", host_keys)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    within("sshd listens", async { while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {} }).await;
    child
}

/// The site's own part of the box: which file is which model, and how they are stopped and started.
pub fn hooks(directory: &Path, port: u16) {
    fs::create_dir_all(directory.join("state")).unwrap();
    fs::write(directory.join("models"), format!("# what may be started\n{ALPHA}\n{BETA}\n")).unwrap();
    fs::write(directory.join("state/starts"), "").unwrap();
    let serve = peers("llm/serve");
    let stop = "#!/bin/sh\nhere=$(dirname \"$0\")/state\nread -r pid <\"$here/pid\" || exit 0\nkill -KILL \"$pid\" 2>/dev/null\n\
                while kill -0 \"$pid\" 2>/dev/null; do :; done\nrm -f \"$here/pid\"\n";
    let start = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\")\nhow=well\n[ ! -s \"$here/behaviour\" ] || read -r how <\"$here/behaviour\"\n\
         echo \"$1\" >>\"$here/state/starts\"\nname=$1\ncase $how in\n\
         hang) echo $$ >\"$here/state/hang\"; exec tail -f /dev/null ;;\nfail) echo no such weights >&2; exit 3 ;;\nnever) exit 0 ;;\n\
         old) name={ALPHA} ;;\nslow) while [ -e \"$here/behaviour\" ]; do :; done ;;\nesac\n\
         case $name in *alpha*) which=alpha ;; *) which=beta ;; esac\n\
         CONTEXT=4096 setsid {serve} \"$which\" {port} </dev/null >\"$here/state/server.log\" 2>&1 &\necho $! >\"$here/state/pid\"\n",
        serve = serve.display(),
    );
    for (name, text) in [("stop-model", stop), ("start-model", start.as_str())] {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
}
