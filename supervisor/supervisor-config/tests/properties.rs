//! What holds for every text, and for every configuration.

mod surroundings;

use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::collections::BTreeMap;

use platform_types::agent::{Effect, PolicyRule, SessionKind};
use platform_types::channel::{ChannelKind, ChatId, Senders};
use platform_types::cron::{CronJob, Deliver, Missed};
use platform_types::egress::{AnswerFilter, Credential, Field, Method, Shape};
use platform_types::schedule::{Expression, Interval, When};
use platform_types::spark::SparkLimits;
use platform_types::ways::Requeue;
use platform_types::{BotName, InstallName, JobName, ModelId, Port, ProfileName, SecretName, UpstreamName};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use supervisor_config::config::{
    Allows, Backup, Bot, Channel, Config, Consent, House, Jobs, Keep, Limits, Profile, Rule, Spark, Switch,
    SwitchAddress, Upstream,
};
use supervisor_config::{Finding, diff, effective, read};

const EXAMPLE: &str = include_str!("../../../deploy/platform.example.toml");

/// Pieces that make a text look like a configuration.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "\n",
    "#",
    "profile",
    "personal",
    "spark",
    "bot",
    "upstream",
    "backup",
    "rule",
    "keep",
    "port",
    "url",
    "key",
    "secret",
    "tools",
    "address",
    "memory",
    "18789",
    "0",
    "-1",
    "1e999",
    "nan",
    "0x7f",
    "true",
    "2026-11-22",
    "\"demo/echo\"",
    "\"https://a.b/v1\"",
    "\\u0000",
    "ü",
    "\u{feff}",
    "\r",
];

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in any::<String>()) {
        check_reading(&text);
    }

    #[test]
    fn no_text_of_pieces_breaks_the_reader(pieces in vec(select(PIECES), 0..40)) {
        check_reading(&pieces.concat());
    }

    #[test]
    fn no_damage_to_a_good_file_breaks_the_reader(at in any::<prop::sample::Index>(), cut in 0..40usize, piece in select(PIECES)) {
        let mut characters: Vec<char> = EXAMPLE.replace("# ", "").chars().collect();
        let start = at.index(characters.len());
        let end = (start + cut).min(characters.len());
        characters.splice(start..end, piece.chars());
        check_reading(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn no_damage_to_an_effective_file_breaks_the_reader(config in configs(), damage in vec((any::<prop::sample::Index>(), 0..12usize, select(PIECES)), 1..4)) {
        let mut characters: Vec<char> = effective(&config).chars().collect();
        for (at, cut, piece) in damage {
            let start = at.index(characters.len() + 1);
            let end = (start + cut).min(characters.len());
            characters.splice(start..end, piece.chars());
        }
        check_reading(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn the_effective_file_reads_as_the_same_configuration(config in configs()) {
        let text = effective(&config);
        let reading = read(&text, &surroundings::rich());
        let mut rules = config.profiles.values().flat_map(|profile| &profile.policy);
        prop_assert_eq!(rules.find_map(PolicyRule::problem), None, "an agent refuses it");
        prop_assert_eq!(reading.config, Some(config), "{}", text);
    }

    #[test]
    fn a_difference_is_empty_exactly_between_equals(old in configs(), new in configs()) {
        prop_assert!(diff(&old, &old).is_empty());
        prop_assert_eq!(diff(&old, &new).is_empty(), old == new);
    }
}

fn check_reading(text: &str) {
    let reading = read(text, &surroundings::rich());
    let lines = u32::try_from(text.matches('\n').count() + 1).expect("valid by construction");
    for finding in &reading.findings {
        assert!((1..=lines).contains(&finding.line) && finding.column >= 1, "{finding:?}");
        assert!(!finding.remedy.is_empty() && !finding.message.is_empty(), "{finding:?}");
        assert!(!finding.to_string().replace('\n', "").chars().any(char::is_control), "{finding:?}");
    }
    assert_eq!(reading.config.is_some(), !reading.findings.iter().any(Finding::is_error));
    // Whatever is accepted is shown as a file that means the same.
    if let Some(config) = reading.config {
        assert_eq!(read(&effective(&config), &surroundings::rich()).config, Some(config), "{text}");
    }
}

fn names() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,8}[a-z0-9])?"
        .prop_filter("taken by sidecars", |name| !name.starts_with("spark") && !name.starts_with("backup"))
}

