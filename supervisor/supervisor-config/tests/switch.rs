//! `[spark.switch]`: what is accepted, and what the file says again.

mod surroundings;

use std::fmt::Write as _;

use supervisor_config::config::Switch;
use supervisor_config::{Config, effective, read};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh";

fn file(address: &str, host_key: &str, more: &str) -> String {
    format!(
        "[spark]\nurl = \"https://spark.example/v1\"\nmodel = \"a/One\"\n[spark.switch]\naddress = \"{address}\"\n\
         host_key = \"{host_key}\"\nkey = {{ secret = \"spark-ssh\" }}\nmodels = [\"a/One\", \"b/Two-1.0:x\"]\n{more}\n\
         [profile.ops]\nport = 18790\n[profile.personal]\nport = 18789\n"
    )
}

fn accepted(text: &str) -> Result<Switch, String> {
    let config = Config::parse(text, &surroundings::rich()).map_err(|findings| {
        findings.iter().fold(String::new(), |mut text, finding| {
            writeln!(text, "{finding}").expect("a String takes everything");
            text
        })
    })?;
    assert_eq!(Config::parse(&effective(&config), &surroundings::rich()).expect("it reads itself"), config);
    Ok(config.switch().expect("a switch").clone())
}

#[test]
fn what_a_switch_says() {
    let switch = accepted(&file("bot@spark.example.ts.net:2222", &format!("{KEY} root@spark"), "profiles = [\"ops\"]"));
    let switch = switch.expect("it is good");
    assert_eq!((switch.address.to_string().as_str(), switch.host_key.as_str()), ("bot@spark.example.ts.net:2222", KEY));
    assert_eq!((switch.profiles.len(), switch.drain_seconds, switch.wait_seconds), (1, 120, 900));
    let nobody = accepted(&file("bot@10.0.0.7:2222", KEY, "")).expect("it is good");
    assert!(nobody.profiles.is_empty(), "without profiles only the operator may");
    let config = Config::parse(&file("bot@10.0.0.7:2222", KEY, ""), &surroundings::rich()).expect("it is good");
    assert!(config.secrets_in_force().iter().any(|name| name.as_str() == "spark-ssh"));
}

#[test]
fn addresses() {
    let check = |address: &str, good: bool| {
        assert_eq!(accepted(&file(address, KEY, "")).is_ok(), good, "{address:?}");
    };
    for address in ["bot@spark:2222", "_b@10.0.0.7:1", "b-1@[fd00::1]:65535", "Bot@a.b.c:22"] {
        check(address, true);
    }
    for address in [
        "",
        "spark:2222",
        "bot@spark",
        "@spark:2222",
        "bot@:2222",
        "bot@spark:0",
        "bot@spark:+22",
        "bot@spark:65536",
        "-oProxyCommand=x@spark:22",
        "bot@-spark:22",
        "bot@fd00::1:22",
        "bot@[spark]:22",
        "b ot@spark:22",
        "bot@spa/rk:22",
        "bot@a@b:22",
        "1bot@spark:22",
    ] {
        check(address, false);
    }
}

#[test]
fn only_an_ed25519_key_is_a_host_key() {
    let check = |key: &str, good: bool| assert_eq!(accepted(&file("b@s:2", key, "")).is_ok(), good, "{key:?}");
    check(KEY, true);
    check("", false);
    check("ssh-ed25519", false);
    check("ssh-ed25519 AAAA", false);
    check(&KEY.replace("ssh-ed25519", "ssh-rsa"), false);
    check(&format!("spark {KEY}"), false);
    check(&KEY.replace("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAB3NzaC1yc2EAAAADAQABA"), false);
    check(&KEY[..KEY.len() - 1], false);
}

#[test]
fn a_switch_needs_a_box() {
    let reading = read("[spark.switch]\nmodels = [\"a\"]\n[profile.ops]\nport = 1\n", &surroundings::rich());
    assert!(reading.config.is_none());
}
