//! What a shipped bot costs before a word is said, and that it is the same from turn to turn.

use std::path::{Path, PathBuf};

use agent_core::history::{estimate, estimate_tools};
use agent_core::prompt::Prompt;
use agent_store::StateDir;
use agent_tools::{Egress, Own, Reach, Registry, Spark};
use platform_types::agent::Bot;
use platform_types::ways::{House, Jobs, May, Requeue, Thing};
use platform_types::{ModelId, UpstreamName};

use crate::support::agent::{World, bot, config};

/// A token is counted as three bytes.
const MAX_FIXED_TOKENS: usize = 1500;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The bots of the example configuration, those behind `#` as well, with the instructions that they ship with.
fn shipped() -> Vec<Bot> {
    let example = std::fs::read_to_string(repository("deploy/platform.example.toml")).unwrap();
    let mut bots: Vec<Bot> = Vec::new();
    let mut file = "assistant.md".to_owned();
    let instructions = |file: &str| std::fs::read_to_string(repository("supervisor/supervisor-config/bots").join(file));
    let mut is_bot = false;
    for line in example.lines().map(|line| line.trim_start_matches("# ").trim()) {
        let value = line.split_once('=').map(|(_, value)| value.split('#').next().unwrap_or_default().trim());
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // A bot's own section, not one of its schedules.
            let name = section.split_once(".bot.").map(|(_, name)| name).filter(|name| !name.contains('.'));
            is_bot = name.is_some();
            "assistant.md".clone_into(&mut file);
            bots.extend(name.map(|name| bot(name, &[])));
        } else if is_bot && line.starts_with("instructions =") {
            let path = value.unwrap().trim_matches('"');
            path.strip_prefix("bots/").unwrap().clone_into(&mut file);
        } else if is_bot && line.starts_with("tools = [") {
            let bot = bots.last_mut().unwrap();
            bot.tools = serde_json::from_str(value.unwrap()).unwrap();
            bot.instructions = instructions(&file).unwrap();
        }
    }
    bots.retain(|bot| !bot.tools.is_empty());
    bots
}

#[test]
fn a_shipped_bot_costs_little_before_a_word_is_said() {
    let own = Own::new(&StateDir::new("/nowhere"), Path::new("/nowhere"));
    let registry = Registry::of_release(&Egress::new("/nowhere.sock"), &Spark::new("/nowhere.sock"), &own);
    let upstreams = ["home-assistant", "jobs"].map(|name| UpstreamName::new(name).unwrap());
    let models = ["openai/gpt-oss-120b", "nvidia/Qwen3.6-35B-A3B-NVFP4"].map(|id| ModelId::new(id).unwrap());
    let thing = |(id, may): (&str, May)| Thing { id: id.to_owned(), may };
    let things = [
        ("climate.living", May::Set),
        ("cover.garage", May::Confirm),
        ("light.kitchen", May::Set),
        ("light.living", May::Set),
        ("lock.front_door", May::Confirm),
        ("scene.leaving", May::Confirm),
        ("scene.movie", May::Set),
        ("sensor.hall_temperature", May::Read),
    ];
    let house = House { upstream: upstreams[0].clone(), things: things.map(thing).into() };
    let kinds = vec!["report".to_owned(), "sync".to_owned()];
    let jobs = Jobs { upstream: upstreams[1].clone(), table: "jobs".into(), kinds, requeue: Requeue::Function };
    let reach = Reach { upstreams: &upstreams, switch_models: &models, house: Some(&house), jobs: Some(&jobs) };
    let bots = shipped();
    for bot in &bots {
        assert_eq!(registry.unknown(bot), Vec::<String>::new(), "{}", bot.name);
        let tools = registry.offered(bot, reach);
        let system = Prompt::System { text: bot.instructions.trim().to_owned() };
        let tokens = estimate([&system]) + estimate_tools(&tools);
        assert!(tokens <= MAX_FIXED_TOKENS, "{} costs {tokens} tokens", bot.name);
        let words = bot.instructions.to_lowercase();
        assert!(words.contains("language of the person"), "{} answers in the person's language", bot.name);
    }
    let files = std::fs::read_dir(repository("supervisor/supervisor-config/bots")).unwrap();
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(bots.iter().any(|bot| bot.instructions == text), "no example for a bot with: {text:.60}");
    }
}

#[tokio::test]
async fn the_fixed_prompt_is_the_same_byte_for_byte() {
    let mut config = config(1);
    config.bots = vec![bot("learning", &["note.write", "note.search", "memory.remember", "clock.now"])];
    let mut world = World::with(config).await;
    let mut seen = Vec::new();
    for n in 0..3 {
        let mut page = world.agent.page().await;
        let session = page.session(n + 1, "learning").await;
        for turn in 0..2 {
            page.send(&session, 100 + 10 * n + turn, "Remember this").await;
            let arguments = format!("{{\"fact\":\"fact {n} {turn}\"}}");
            let first = world.model.calls(&[("memory_remember", &arguments)]).await;
            let second = world.model.says("Done.").await;
            page.answer().await;
            seen.extend([first, second].map(|body| (body["messages"][0].to_string(), body["tools"].to_string())));
        }
        world.restart().await;
    }
    assert!(seen.iter().all(|fixed| *fixed == seen[0]), "{seen:#?}");
}
