//! An inspected container read back into the shape of a specification. Inverse of [`crate::create`].
//!
//! **Invariant.** A container that nobody touched reads back as the specification that it was created from, whatever
//! the engine added of its own. What an engine of this kind cannot enforce (swap limits on some kernels) is not drift.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, HostConfig, HostConfigLogConfig, Mount as ApiMount, MountPoint,
    MountType, RestartPolicyNameEnum,
};
use platform_types::Port;
use supervisor_plan::spec::{
    Confinement, ContainerSpec, ImageId, Limits, LogLimits, Mount, MountSource, Network, Publish, Seccomp, User,
};

use crate::image::ImageFacts;

pub(crate) fn spec(inspected: &ContainerInspectResponse, image: &ImageFacts) -> ContainerSpec {
    let config = inspected.config.clone().unwrap_or_default();
    let host = inspected.host_config.clone().unwrap_or_default();
    ContainerSpec {
        image: ImageId(inspected.image.clone().unwrap_or_default()),
        command: command(&config, image),
        user: user(&config, &host),
        environment: environment(&config, image),
        network: network(inspected, &host),
        mounts: mounts(inspected, &host),
        limits: limits(&host),
        confinement: confinement(&host),
        log: log(host.log_config.as_ref()),
    }
}

/// An entrypoint other than the image's shows as part of the command.
fn command(config: &ContainerConfig, image: &ImageFacts) -> Vec<String> {
    let entrypoint = config.entrypoint.clone().unwrap_or_default();
    let command = config.cmd.clone().unwrap_or_default();
    if entrypoint != image.entrypoint {
        return [entrypoint, command].concat();
    }
    if command == image.command { Vec::new() } else { command }
}

