//! Folders of the host that bots read: which a file names, and where they are inside an agent's container.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::layout::inside;

use crate::config::Profile;

/// Every folder that a text names under `documents`, as it stands there: whoever may look at the disk looks at these before
/// the text is read. What is not TOML names none.
pub fn named(text: &str) -> BTreeSet<String> {
    let Ok(top) = text.parse::<toml::Table>() else { return BTreeSet::new() };
    let inner = |value: &toml::Value, key: &str| value.get(key).and_then(toml::Value::as_table).cloned();
    let profiles = top.get("profile").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let bots = profiles.values().filter_map(|profile| inner(profile, "bot")).flatten();
    let lists = bots.filter_map(|(_, bot)| bot.get("documents")?.as_array().cloned()).flatten();
    lists.filter_map(|folder| Some(folder.as_str()?.trim_end_matches('/').to_owned())).collect()
}

/// The last name of a folder: how its bot calls it.
pub fn last_name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// Path inside the agent's container to folder of the host, for all bots of a profile.
pub fn mounts(profile: &Profile) -> BTreeMap<String, String> {
    let of_bots = profile.bots.iter().flat_map(|bot| bot.documents.iter().map(move |folder| (&bot.name, folder)));
    of_bots
        .map(|(bot, folder)| (format!("{}/{bot}/{}", inside::DOCUMENTS, last_name(folder)), folder.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_wherever_a_bot_names_them() {
        let text = "[profile.a.bot.x]\ndocuments = [\"/srv/a/\", 3]\n[profile.b.bot.y]\ndocuments = [\"/srv/b\"]\n";
        assert_eq!(named(text), BTreeSet::from(["/srv/a".to_owned(), "/srv/b".to_owned()]));
        assert!(named("[profile").is_empty());
        assert!(named("profile = 3").is_empty());
    }
}
