//! What channels mean, and what is wrong with some.

mod surroundings;

use platform_types::ProfileName;
use platform_types::channel::Senders;

#[test]
fn channels() {
    let read = |text: &str| {
        let text = format!(
            "[profile.p]\nport = 1\n[profile.p.upstream.chat]\npreset = \"telegram\"\nurl = \"http://10.0.0.1:8081\"\n\
             networks = [\"10.0.0.1/32\"]\ntoken = {{ secret = \"telegram-token\" }}\n\
             [profile.p.upstream.house]\nurl = \"http://house.example\"\n{text}"
        );
        supervisor_config::read(&text, &surroundings::rich())
    };
    let config = read("[profile.p.channel.chat]\nkind = \"loopback\"").config.expect("no errors");
    let profile = &config.profiles[&ProfileName::new("p").expect("a name")];
    let [channel] = profile.channels.values().collect::<Vec<_>>()[..] else { panic!("one channel") };
    assert_eq!((channel.senders, channel.bot.as_str()), (Senders::Pairing, "assistant"));
    assert!(channel.allow.is_empty() && channel.groups.is_empty() && channel.bots.is_empty());
    let for_tools: Vec<String> = profile.upstreams_for_tools().iter().map(ToString::to_string).collect();
    assert_eq!(for_tools, ["house"], "tools do not reach what a channel goes through");

    let check = |text: &str, words: &str| {
        let findings = read(&format!("[profile.p.channel.{text}")).findings;
        assert!(findings.iter().any(|finding| finding.message.contains(words)), "{text}: {findings:?}");
    };
    check("chat]", "it is missing");
    check("chat]\nkind = \"pigeon\"", "is not one of the choices");
    check("other]\nkind = \"loopback\"", "there is no upstream other with the preset `telegram`");
    check("house]\nkind = \"loopback\"", "there is no upstream house with the preset `telegram`");
    check("chat]\nkind = \"loopback\"\nbot = \"assistent\"", "there is no bot \"assistent\"");
    check("chat]\nkind = \"telegram\"\nbots = [\"asistant\"]", "there is no bot \"asistant\"");
    check("chat]\nkind = \"loopback\"\nallow = [-5]", "-5 is not an id that belongs here");
    check("chat]\nkind = \"loopback\"\nallow = [5, 5]", "stands in the list already");
    check("chat]\nkind = \"loopback\"\ngroups = [5]", "5 is not an id that belongs here");
    check("chat]\nkind = \"loopback\"\nsenders = \"open\"", "is not one of the choices");
    check("chat]\nkind = \"loopback\"\nsenders = \"allowlist\"", "an empty list allows nobody");
    check("chat]\nkind = \"loopback\"\nsenders = \"closed\"\nallow = [5]", "a closed channel hears nobody");
    let elsewhere = "[profile.p]\nport = 1\n[profile.p.upstream.chat]\npreset = \"telegram\"\nurl = \"https://api.telegram.org\"\n\
                     token = { secret = \"telegram-token\" }\n[profile.p.channel.chat]\nkind = \"loopback\"";
    let findings = supervisor_config::read(elsewhere, &surroundings::rich()).findings;
    assert!(findings.iter().any(|finding| finding.message.contains("not for api.telegram.org")), "{findings:?}");
    let there = elsewhere.replace("loopback", "telegram");
    assert!(supervisor_config::read(&there, &surroundings::rich()).config.is_some(), "Telegram is elsewhere");
}

#[test]
fn a_chat_may_choose_other_bots_each_once() {
    let text = "[profile.p]\nport = 1\n[profile.p.upstream.chat]\npreset = \"telegram\"\nurl = \"https://api.telegram.org\"\n\
                token = { secret = \"telegram-token\" }\n[profile.p.bot.house]\n[profile.p.bot.notes]\n\
                [profile.p.channel.chat]\nkind = \"telegram\"\nbots = [\"notes\", \"house\", \"notes\"]";
    let config = supervisor_config::Config::parse(text, &surroundings::rich()).expect("no errors");
    let [channel] = config.profiles.values().flat_map(|profile| profile.channels.values()).collect::<Vec<_>>()[..]
    else {
        panic!("one channel")
    };
    assert_eq!(
        (channel.bot.as_str(), channel.bots.iter().map(platform_types::BotName::as_str).collect()),
        ("house", vec!["notes"])
    );
}