fn environment(config: &ContainerConfig, image: &ImageFacts) -> BTreeMap<String, String> {
    config
        .env
        .iter()
        .flatten()
        .filter(|line| !image.environment.contains(*line))
        .map(|line| line.split_once('=').unwrap_or((line.as_str(), "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn user(config: &ContainerConfig, host: &HostConfig) -> User {
    let text = config.user.clone().unwrap_or_default();
    let (uid, gid) = text.split_once(':').unwrap_or((text.as_str(), "0"));
    // A name instead of a number never comes from us: it reads as root, which is drift.
    let number = |text: &str| text.parse().unwrap_or(0);
    let groups = host.group_add.iter().flatten().map(|group| number(group)).collect();
    User { uid: number(uid), gid: number(gid), groups }
}

fn network(inspected: &ContainerInspectResponse, host: &HostConfig) -> Network {
    let mode = host.network_mode.clone().unwrap_or_default();
    let attached: BTreeSet<String> = inspected
        .network_settings
        .iter()
        .flat_map(|settings| settings.networks.iter().flatten())
        .map(|(name, _)| name.clone())
        .collect();
    let publish = match publishes(host) {
        Ok(publish) => publish,
        Err(described) => return Network::Other { described },
    };
    if attached != BTreeSet::from([mode.clone()]) {
        let names: Vec<_> = attached.into_iter().collect();
        return Network::Other { described: format!("mode {mode}, attached to [{}]", names.join(", ")) };
    }
    match (mode.as_str(), publish) {
        ("none", None) => Network::None,
        ("none" | "host" | "default" | "bridge", _) => Network::Other { described: format!("mode {mode}") },
        (_, publish) => Network::Bridge { name: mode, publish },
    }
}

/// The one published port; anything else is described.
fn publishes(host: &HostConfig) -> Result<Option<Publish>, String> {
    if host.publish_all_ports.unwrap_or(false) {
        return Err("every port is published".to_owned());
    }
    let bindings: Vec<_> = host
        .port_bindings
        .iter()
        .flatten()
        .flat_map(|(key, bindings)| bindings.iter().flatten().map(move |binding| (key, binding)))
        .collect();
    let (key, binding) = match bindings.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        _ => return Err(format!("{} published ports", bindings.len())),
    };
    let host_ip = binding.host_ip.clone().unwrap_or_default();
    let host_port = binding.host_port.clone().unwrap_or_default();
    let described = || format!("published {host_ip}:{host_port} -> {key}");
    let container_port = key.strip_suffix("/tcp").and_then(parse_port).ok_or_else(described)?;
    let host_port = parse_port(&host_port).ok_or_else(described)?;
    Ok(Some(Publish { host_ip, host_port, container_port }))
}

fn parse_port(text: &str) -> Option<Port> {
    text.parse().ok().and_then(Port::new)
}

fn mounts(inspected: &ContainerInspectResponse, host: &HostConfig) -> BTreeMap<String, Mount> {
    // What is actual, then what was asked for: binds given the old way and volumes declared by the image show only in
    // the first, the size of a tmpfs only in the second.
    let actual = inspected.mounts.iter().flatten().map(actual_mount);
    let tmpfs = host
        .tmpfs
        .iter()
        .flatten()
        .map(|(target, _)| (target.clone(), Mount { source: MountSource::Tmpfs { bytes: 0 }, read_only: false }));
    let requested = host.mounts.iter().flatten().map(requested_mount);
    actual.chain(tmpfs).chain(requested).collect()
}

fn requested_mount(mount: &ApiMount) -> (String, Mount) {
    let source = mount.source.clone().unwrap_or_default();
    let source = match mount.typ {
        Some(MountType::VOLUME) => MountSource::Volume { name: source },
        Some(MountType::TMPFS) => {
            let bytes = mount.tmpfs_options.as_ref().and_then(|options| options.size_bytes).map_or(0, unsigned);
            MountSource::Tmpfs { bytes }
        }
        _ => MountSource::Bind { path: source },
    };
    (mount.target.clone().unwrap_or_default(), Mount { source, read_only: mount.read_only.unwrap_or(false) })
}

fn actual_mount(mount: &MountPoint) -> (String, Mount) {
    let source = match &mount.name {
        Some(name) if !name.is_empty() => MountSource::Volume { name: name.clone() },
        _ => MountSource::Bind { path: mount.source.clone().unwrap_or_default() },
    };
    (mount.destination.clone().unwrap_or_default(), Mount { source, read_only: !mount.rw.unwrap_or(true) })
}

fn limits(host: &HostConfig) -> Limits {
    let open_files = host
        .ulimits
        .iter()
        .flatten()
        .find(|limit| limit.name.as_deref() == Some("nofile"))
        .filter(|limit| limit.soft == limit.hard)
        .and_then(|limit| limit.hard)
        .map_or(0, unsigned);
    Limits {
        memory_bytes: host.memory.map_or(0, unsigned),
        cpu_milli: cpu_milli(host),
        pids: host.pids_limit.map_or(0, unsigned),
        open_files,
    }
}

/// `docker update --cpus` and `--cpu-quota` are two ways to say the same.
fn cpu_milli(host: &HostConfig) -> u64 {
    let nano = host.nano_cpus.map_or(0, unsigned);
    if nano > 0 {
        return nano / 1_000_000;
    }
    match (host.cpu_quota.map_or(0, unsigned), host.cpu_period.map_or(0, unsigned)) {
        (0, _) => 0,
        (quota, 0) => quota / 100,
        (quota, period) => quota.saturating_mul(1000) / period,
    }
}

fn confinement(host: &HostConfig) -> Confinement {
    let options = host.security_opt.clone().unwrap_or_default();
    Confinement {
        read_only_root: host.readonly_rootfs.unwrap_or(false),
        cap_drop: capabilities(host.cap_drop.as_deref()),
        cap_add: capabilities(host.cap_add.as_deref()),
        no_new_privileges: options.iter().any(|option| is_no_new_privileges(option)),
        privileged: host.privileged.unwrap_or(false),
        seccomp: seccomp(&options),
        init: host.init.unwrap_or(false),
        host_namespaces: host_namespaces(host),
        devices: devices(host),
        restart_policy: restart_policy(host),
    }
}

/// Newer engines spell them with the prefix.
fn capabilities(names: Option<&[String]>) -> BTreeSet<String> {
    names.iter().copied().flatten().map(|name| name.strip_prefix("CAP_").unwrap_or(name).to_owned()).collect()
}

fn is_no_new_privileges(option: &str) -> bool {
    matches!(option, "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true")
}

fn seccomp(options: &[String]) -> Seccomp {
    let profile = options.iter().find_map(|option| option.strip_prefix("seccomp=").or(option.strip_prefix("seccomp:")));
    match profile {
        None => Seccomp::Default,
        Some("unconfined") => Seccomp::Unconfined,
        Some(json) => Seccomp::Custom { json: json.to_owned() },
    }
}

fn host_namespaces(host: &HostConfig) -> BTreeSet<String> {
    let shared = |mode: &Option<String>| {
        mode.as_deref().is_some_and(|mode| mode == "host" || mode.starts_with("container:") || mode == "shareable")
    };
    [("pid", &host.pid_mode), ("ipc", &host.ipc_mode), ("uts", &host.uts_mode), ("userns", &host.userns_mode)]
        .into_iter()
        .filter(|(_, mode)| shared(mode))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn devices(host: &HostConfig) -> BTreeSet<String> {
    let paths = host.devices.iter().flatten().filter_map(|device| device.path_on_host.clone());
    let rules = host.device_cgroup_rules.iter().flatten().cloned();
    let requests = host.device_requests.iter().flatten().map(|request| request.driver.clone().unwrap_or_default());
    paths.chain(rules).chain(requests).collect()
}

fn restart_policy(host: &HostConfig) -> String {
    let name = host.restart_policy.as_ref().and_then(|policy| policy.name);
    match name {
        None | Some(RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO) => "no".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn log(config: Option<&HostConfigLogConfig>) -> LogLimits {
    let option = |name: &str| config.and_then(|config| config.config.as_ref()).and_then(|options| options.get(name));
    LogLimits {
        driver: config.and_then(|config| config.typ.clone()).unwrap_or_default(),
        max_bytes: option("max-size").map_or(0, |text| decimal_bytes(text)),
        files: option("max-file").and_then(|text| text.parse().ok()).unwrap_or(0),
    }
}

/// Docker reads `max-size` with decimal units: `10m` is 10,000,000.
fn decimal_bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text[digits.len()..].to_ascii_lowercase().trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        _ => return 0,
    };
    digits.parse::<u64>().map_or(0, |number| number.saturating_mul(factor))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sizes_are_read_as_docker_reads_them() {
        let check = |text: &str, bytes: u64| assert_eq!(decimal_bytes(text), bytes, "{text}");
        check("10485760", 10_485_760);
        check("10m", 10_000_000);
        check("1kb", 1_000);
        check("-1", 0);
        check("", 0);
        check("many", 0);
    }

    #[test]
    fn both_ways_to_limit_the_processor_read_the_same() {
        let nano = HostConfig { nano_cpus: Some(1_500_000_000), ..HostConfig::default() };
        let quota = HostConfig { cpu_quota: Some(150_000), cpu_period: Some(100_000), ..HostConfig::default() };
        assert_eq!(cpu_milli(&nano), 1500);
        assert_eq!(cpu_milli(&quota), 1500);
    }

    #[test]
    fn shared_namespaces_show() {
        let host = HostConfig {
            pid_mode: Some("host".into()),
            ipc_mode: Some("private".into()),
            uts_mode: Some(String::new()),
            ..HostConfig::default()
        };
        assert_eq!(host_namespaces(&host), BTreeSet::from(["pid".to_owned()]));
    }
}