fn secrets() -> impl Strategy<Value = SecretName> {
    select(vec!["spark-key", "ha-token", "jobs-key"])
        .prop_map(|name| SecretName::new(name).expect("valid by construction"))
}

fn host_paths() -> impl Strategy<Value = String> {
    "(/[a-z ü\"'\\\\]{1,6}){1,3}"
}

fn lists(item: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Vec<String>> {
    btree_set(item, 0..3).prop_map(|items| items.into_iter().collect()).boxed()
}

fn spark_limits() -> impl Strategy<Value = SparkLimits> {
    let counts = (SparkLimits::CONCURRENCY, SparkLimits::QUEUE, SparkLimits::CONNECT_SECONDS);
    let times = (SparkLimits::FIRST_BYTE_SECONDS, SparkLimits::IDLE_SECONDS, 3_600..=86_400u32);
    (counts, times).prop_map(
        |((concurrency, queue, connect_seconds), (first_byte_seconds, idle_seconds, total_seconds))| SparkLimits {
            concurrency,
            queue,
            connect_seconds,
            first_byte_seconds,
            idle_seconds,
            total_seconds,
        },
    )
}

fn configs() -> impl Strategy<Value = Config> {
    let spark = ("[a-z]{1,8}", "[ -~ü]{1,20}", option::of(secrets()), spark_limits(), option::of(switches())).prop_map(
        |(host, model, key, limits, switch)| Spark {
            url: format!("https://{host}.example/v1"),
            model: ModelId::new(model).expect("valid by construction"),
            key,
            limits,
            switch,
        },
    );
    let zone = select(vec!["UTC", "Europe/Berlin", "America/New_York"]);
    option::of(spark).prop_flat_map(move |spark| {
        let model = spark.as_ref().map_or("demo/echo".to_owned(), |spark| spark.model.to_string());
        (names(), zone.clone(), option::of(1..1000u16), profiles(model), backups()).prop_map(
            move |(name, zone, metrics, profiles, backup)| Config {
                name: InstallName::new(name).expect("valid by construction"),
                timezone: zone.to_owned(),
                metrics: metrics.map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)),
                spark: spark.clone(),
                profiles,
                backup,
            },
        )
    })
}

/// Nobody may ask: which profiles there are is drawn elsewhere.
fn switches() -> impl Strategy<Value = Switch> {
    let ids = lists("[a-zA-Z0-9][a-zA-Z0-9._:/@+-]{0,20}");
    let address = ("[a-z_][a-z0-9_-]{0,8}", select(vec!["spark.example.ts.net", "10.0.0.7", "fd00::1"]), 1..=u16::MAX);
    let address = address.prop_map(|(user, host, port)| SwitchAddress {
        user,
        host: host.to_owned(),
        port: Port::new(port).expect("valid by construction"),
    });
    (address, secrets(), "[a-z]{1,8}", ids, 5..=900u32, 10..=900u32).prop_map(
        |(address, key, first, ids, drain_seconds, wait_seconds)| Switch {
            address,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh".to_owned(),
            key,
            models: std::iter::once(format!("{first}/first"))
                .chain(ids.into_iter().filter(|id| !id.ends_with("/first")))
                .map(|id| ModelId::new(id).expect("valid by construction"))
                .collect(),
            profiles: Vec::new(),
            drain_seconds,
            wait_seconds,
        },
    )
}

