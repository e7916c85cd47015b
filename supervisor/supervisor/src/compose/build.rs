//! From desired services to a compose file.

use std::collections::BTreeMap;
use std::path::Path;

use platform_types::role::{LABEL_GENERATION, LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE, LABEL_SPEC};
use platform_types::{Generation, Role};
use supervisor_plan::spec::{ContainerSpec, MountSource, Network, Publish, Seccomp};
use supervisor_plan::{Desired, Ledger, Service, Target};

use super::file::{
    ComposeFile, ComposeLimit, ComposeLogging, ComposeMount, ComposeNetwork, ComposeService, ComposeTmpfsOptions,
    ComposeVolume, ComposeVolumeOptions, FORMAT,
};

/// What Docker waits between SIGTERM and SIGKILL: longer than the 20 s in which an agent drains.
const STOP_GRACE: &str = "25s";

/// The file for everything desired. `seccomp` is where the agents' profile lies on the host: compose reads it itself.
pub fn compose(desired: &Desired, ledger: &Ledger, seccomp: &Path) -> ComposeFile {
    let ours = BTreeMap::from([(LABEL_INSTALL.to_owned(), desired.install.clone())]);
    let networks = desired.services.values().filter_map(|service| service.network.as_ref()).map(|network| {
        let network = ComposeNetwork {
            name: network.name.clone(),
            driver: "bridge".to_owned(),
            driver_opts: BTreeMap::from([("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned())]),
            labels: ours.clone(),
        };
        (network.name.clone(), network)
    });
    let volumes = desired.services.values().filter_map(|service| service.volume.as_ref()).map(|volume| {
        let volume = ComposeVolume { name: volume.name.clone(), labels: ours.clone() };
        (volume.name.clone(), volume)
    });
    let services = desired.services.iter().map(|(target, service)| {
        let generation = generation(target, ledger);
        (key(target), compose_service(desired, target, service, generation, seccomp))
    });
    ComposeFile {
        version: FORMAT.to_owned(),
        services: services.collect(),
        networks: networks.collect(),
        volumes: volumes.collect(),
    }
}

/// `personal-agent`, `spark`.
fn key(target: &Target) -> String {
    target.to_string().replace('/', "-")
}

/// The generation after every one of the profile so far: a container of another has no claim to the state.
fn generation(target: &Target, ledger: &Ledger) -> Option<Generation> {
    let profile = target.profile().filter(|_| target.role() == Role::Agent)?;
    Some(ledger.generations.get(profile).copied().unwrap_or_default().next())
}

fn compose_service(
    desired: &Desired,
    target: &Target,
    service: &Service,
    generation: Option<Generation>,
    seccomp: &Path,
) -> ComposeService {
    let spec = service.spec_for(generation);
    let (network_mode, networks, ports) = network(&spec.network);
    let ContainerSpec { image, command, user, environment, network: _, mounts, limits, confinement, log } = spec;
    let log_options = [("max-size", log.max_bytes.to_string()), ("max-file", log.files.to_string())];
    ComposeService {
        container_name: service.container_name.clone(),
        image: image.0,
        command,
        user: format!("{}:{}", user.uid, user.gid),
        group_add: user.groups.iter().map(u32::to_string).collect(),
        environment,
        labels: labels(desired, target, service, generation),
        network_mode,
        networks,
        ports,
        volumes: mounts.iter().map(|(target, mount)| compose_mount(target, &mount.source, mount.read_only)).collect(),
        read_only: confinement.read_only_root,
        cap_drop: confinement.cap_drop.into_iter().collect(),
        security_opt: security(confinement.no_new_privileges, &confinement.seccomp, seccomp),
        mem_limit: limits.memory_bytes,
        memswap_limit: limits.memory_bytes,
        cpus: format!("{}.{:03}", limits.cpu_milli / 1000, limits.cpu_milli % 1000),
        pids_limit: limits.pids,
        ulimits: BTreeMap::from([(
            "nofile".to_owned(),
            ComposeLimit { soft: limits.open_files, hard: limits.open_files },
        )]),
        logging: ComposeLogging {
            driver: log.driver,
            options: log_options.map(|(name, value)| (name.to_owned(), value)).into(),
        },
        restart: confinement.restart_policy,
        stop_grace_period: STOP_GRACE.to_owned(),
    }
}

fn labels(
    desired: &Desired,
    target: &Target,
    service: &Service,
    generation: Option<Generation>,
) -> BTreeMap<String, String> {
    let always = [
        (LABEL_INSTALL, Some(desired.install.clone())),
        (LABEL_ROLE, Some(target.role().to_string())),
        (LABEL_RELEASE, Some(service.release.clone())),
        (LABEL_SPEC, Some(service.spec_digest.clone())),
        (LABEL_PROFILE, target.profile().map(ToString::to_string)),
        (LABEL_GENERATION, generation.map(|generation| generation.to_string())),
    ];
    always.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn network(network: &Network) -> (Option<String>, Vec<String>, Vec<String>) {
    match network {
        Network::None => (Some("none".to_owned()), Vec::new(), Vec::new()),
        Network::Bridge { name, publish } => (None, vec![name.clone()], publish.iter().map(port).collect()),
        Network::Other { described } => (Some(described.clone()), Vec::new(), Vec::new()),
    }
}

fn port(publish: &Publish) -> String {
    format!("{}:{}:{}", publish.host_ip, publish.host_port, publish.container_port)
}

fn compose_mount(target: &str, source: &MountSource, read_only: bool) -> ComposeMount {
    let (kind, source, volume, tmpfs) = match source {
        MountSource::Volume { name } => {
            ("volume", Some(name.clone()), Some(ComposeVolumeOptions { nocopy: true }), None)
        }
        MountSource::Bind { path } => ("bind", Some(path.clone()), None, None),
        MountSource::Tmpfs { bytes } => ("tmpfs", None, None, Some(ComposeTmpfsOptions { size: *bytes })),
    };
    ComposeMount { kind: kind.to_owned(), source, target: target.to_owned(), read_only, volume, tmpfs }
}

fn security(no_new_privileges: bool, seccomp: &Seccomp, file: &Path) -> Vec<String> {
    let mut options = Vec::new();
    if no_new_privileges {
        options.push("no-new-privileges:true".to_owned());
    }
    match seccomp {
        Seccomp::Default => {}
        Seccomp::Custom { .. } => options.push(format!("seccomp:{}", file.display())),
        Seccomp::Unconfined => options.push("seccomp:unconfined".to_owned()),
    }
    options
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use platform_types::layout::Roots;
    use platform_types::{Port, ProfileName};
    use supervisor_plan::ledger::Ids;
    use supervisor_plan::spec::{Confinement, ImageId, Limits, LogLimits, Mount, User};
    use supervisor_plan::topology::{Image, Images, ProfileTopology, Topology, topology};

    use super::*;

    const SECCOMP: &str = "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}";

    fn desired() -> Desired {
        let image = |name: &str| Image { id: ImageId(format!("sha256:{name}")), release: format!("release-{name}") };
        let profile = |port| ProfileTopology {
            port: Port::new(port).unwrap(),
            memory_bytes: 256 << 20,
            cpu_milli: 1500,
            pids: 128,
            documents: BTreeMap::new(),
        };
        let profiles = [("personal", 18789), ("ops", 18790)];
        let wanted = Topology {
            install: "0123".to_owned(),
            name: "bot".to_owned(),
            profiles: profiles.map(|(name, port)| (ProfileName::new(name).unwrap(), profile(port))).into(),
            images: Images {
                agent: image("agent"),
                gate: image("gate"),
                spark: image("spark"),
                backup: image("backup"),
            },
            agent_seccomp: SECCOMP.to_owned(),
            roots: Roots::system(),
            repositories: "/var/lib/bot-platform/backups".to_owned(),
            config_digests: BTreeMap::new(),
        };
        topology(&wanted, &mut Ids::default())
    }

    fn written() -> ComposeFile {
        let mut ledger = Ledger::new("0123");
        ledger.generations.insert(ProfileName::new("ops").unwrap(), Generation(7));
        compose(&desired(), &ledger, Path::new("/var/lib/bot-platform/seccomp/agent.json"))
    }

    /// The inverse: what a container made from the file would look like to the planner.
    fn read_back(service: &ComposeService) -> ContainerSpec {
        let (uid, gid) = service.user.split_once(':').unwrap();
        let (cores, thousandths) = service.cpus.split_once('.').unwrap();
        let custom = service.security_opt.iter().any(|option| option.starts_with("seccomp:/"));
        let nofile = &service.ulimits["nofile"];
        assert_eq!(service.mem_limit, service.memswap_limit);
        assert_eq!(nofile.soft, nofile.hard);
        ContainerSpec {
            image: ImageId(service.image.clone()),
            command: service.command.clone(),
            user: User {
                uid: uid.parse().unwrap(),
                gid: gid.parse().unwrap(),
                groups: service.group_add.iter().map(|group| group.parse().unwrap()).collect(),
            },
            environment: service.environment.clone(),
            network: read_network(service),
            mounts: service.volumes.iter().map(|mount| (mount.target.clone(), read_mount(mount))).collect(),
            limits: Limits {
                memory_bytes: service.mem_limit,
                cpu_milli: cores.parse::<u64>().unwrap() * 1000 + thousandths.parse::<u64>().unwrap(),
                pids: service.pids_limit,
                open_files: nofile.soft,
            },
            confinement: Confinement {
                read_only_root: service.read_only,
                cap_drop: service.cap_drop.iter().cloned().collect(),
                cap_add: BTreeSet::new(),
                no_new_privileges: service.security_opt.contains(&"no-new-privileges:true".to_owned()),
                privileged: false,
                seccomp: if custom { Seccomp::Custom { json: SECCOMP.to_owned() } } else { Seccomp::Default },
                init: false,
                host_namespaces: BTreeSet::new(),
                devices: BTreeSet::new(),
                restart_policy: service.restart.clone(),
            },
            log: LogLimits {
                driver: service.logging.driver.clone(),
                max_bytes: service.logging.options["max-size"].parse().unwrap(),
                files: service.logging.options["max-file"].parse().unwrap(),
            },
        }
    }

    fn read_network(service: &ComposeService) -> Network {
        match (service.network_mode.as_deref(), service.networks.as_slice()) {
            (Some("none"), []) => Network::None,
            (None, [name]) => {
                Network::Bridge { name: name.clone(), publish: service.ports.first().map(|text| read_port(text)) }
            }
            other => panic!("{other:?}"),
        }
    }

    fn read_port(text: &str) -> Publish {
        let parts: Vec<&str> = text.split(':').collect();
        let port = |text: &str| Port::new(text.parse().unwrap()).unwrap();
        Publish { host_ip: parts[0].to_owned(), host_port: port(parts[1]), container_port: port(parts[2]) }
    }

    fn read_mount(mount: &ComposeMount) -> Mount {
        let source = mount.source.clone();
        let source = match mount.kind.as_str() {
            "volume" => MountSource::Volume { name: source.unwrap() },
            "bind" => MountSource::Bind { path: source.unwrap() },
            "tmpfs" => MountSource::Tmpfs { bytes: mount.tmpfs.as_ref().unwrap().size },
            other => panic!("{other}"),
        };
        Mount { source, read_only: mount.read_only }
    }

    #[test]
    fn every_container_reads_back_as_the_planner_wants_it() {
        let (desired, file) = (desired(), written());
        assert_eq!(file.services.len(), desired.services.len());
        for (target, service) in &desired.services {
            let found = &file.services[&key(target)];
            let generation = match (target.role(), target.profile().map(ProfileName::as_str)) {
                (Role::Agent, Some("ops")) => Some(Generation(8)),
                (Role::Agent, _) => Some(Generation(1)),
                _ => None,
            };
            assert_eq!(read_back(found), service.spec_for(generation), "{target}");
            assert_eq!(found.container_name, service.container_name);
            assert_eq!(found.labels.get(LABEL_SPEC), Some(&service.spec_digest));
            assert_eq!(found.labels.get(LABEL_GENERATION).cloned(), generation.map(|n| n.to_string()));
        }
    }

    #[test]
    fn every_network_and_volume_is_there_once() {
        let (desired, file) = (desired(), written());
        let wanted: BTreeSet<_> = desired.services.values().filter_map(|s| Some(&s.network.as_ref()?.name)).collect();
        assert_eq!(file.networks.keys().collect::<BTreeSet<_>>(), wanted);
        let wanted: BTreeSet<_> = desired.services.values().filter_map(|s| Some(&s.volume.as_ref()?.name)).collect();
        assert_eq!(file.volumes.keys().collect::<BTreeSet<_>>(), wanted);
    }

    #[test]
    fn the_text() {
        insta::assert_snapshot!(super::super::render(&written()));
    }
}
