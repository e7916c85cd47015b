//! A specification as the body of a create call. [`crate::inspect`] is its inverse.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount as ApiMount, MountBindOptions,
    MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType, MountVolumeOptions, PortBinding, PortMap,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use supervisor_plan::spec::{ContainerSpec, LogLimits, Mount, MountSource, Network, Publish, Seccomp};

/// What Docker waits between SIGTERM and SIGKILL when somebody else stops a container (a daemon that shuts down, a
/// person at a shell): longer than the 20 s in which an agent drains.
const STOP_TIMEOUT_SECONDS: i64 = 25;
/// Scratch space is for everybody inside, and its files cannot be run.
const TMPFS_MODE: i64 = 0o1777;

pub(crate) fn body(spec: &ContainerSpec, labels: &BTreeMap<String, String>) -> ContainerCreateBody {
    let ContainerSpec { image, command, user, environment, network, mounts: _, limits: _, confinement: _, log: _ } =
        spec;
    ContainerCreateBody {
        image: Some(image.0.clone()),
        cmd: (!command.is_empty()).then(|| command.clone()),
        user: Some(format!("{}:{}", user.uid, user.gid)),
        env: Some(environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        exposed_ports: published(network).map(|publish| vec![port_key(publish)]),
        labels: Some(labels.clone().into_iter().collect()),
        stop_timeout: Some(STOP_TIMEOUT_SECONDS),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let ContainerSpec { image: _, command: _, user, environment: _, network, mounts, limits, confinement, log } = spec;
    let memory = saturate(limits.memory_bytes);
    let open_files = saturate(limits.open_files);
    HostConfig {
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: Some(saturate(limits.cpu_milli.saturating_mul(1_000_000))),
        pids_limit: Some(saturate(limits.pids)),
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("nofile".into()),
            soft: Some(open_files),
            hard: Some(open_files),
        }]),
        init: confinement.init.then_some(true),
        log_config: Some(log_config(log)),
        network_mode: Some(network_mode(network)),
        port_bindings: published(network).map(port_bindings),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        mounts: Some(mounts.iter().map(|(target, mount)| api_mount(target, mount)).collect()),
        cap_add: (!confinement.cap_add.is_empty()).then(|| confinement.cap_add.iter().cloned().collect()),
        cap_drop: Some(confinement.cap_drop.iter().cloned().collect()),
        group_add: Some(user.groups.iter().map(u32::to_string).collect()),
        privileged: Some(confinement.privileged),
        readonly_rootfs: Some(confinement.read_only_root),
        security_opt: Some(security_options(confinement.no_new_privileges, &confinement.seccomp)),
        ..HostConfig::default()
    }
}

fn security_options(no_new_privileges: bool, seccomp: &Seccomp) -> Vec<String> {
    let mut options = Vec::new();
    if no_new_privileges {
        options.push("no-new-privileges:true".to_owned());
    }
    match seccomp {
        Seccomp::Default => {}
        Seccomp::Custom { json } => options.push(format!("seccomp={json}")),
        Seccomp::Unconfined => options.push("seccomp=unconfined".to_owned()),
    }
    options
}

fn log_config(log: &LogLimits) -> HostConfigLogConfig {
    let config = HashMap::from([
        ("max-size".to_owned(), log.max_bytes.to_string()),
        ("max-file".to_owned(), log.files.to_string()),
    ]);
    HostConfigLogConfig { typ: Some(log.driver.clone()), config: Some(config) }
}

fn network_mode(network: &Network) -> String {
    match network {
        Network::None => "none".to_owned(),
        Network::Bridge { name, .. } => name.clone(),
        Network::Other { described } => described.clone(),
    }
}

fn published(network: &Network) -> Option<&Publish> {
    match network {
        Network::Bridge { publish, .. } => publish.as_ref(),
        Network::None | Network::Other { .. } => None,
    }
}

fn port_key(publish: &Publish) -> String {
    format!("{}/tcp", publish.container_port)
}

fn port_bindings(publish: &Publish) -> PortMap {
    let binding =
        PortBinding { host_ip: Some(publish.host_ip.clone()), host_port: Some(publish.host_port.to_string()) };
    PortMap::from([(port_key(publish), Some(vec![binding]))])
}

fn api_mount(target: &str, mount: &Mount) -> ApiMount {
    let Mount { source, read_only } = mount;
    let base = ApiMount { target: Some(target.to_owned()), read_only: Some(*read_only), ..ApiMount::default() };
    match source {
        MountSource::Volume { name } => ApiMount {
            typ: Some(MountType::VOLUME),
            source: Some(name.clone()),
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
            ..base
        },
        MountSource::Bind { path } => ApiMount {
            typ: Some(MountType::BIND),
            source: Some(path.clone()),
            bind_options: Some(MountBindOptions {
                propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
                // What is mounted below a read-only folder of the host would be writable on Engine 20.10.
                non_recursive: Some(*read_only),
                ..MountBindOptions::default()
            }),
            ..base
        },
        MountSource::Tmpfs { bytes } => ApiMount {
            typ: Some(MountType::TMPFS),
            // A read-only tmpfs would be of no use, and Docker refuses the flag on some versions.
            read_only: None,
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: Some(saturate(*bytes)),
                mode: Some(TMPFS_MODE),
                ..MountTmpfsOptions::default()
            }),
            ..base
        },
    }
}

fn saturate(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