/// Ports and addresses are made distinct from a counter.
fn profiles(model: String) -> impl Strategy<Value = BTreeMap<ProfileName, Profile>> {
    let limits = (32..70_000u64, 100..64_000u32, 16..4096u32).prop_map(|(memory, milli_cpus, pids)| Limits {
        memory_bytes: memory.min(65_536) * Limits::MIB,
        milli_cpus,
        pids,
    });
    let bots = vec(bots(model), 1..4).prop_map(|bots| {
        let mut seen = Vec::new();
        bots.into_iter()
            .filter(|bot| {
                !seen.contains(&bot.name) && {
                    seen.push(bot.name.clone());
                    true
                }
            })
            .collect::<Vec<_>>()
    });
    let upstreams =
        btree_map(names().prop_map(|name| UpstreamName::new(name).expect("valid by construction")), upstreams(), 0..3);
    let addressed = option::of(lists("[a-z.]{1,8}@[a-z.]{1,8}"));
    let profile = (addressed, limits, bots, (upstreams, option::of(channels()), option::of(jobs())), policies());
    btree_map(names(), profile, 1..4).prop_map(|profiles| {
        let numbered = profiles.into_iter().zip(18_000..);
        numbered
            .map(|((name, (addressed, limits, bots, (mut upstreams, channel, jobs), policy)), port)| {
                let address = addressed.is_some().then(|| format!("https://host.example:{port}"));
                let channels = channel.map(|(upstream, senders, allow, groups)| {
                    let name = UpstreamName::new("chat").expect("valid by construction");
                    upstreams.insert(name.clone(), upstream);
                    let kind = ChannelKind::Loopback;
                    let others = bots[1..].iter().map(|bot| bot.name.clone()).collect();
                    (name, Channel { kind, bot: bots[0].name.clone(), bots: others, senders, allow, groups })
                });
                let deliver = channels.as_ref().and_then(|(name, channel)| {
                    let known = channel.allow.first().filter(|_| channel.senders != Senders::Closed)?;
                    Some(Deliver { channel: name.clone(), chat: *known })
                });
                let cron = jobs.map(|job| CronJob { bot: bots[0].name.clone(), deliver, ..job });
                let profile = Profile {
                    port: Port::new(port).expect("valid by construction"),
                    address,
                    tailscale_users: addressed.unwrap_or_default(),
                    limits,
                    bots,
                    upstreams,
                    channels: channels.into_iter().collect(),
                    cron: cron.into_iter().collect(),
                    policy,
                };
                (ProfileName::new(name).expect("valid by construction"), profile)
            })
            .collect()
    })
}

/// For a bot that is put in later; it delivers where it can.
fn jobs() -> impl Strategy<Value = CronJob> {
    let when = prop_oneof![
        (0..60u8, 0..24u8).prop_map(|(minute, hour)| {
            When::Schedule(Expression::new(&format!("{minute} {hour} * * 1-5")).expect("valid by construction"))
        }),
        (10..100_000u32).prop_map(|seconds| When::EverySeconds(Interval::try_from(seconds).expect("in range"))),
    ];
    let missed = select(vec![Missed::Skip, Missed::RunOnce]);
    (names(), when, "[a-z]{1,8}(\n[ -~ü]{0,8})?", missed, 1..=120u32, 0..=10u32).prop_map(
        |(name, when, prompt, missed, timeout_minutes, retries)| CronJob {
            bot: BotName::new("bot").expect("valid by construction"),
            name: JobName::new(name).expect("valid by construction"),
            timezone: "UTC".to_owned(),
            when,
            prompt,
            missed,
            timeout_minutes,
            retries,
            deliver: None,
            tools: Some(Vec::new()),
        },
    )
}

fn channels() -> impl Strategy<Value = (Upstream, Senders, Vec<ChatId>, Vec<ChatId>)> {
    let upstream = (any::<u32>(), secrets()).prop_map(|(bits, secret)| Upstream {
        url: format!("http://{}:8081", Ipv4Addr::from(bits)),
        address: None,
        networks: Vec::new(),
        ca: None,
        credential: Some(Credential::Path { prefix: "bot".to_owned(), secret }),
        allows: Allows::Telegram,
    });
    let ids = |sign: i64| {
        btree_set(1..9_i64, 0..3).prop_map(move |ids| ids.into_iter().map(|id| ChatId(id * sign)).collect())
    };
    (upstream, select(vec![Senders::Pairing, Senders::Allowlist, Senders::Closed]), ids(1), ids(-1))
}

