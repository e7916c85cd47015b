//! How a container differs from what it should be, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::spec::{Confinement, ContainerSpec, Limits, LogLimits, Mount, MountSource, Network, Publish, Seccomp, User};
use crate::words;

/// Set by the engine itself or by base images, and harmless: never drift.
const VARIABLES_OF_THE_ENGINE: [&str; 1] = ["PATH"];

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub field: String,
    pub want: String,
    pub have: String,
}

impl Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, should be {}", self.field, self.have, self.want)
    }
}

impl ContainerSpec {
    /// Every field in which `inspected` differs from this, in a fixed order.
    pub fn drift(&self, inspected: &Self) -> Vec<Drift> {
        let Self { image, command, user, environment, network, mounts, limits, confinement, log } = self;
        let mut found = Found(Vec::new());
        found.differs("image", image, &inspected.image, |image| short_image(&image.0));
        found.differs("arguments", command, &inspected.command, |command| words_or(command.iter(), "none"));
        found.differs("user", user, &inspected.user, show_user);
        found.environment(environment, &inspected.environment);
        found.network(network, &inspected.network);
        found.mounts(mounts, &inspected.mounts);
        found.limits(limits, &inspected.limits);
        found.confinement(confinement, &inspected.confinement);
        found.log(log, &inspected.log);
        found.0
    }
}

struct Found(Vec<Drift>);

impl Found {
    fn push(&mut self, field: impl Into<String>, want: impl Into<String>, have: impl Into<String>) {
        self.0.push(Drift { field: field.into(), want: want.into(), have: have.into() });
    }

    fn differs<T: PartialEq>(&mut self, field: &str, want: &T, have: &T, show: impl Fn(&T) -> String) {
        if want != have {
            self.push(field, show(want), show(have));
        }
    }

    /// Values of variables are not shown: they are long, and an edited one may be somebody's secret.
    fn environment(&mut self, want: &BTreeMap<String, String>, have: &BTreeMap<String, String>) {
        let names: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
        for name in names {
            let (wanted, found) = (want.get(name), have.get(name));
            if wanted == found || (wanted.is_none() && VARIABLES_OF_THE_ENGINE.contains(&name.as_str())) {
                continue;
            }
            let (want, have) = match (wanted, found) {
                (Some(_), Some(_)) => ("as configured", "another value"),
                (Some(_), None) => ("set", "not set"),
                (None, _) => ("not set", "set"),
            };
            self.push(format!("variable {name}"), want, have);
        }
    }

    fn network(&mut self, want: &Network, have: &Network) {
        self.differs("network", want, have, |network| match network {
            Network::None => "none".to_owned(),
            Network::Bridge { name, .. } => name.clone(),
            Network::Other { described } => described.clone(),
        });
        // A bridge with another port differs in the port only.
        if let (Network::Bridge { name, publish }, Network::Bridge { name: other, publish: published }) = (want, have)
            && name == other
        {
            self.0.retain(|drift| drift.field != "network");
            self.differs("published port", publish, published, |publish| {
                publish.as_ref().map_or_else(none, show_publish)
            });
        }
    }

    fn mounts(&mut self, want: &BTreeMap<String, Mount>, have: &BTreeMap<String, Mount>) {
        let paths: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
        for path in paths {
            let (wanted, found) = (want.get(path), have.get(path));
            if wanted != found {
                let show = |mount: Option<&Mount>| mount.map_or_else(|| "absent".to_owned(), show_mount);
                self.push(format!("mount {path}"), show(wanted), show(found));
            }
        }
    }

    fn limits(&mut self, want: &Limits, have: &Limits) {
        let Limits { memory_bytes, cpu_milli, pids, open_files } = want;
        self.differs("memory", memory_bytes, &have.memory_bytes, |n| unlimited_or(*n, words::bytes));
        self.differs("cpu", cpu_milli, &have.cpu_milli, |n| unlimited_or(*n, cores));
        self.differs("pids", pids, &have.pids, |n| unlimited_or(*n, |n| n.to_string()));
        self.differs("open files", open_files, &have.open_files, |n| unlimited_or(*n, |n| n.to_string()));
    }

