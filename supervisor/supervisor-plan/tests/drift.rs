//! Each field of a container that somebody may have changed is noticed, and said in words.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::Port;
use supervisor_plan::spec::{
    Confinement, ContainerSpec, ImageId, Limits, LogLimits, Mount, MountSource, Network, Publish, Seccomp, User,
};

fn gate() -> ContainerSpec {
    let publish = Publish { host_ip: "127.0.0.1".to_owned(), host_port: port(18789), container_port: port(8080) };
    let volume = Mount { source: MountSource::Volume { name: "bot-personal-gate".to_owned() }, read_only: false };
    ContainerSpec {
        image: ImageId("sha256:0123456789abcdef0123".to_owned()),
        command: Vec::new(),
        user: User { uid: 210_000, gid: 210_000, groups: BTreeSet::new() },
        environment: BTreeMap::from([("BOT_PROFILE".to_owned(), "personal".to_owned())]),
        network: Network::Bridge { name: "bot-personal-gate".to_owned(), publish: Some(publish) },
        mounts: BTreeMap::from([("/state".to_owned(), volume)]),
        limits: Limits { memory_bytes: 128 << 20, cpu_milli: 1000, pids: 64, open_files: 4096 },
        confinement: Confinement::strict(Seccomp::Default),
        log: LogLimits { driver: "json-file".to_owned(), max_bytes: 10 << 20, files: 3 },
    }
}

fn port(number: u16) -> Port {
    Port::new(number).expect("a port")
}

#[track_caller]
fn check(change: impl Fn(&mut ContainerSpec), expect: &[&str]) {
    let mut inspected = gate();
    change(&mut inspected);
    let words: Vec<String> = gate().drift(&inspected).iter().map(ToString::to_string).collect();
    assert_eq!(words, expect);
}

#[test]
fn what_is_as_it_should_be_has_none() {
    check(|_| {}, &[]);
    // Docker sets it by itself.
    check(
        |have| {
            have.environment.insert("PATH".to_owned(), "/bin".to_owned());
        },
        &[],
    );
}

#[test]
fn image_arguments_user_and_variables() {
    check(
        |have| have.image = ImageId("sha256:fedcba9876543210fedc".to_owned()),
        &["image is fedcba987654, should be 0123456789ab"],
    );
    check(|have| have.command.push("--debug".to_owned()), &["arguments is --debug, should be none"]);
    check(|have| have.user.uid = 0, &["user is 0:210000, should be 210000:210000"]);
    check(
        |have| {
            have.user.groups.insert(999);
        },
        &["user is 210000:210000 in 999, should be 210000:210000"],
    );
    check(
        |have| {
            have.environment.insert("BOT_PROFILE".to_owned(), "s3cret".to_owned());
        },
        &["variable BOT_PROFILE is another value, should be as configured"],
    );
    check(
        |have| {
            have.environment.insert("LD_PRELOAD".to_owned(), "/x".to_owned());
        },
        &["variable LD_PRELOAD is set, should be not set"],
    );
    check(|have| have.environment.clear(), &["variable BOT_PROFILE is not set, should be set"]);
}

#[test]
fn network_and_published_port() {
    check(
        |have| have.network = Network::Other { described: "host".to_owned() },
        &["network is host, should be bot-personal-gate"],
    );
    check(|have| have.network = Network::None, &["network is none, should be bot-personal-gate"]);
    check(
        |have| {
            if let Network::Bridge { publish: Some(publish), .. } = &mut have.network {
                "0.0.0.0".clone_into(&mut publish.host_ip);
            }
        },
        &["published port is 0.0.0.0:18789->8080, should be 127.0.0.1:18789->8080"],
    );
    check(
        |have| {
            if let Network::Bridge { publish, .. } = &mut have.network {
                *publish = None;
            }
        },
        &["published port is none, should be 127.0.0.1:18789->8080"],
    );
}

#[test]
fn mounts() {
    check(|have| have.mounts.clear(), &["mount /state is absent, should be volume bot-personal-gate"]);
    check(
        |have| have.mounts.get_mut("/state").expect("the mount").read_only = true,
        &["mount /state is volume bot-personal-gate (read-only), should be volume bot-personal-gate"],
    );
    let socket = "/var/run/docker.sock";
    let mount = Mount { source: MountSource::Bind { path: socket.to_owned() }, read_only: true };
    check(
        |have| {
            have.mounts.insert("/x".to_owned(), mount.clone());
        },
        &["mount /x is /var/run/docker.sock (read-only), should be absent"],
    );
}

#[test]
fn limits_and_log() {
    check(|have| have.limits.memory_bytes = 0, &["memory is unlimited, should be 128 MiB"]);
    check(|have| have.limits.cpu_milli = 1500, &["cpu is 1.500, should be 1.000"]);
    check(|have| have.limits.pids = 0, &["pids is unlimited, should be 64"]);
    check(|have| have.limits.open_files = 1024, &["open files is 1024, should be 4096"]);
    check(|have| "local".clone_into(&mut have.log.driver), &["log driver is local, should be json-file"]);
    check(|have| have.log.max_bytes = 0, &["log size is unlimited, should be 10 MiB"]);
    check(|have| have.log.files = 1, &["log files is 1, should be 3"]);
}

#[test]
fn confinement() {
    check(|have| have.confinement.read_only_root = false, &["read-only root is no, should be yes"]);
    check(|have| have.confinement.cap_drop.clear(), &["dropped capabilities is none, should be ALL"]);
    check(
        |have| {
            have.confinement.cap_add.insert("SYS_ADMIN".to_owned());
        },
        &["added capabilities is SYS_ADMIN, should be none"],
    );
    check(|have| have.confinement.no_new_privileges = false, &["no-new-privileges is no, should be yes"]);
    check(|have| have.confinement.privileged = true, &["privileged is yes, should be no"]);
    check(
        |have| have.confinement.seccomp = Seccomp::Unconfined,
        &["seccomp is unconfined, should be Docker's profile"],
    );
    check(|have| have.confinement.init = true, &["init is yes, should be no"]);
    check(
        |have| {
            have.confinement.host_namespaces.insert("pid".to_owned());
        },
        &["host namespaces is pid, should be none"],
    );
    check(
        |have| {
            have.confinement.devices.insert("/dev/kvm".to_owned());
        },
        &["devices is /dev/kvm, should be none"],
    );
    check(
        |have| "always".clone_into(&mut have.confinement.restart_policy),
        &["restart policy is always, should be no"],
    );
}

#[test]
fn everything_at_once_is_said_in_a_fixed_order() {
    let change = |have: &mut ContainerSpec| {
        have.log.files = 1;
        have.limits.pids = 0;
        have.image = ImageId("other".to_owned());
    };
    check(
        change,
        &["image is other, should be 0123456789ab", "pids is unlimited, should be 64", "log files is 1, should be 3"],
    );
}

#[test]
fn a_seccomp_profile_is_compared_by_what_it_says() {
    let of = |json: &str| {
        let mut spec = gate();
        spec.confinement.seccomp = Seccomp::Custom { json: json.to_owned() };
        spec
    };
    let want = of("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": []}");
    let laid_out_anew = of("{\n  \"syscalls\":[],\"defaultAction\":\"SCMP_ACT_ERRNO\"}");
    assert_eq!(want.drift(&laid_out_anew), []);
    let drift: Vec<String> = want.drift(&of("{\"syscalls\": []}")).iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["seccomp is another profile, should be a profile of its own"]);
    assert_eq!(want.drift(&of("not JSON")).len(), 1);
}