/// Folders that overlap no other: profiles share nothing.
fn documents() -> impl Strategy<Value = Vec<String>> {
    btree_set("/documents-of-bots/[a-z]{12}", 0..3).prop_map(|folders| folders.into_iter().collect())
}

fn bots(model: String) -> impl Strategy<Value = Bot> {
    let file = select(vec!["bots/assistant.md", "bots/home.md"]);
    let tools = option::of(Just("clock.now".to_owned())).prop_map(|tool| tool.into_iter().collect());
    (names(), "[A-Za-zü\"\\\\]( ?[a-z'#=]{1,6}){0,4}", file, tools, documents()).prop_map(
        move |(name, title, file, tools, documents)| Bot {
            name: BotName::new(name).expect("valid by construction"),
            title,
            instructions: file.to_owned(),
            model: ModelId::new(model.clone()).expect("valid by construction"),
            tools,
            documents,
        },
    )
}

fn upstreams() -> impl Strategy<Value = Upstream> {
    let token = || secrets().prop_map(|secret| Credential::Path { prefix: "bot".to_owned(), secret });
    let credential = prop_oneof![
        secrets().prop_map(|secret| Credential::Bearer { secret }),
        ("k[a-z-]{1,8}", secrets()).prop_map(|(name, secret)| Credential::Header { name, secret }),
        ("k[a-z_]{1,8}", secrets()).prop_map(|(name, secret)| Credential::Query { name, secret }),
        ("k[a-z-]{1,8}", secrets(), secrets()).prop_map(|(name, secret, bearer)| Credential::Both {
            name,
            secret,
            bearer
        }),
    ];
    // Shorter than the domains that need a confirmation.
    let entities = || lists("[a-z]{1,3}\\.[a-z_]{1,4}".boxed());
    let scenes = lists("scene\\.[a-z_]{1,4}".boxed());
    let allows = prop_oneof![
        (entities(), entities(), scenes, entities())
            .prop_map(|(read, entities, scenes, confirm)| House { read, entities, scenes, confirm })
            .prop_map(Allows::HomeAssistant),
        ("[a-z_]{1,8}", lists("[a-z_]{1,8}".boxed()), select(vec![Requeue::Function, Requeue::CompareAndSet]))
            .prop_map(|(table, kinds, requeue)| Allows::SupabaseJobs(Jobs { table, kinds, requeue })),
        vec(rules(), 0..3).prop_map(Allows::Rules),
    ];
    let others = (option::of(credential), allows);
    let ca = option::of(Just("certs/house.pem".to_owned()));
    let telegram = token().prop_map(|token| (Some(token), Allows::Telegram));
    let address = option::of(any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))));
    let networks = lists("10\\.[1-9]\\.0\\.0/16".boxed());
    ("[a-z]{1,6}", address, networks, ca, prop_oneof![4 => others, 1 => telegram]).prop_map(
        |(host, address, networks, ca, (credential, allows))| Upstream {
            url: format!("{}://{host}.example:8123", if ca.is_some() { "https" } else { "http" }),
            address,
            networks,
            ca,
            credential,
            allows,
        },
    )
}

fn scalars() -> impl Strategy<Value = Vec<Value>> {
    let number =
        (-99..99i32, any::<bool>()).prop_map(|(n, whole)| if whole { json!(n) } else { json!(f64::from(n) / 4.0) });
    let value = prop_oneof!["[ -~ü]{0,6}".prop_map(Value::from), any::<bool>().prop_map(Value::from), number];
    vec(value, 1..4).prop_map(|values| {
        let mut once = Vec::new();
        for value in values {
            if !once.contains(&value) {
                once.push(value);
            }
        }
        once
    })
}

