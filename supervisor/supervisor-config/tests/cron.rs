//! What jobs by the clock mean, and what is wrong with some.

mod surroundings;

use platform_types::ProfileName;
use platform_types::channel::ChatId;
use platform_types::cron::{CronJob, Missed};
use supervisor_config::{Reading, effective};

const CHANNEL: &str = "[profile.p]\nport = 1\n[profile.p.upstream.chat]\npreset = \"telegram\"\n\
    url = \"http://10.0.0.1:8081\"\nnetworks = [\"10.0.0.1/32\"]\ntoken = { secret = \"telegram-token\" }\n\
    [profile.p.channel.chat]\nkind = \"loopback\"\n";

fn read(text: &str) -> Reading {
    let top = "timezone = \"Europe/Berlin\"\n";
    supervisor_config::read(&format!("{top}{CHANNEL}{text}"), &surroundings::rich())
}

fn jobs(text: &str) -> Vec<CronJob> {
    let config = read(text).config.expect("no errors");
    config.profiles[&ProfileName::new("p").expect("a name")].cron.clone()
}

#[test]
fn a_job_gets_every_default() {
    let text = "[profile.p.bot.home]\n[profile.p.bot.learning]\ntools = [\"clock.now\"]\n\
                [profile.p.bot.learning.cron.recap]\nschedule = \"0 20 * * *\"\nprompt = \"Write.\\nShort.\"\n\
                [profile.p.bot.home.cron.look]\nevery = \"90m\"\nprompt = \"Look.\"\nmissed = \"skip\"\nretries = 2\n\
                timeout_minutes = 3\ndeliver = { channel = \"chat\", chat = 7 }\ntools = []\n";
    let [recap, look] = &jobs(text)[..] else { panic!("two jobs, in the order of the file") };
    assert_eq!(
        (recap.bot.as_str(), recap.name.as_str(), recap.timezone.as_str()),
        ("learning", "recap", "Europe/Berlin")
    );
    assert_eq!((recap.when.to_string().as_str(), recap.missed), ("0 20 * * *", Missed::RunOnce));
    assert_eq!((recap.timeout_minutes, recap.retries), (15, 0));
    assert_eq!((&recap.deliver, &recap.tools), (&None, &None));
    assert_eq!(look.when.to_string(), "every 90m");
    assert_eq!((look.missed, look.retries, look.timeout_minutes), (Missed::Skip, 2, 3));
    assert_eq!(look.deliver.as_ref().map(|deliver| deliver.chat), Some(ChatId(7)));
    assert_eq!(look.tools.as_deref(), Some(&[][..]));

    let config = read(text).config.expect("no errors");
    let written = effective(&config);
    assert!(written.contains("[profile.p.bot.home.cron.look]\nevery = \"90m\"\nprompt = \"Look.\""), "{written}");
    assert!(written.contains("schedule = \"0 20 * * *\"\ntimezone = \"Europe/Berlin\""), "{written}");
    let again = supervisor_config::read(&written, &surroundings::rich()).config.expect("no errors");
    assert_eq!(again, config);
}

#[test]
fn a_profile_has_so_many_jobs_and_no_more() {
    let many = |count: usize| {
        let job = |n| format!("[profile.p.bot.b.cron.j{n}]\nevery = \"1h\"\nprompt = \"x\"\n");
        read(&(0..count).map(job).collect::<String>()).config.is_some()
    };
    assert!(many(32));
    assert!(!many(33));
}

#[test]
fn a_group_and_a_closed_channel() {
    let job = |chat: i64| {
        format!(
            "[profile.p.bot.b.cron.j]\nevery = \"1h\"\nprompt = \"x\"\ndeliver = {{ channel = \"chat\", chat = {chat} }}\n"
        )
    };
    let words = |channel: &str, chat: i64| {
        let findings = read(&format!("{channel}\n{}", job(chat))).findings;
        findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.message.clone()).collect::<String>()
    };
    assert_eq!(words("", 7), "", "whether a sender was approved is the ledger's word");
    assert_eq!(words("groups = [-5]", -5), "");
    assert_eq!(words("", -5), "the channel chat does not know the group -5");
    assert_eq!(words("", 0), "0 is no chat");
    assert_eq!(words("senders = \"closed\"", 7), "the channel chat is closed: nothing goes there");
    assert_eq!(words("senders = \"allowlist\"\nallow = [7]", 7), "");
}