    fn confinement(&mut self, want: &Confinement, have: &Confinement) {
        let Confinement {
            read_only_root,
            cap_drop,
            cap_add,
            no_new_privileges,
            privileged,
            seccomp,
            init,
            host_namespaces,
            devices,
            restart_policy,
        } = want;
        self.differs("read-only root", read_only_root, &have.read_only_root, |value| yes_no(*value));
        self.differs("dropped capabilities", cap_drop, &have.cap_drop, |set| words_or(set.iter(), "none"));
        self.differs("added capabilities", cap_add, &have.cap_add, |set| words_or(set.iter(), "none"));
        self.differs("no-new-privileges", no_new_privileges, &have.no_new_privileges, |value| yes_no(*value));
        self.differs("privileged", privileged, &have.privileged, |value| yes_no(*value));
        self.seccomp(seccomp, &have.seccomp);
        self.differs("init", init, &have.init, |value| yes_no(*value));
        self.differs("host namespaces", host_namespaces, &have.host_namespaces, |set| words_or(set.iter(), "none"));
        self.differs("devices", devices, &have.devices, |set| words_or(set.iter(), "none"));
        self.differs("restart policy", restart_policy, &have.restart_policy, Clone::clone);
    }

    /// What a profile says counts, not how its JSON is laid out: other tools write it anew.
    fn seccomp(&mut self, want: &Seccomp, have: &Seccomp) {
        let meaning = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
        let found = match (want, have) {
            (Seccomp::Custom { json: want }, Seccomp::Custom { json: have }) => {
                if want == have || meaning(want).is_some_and(|want| Some(want) == meaning(have)) {
                    return;
                }
                "another profile"
            }
            (_, have) => show_seccomp(have),
        };
        if want != have {
            self.push("seccomp", show_seccomp(want), found);
        }
    }

    fn log(&mut self, want: &LogLimits, have: &LogLimits) {
        let LogLimits { driver, max_bytes, files } = want;
        self.differs("log driver", driver, &have.driver, Clone::clone);
        self.differs("log size", max_bytes, &have.max_bytes, |n| unlimited_or(*n, words::bytes));
        self.differs("log files", files, &have.files, ToString::to_string);
    }
}

fn show_user(user: &User) -> String {
    let User { uid, gid, groups } = user;
    if groups.is_empty() {
        return format!("{uid}:{gid}");
    }
    format!("{uid}:{gid} in {}", words_or(groups.iter(), ""))
}

fn show_publish(publish: &Publish) -> String {
    let Publish { host_ip, host_port, container_port } = publish;
    format!("{host_ip}:{host_port}->{container_port}")
}

fn none() -> String {
    "none".to_owned()
}

fn show_mount(mount: &Mount) -> String {
    let source = match &mount.source {
        MountSource::Volume { name } => format!("volume {name}"),
        MountSource::Bind { path } => path.clone(),
        MountSource::Tmpfs { bytes } => format!("tmpfs of {}", words::bytes(*bytes)),
    };
    if mount.read_only { format!("{source} (read-only)") } else { source }
}

fn show_seccomp(seccomp: &Seccomp) -> &'static str {
    match seccomp {
        Seccomp::Default => "Docker's profile",
        Seccomp::Custom { .. } => "a profile of its own",
        Seccomp::Unconfined => "unconfined",
    }
}

fn short_image(id: &str) -> String {
    const DIGITS: usize = 12;
    match id.strip_prefix("sha256:") {
        Some(hex) => hex.chars().take(DIGITS).collect(),
        None => id.to_owned(),
    }
}

/// Docker writes "no limit" as zero.
fn unlimited_or(number: u64, show: impl Fn(u64) -> String) -> String {
    if number == 0 { "unlimited".to_owned() } else { show(number) }
}

fn cores(milli: u64) -> String {
    format!("{}.{:03}", milli / 1000, milli % 1000)
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn words_or<T: Display>(items: impl Iterator<Item = T>, empty: &str) -> String {
    let joined = items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ");
    if joined.is_empty() { empty.to_owned() } else { joined }
}