fn shapes() -> impl Strategy<Value = Shape> {
    let range = || (-50..50i64, 0..50i64).prop_map(|(min, more)| (min, min + more));
    let plain = prop_oneof![
        scalars().prop_map(|values| Shape::OneOf { values }),
        (1..500usize).prop_map(|max_chars| Shape::Text { max_chars }),
        range().prop_map(|(min, max)| Shape::Integer { min, max }),
        range().prop_map(|(min, max)| Shape::Number { min, max }),
        Just(Shape::Boolean),
        Just(Shape::ApprovedChat),
    ];
    (plain, option::of("[!-~]{1,4}")).prop_map(|(then, prefix)| match prefix {
        Some(prefix) => Shape::After { prefix, then: Box::new(then) },
        None => then,
    })
}

fn fields(prefix: &'static str) -> impl Strategy<Value = BTreeMap<String, Field>> {
    let field = (shapes(), any::<bool>()).prop_map(|(shape, required)| Field { shape, required });
    btree_map("[a-zü \"-]{1,6}".prop_map(move |name| format!("{prefix}{name}")), field, 0..3)
}

fn rules() -> impl Strategy<Value = Rule> {
    let method = select(vec![Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete]);
    let headers = lists("x-[a-z]{1,6}(: [!-~]{1,8})?".boxed()).prop_map(|headers| {
        let mut seen = std::collections::BTreeSet::new();
        headers.into_iter().filter(|header| seen.insert(header.split(':').next().map(str::to_owned))).collect()
    });
    let words = option::of(select(vec!["Open \"the\" door", "Take {one}"]));
    let answer = prop_oneof![
        Just(AnswerFilter::Whole),
        Just(AnswerFilter::Status),
        lists("[a-z]{1,4}(\\.[a-z]{1,4})?".boxed()).prop_map(|members| AnswerFilter::Members { members }),
    ];
    (method, "(/[a-z0-9:;=.-]{3,8}){0,2}/", shapes(), fields("q"), headers, option::of(fields("b")), (words, answer))
        .prop_map(|(method, path, one, query, headers, body, (words, answer))| Rule {
            method,
            path: format!("{path}{{one}}"),
            params: [("one".to_owned(), one)].into(),
            query,
            headers,
            body: body.filter(|_| method != Method::Get),
            consent: match words {
                Some(words) => Consent::Card(words.to_owned()),
                None if method == Method::Get => Consent::Reading,
                None => Consent::Unconfirmed("Once \"more\" does no harm".to_owned()),
            },
            answer,
        })
}

fn policies() -> impl Strategy<Value = Vec<PolicyRule>> {
    let effect = select(vec![Effect::Allow, Effect::Ask, Effect::Deny]);
    let session = select(vec![SessionKind::Chat, SessionKind::Cron, SessionKind::Script, SessionKind::Channel]);
    let tool = select(vec!["clock.now", "clock.*", "*"]);
    let when = btree_map("[a-z ]{0,4}", scalars(), 0..3);
    let rule = (effect, option::of(session), tool, when, option::of(Just("Because \"so\"".to_owned())));
    let rule = rule.prop_map(|(effect, session, tool, when, why)| PolicyRule {
        effect,
        bot: None,
        session,
        tool: tool.to_owned(),
        when,
        why,
    });
    vec(rule, 0..3)
}

fn backups() -> impl Strategy<Value = Backup> {
    let crons = || {
        option::of(
            (0..60u8, 0..24u8)
                .prop_map(|(m, h)| Expression::new(&format!("{m} {h} * * *")).expect("valid by construction")),
        )
    };
    let keep = (0..9u32, 0..9u32, 1..9u32).prop_map(|(daily, weekly, monthly)| Keep { daily, weekly, monthly });
    let ages = option::of((10..2_678_400u32).prop_map(|seconds| Interval::try_from(seconds).expect("in range")));
    (crons(), ages, option::of(keep), crons(), lists(host_paths()), option::of(host_paths()), any::<bool>()).prop_map(
        |(schedule, stale_after, keep, drill, paths, repository, copied_off_host)| Backup {
            schedule,
            stale_after,
            keep,
            drill,
            paths,
            repository,
            copied_off_host,
        },
    )
}
