//! A real engine, a tiny image made from a static program, and an installation id of its own that is cleaned up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use platform_types::Port;
use platform_types::role::{LABEL_INSTALL, LABEL_PROFILE, LABEL_ROLE, LABEL_SPEC};
use supervisor_docker::{DEFAULT_SOCKET, Engine, Removal};
use supervisor_plan::observed::{ContainerId, ObservedContainer, Owner};
use supervisor_plan::spec::{
    Confinement, ContainerSpec, ImageId, Limits, LogLimits, Mount, MountSource, Network, Seccomp, User,
};

/// What the image's program does: `echo WORD…` prints each word on a line, `fail TEXT` prints to standard error and exits
/// with 7, `long` prints a line of 100,000 bytes, `wait` (or nothing) sleeps until SIGTERM.
const PROGRAM: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void stop(int n) { (void)n; _exit(0); }
int main(int argc, char **argv) {
    signal(SIGTERM, stop);
    if (argc > 1 && !strcmp(argv[1], "echo")) { for (int i = 2; i < argc; i++) puts(argv[i]); return 0; }
    if (argc > 2 && !strcmp(argv[1], "fail")) { fprintf(stderr, "%s\n", argv[2]); return 7; }
    if (argc > 1 && !strcmp(argv[1], "long")) { for (int i = 0; i < 100000; i++) putchar('x'); puts(""); return 0; }
    for (;;) pause();
}
"#;
const DOCKERFILE: &str = "FROM scratch\nCOPY program /program\nENV SHIPPED=by-the-image\nENTRYPOINT [\"/program\"]\n";
const TAG: &str = "exp-daemon-test:1";

/// One installation on the engine, removed at the end whatever happened.
pub struct Site {
    pub engine: Engine,
    pub install: String,
    pub name: String,
    pub folder: tempfile::TempDir,
    pub image: ImageId,
}

impl Site {
    pub fn new() -> Self {
        let engine = Engine::at(Path::new(DEFAULT_SOCKET));
        let folder = tempfile::tempdir().unwrap();
        let name = format!("exp-daemon-{}", folder.path().file_name().unwrap().to_string_lossy().replace('.', ""));
        Self { engine, install: format!("test-{name}"), name, folder, image: image() }
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        [(LABEL_INSTALL, self.install.as_str()), (LABEL_ROLE, "gate"), (LABEL_PROFILE, "ops"), (LABEL_SPEC, "digest")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Everything that a specification can say, with a custom seccomp profile and each kind of mount.
    pub fn spec(&self) -> ContainerSpec {
        let bind = self.folder.path().join("bind");
        std::fs::create_dir_all(&bind).unwrap();
        let seccomp = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO"}]}"#;
        let mount = |source, read_only| Mount { source, read_only };
        ContainerSpec {
            image: self.image.clone(),
            command: Vec::new(),
            user: User { uid: 4242, gid: 4242, groups: BTreeSet::from([4243]) },
            environment: BTreeMap::from([("BOT_PROFILE".to_owned(), "ops".to_owned())]),
            network: Network::None,
            mounts: BTreeMap::from([
                ("/tmp".to_owned(), mount(MountSource::Tmpfs { bytes: 1 << 20 }, false)),
                ("/state".to_owned(), mount(MountSource::Volume { name: self.volume() }, false)),
                ("/bind".to_owned(), mount(MountSource::Bind { path: bind.display().to_string() }, true)),
            ]),
            limits: Limits { memory_bytes: 64 << 20, cpu_milli: 500, pids: 16, open_files: 256 },
            confinement: Confinement::strict(Seccomp::Custom { json: seccomp.to_owned() }),
            log: LogLimits { driver: "json-file".to_owned(), max_bytes: 10 << 20, files: 3 },
        }
    }

    pub fn volume(&self) -> String {
        format!("{}-state", self.name)
    }

    /// Creates and starts; returns the id.
    pub async fn launch(&self, name: &str, spec: &ContainerSpec) -> ContainerId {
        let id = self.engine.create_container(&self.named(name), spec, &self.labels()).await.unwrap();
        self.engine.start_container(&id, spec.host_port()).await.unwrap();
        ContainerId(id)
    }

    pub fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    pub async fn observe(&self, id: &ContainerId) -> ObservedContainer {
        self.engine.observe_container(id, &self.install).await.unwrap().expect("it is there and ours")
    }

    /// Looks until a condition holds.
    pub async fn until(&self, id: &ContainerId, holds: impl Fn(&ObservedContainer) -> bool) -> ObservedContainer {
        let look = async {
            loop {
                let seen = self.observe(id).await;
                if holds(&seen) {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.expect("the condition holds in time")
    }

    /// Removes everything that carries this site's label.
    pub async fn clean(self) {
        for listed in self.engine.list_containers(&self.install).await.unwrap().ours {
            self.engine.remove_container(&listed.id.0, Removal::Forced).await.unwrap();
        }
        let ours = |owned: BTreeMap<String, Owner>| {
            owned.into_iter().filter(|(_, owner)| *owner == Owner::Ours).map(|(name, _)| name).collect::<Vec<_>>()
        };
        for network in ours(self.engine.networks(&self.install).await.unwrap()) {
            self.engine.remove_network(&network).await.unwrap();
        }
        for volume in ours(self.engine.volumes(&self.install).await.unwrap()) {
            self.engine.remove_volume(&volume).await.unwrap();
        }
    }
}

/// Runs a test with a site, and cleans up also when it fails.
pub async fn with_site<F, W>(test: F)
where
    F: FnOnce(std::sync::Arc<Site>) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let site = std::sync::Arc::new(Site::new());
    let outcome = platform_kit::task::spawn("test", test(site.clone())).await;
    std::sync::Arc::into_inner(site).expect("the test gave its handle back").clean().await;
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn image() -> ImageId {
    static IMAGE: OnceLock<ImageId> = OnceLock::new();
    IMAGE.get_or_init(build_image).clone()
}

/// Built once an engine: the tag names the version of the program.
fn build_image() -> ImageId {
    if let Some(id) = inspect_tag() {
        return id;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    std::fs::write(path("program.c"), PROGRAM).unwrap();
    std::fs::write(path("Dockerfile"), DOCKERFILE).unwrap();
    run(Command::new("cc").args(["-static", "-O1", "-o"]).arg(path("program")).arg(path("program.c")));
    run(Command::new("docker").env("DOCKER_BUILDKIT", "0").args(["build", "--quiet", "--tag", TAG]).arg(folder.path()));
    inspect_tag().expect("the image was built")
}

fn inspect_tag() -> Option<ImageId> {
    let output = Command::new("docker").args(["image", "inspect", "--format", "{{.Id}}", TAG]).output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    (output.status.success() && !id.is_empty()).then_some(ImageId(id))
}

pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A port that nobody uses at present.
pub fn free_port() -> Port {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    Port::new(listener.local_addr().unwrap().port()).unwrap()
}
