//! `documents` of a bot: folders of the host that an agent gets read-only.
//!
//! What they hold is given to a model. So they are nobody's secrets, nothing of the platform or the system, and of one
//! profile only.

use std::collections::BTreeMap;

use platform_types::ProfileName;

use super::Context;
use crate::config::{Config, Profile};
use crate::documents::last_name;
use crate::path::KeyPath;
use crate::surroundings::HostFolder;

/// Folders of one bot: each is a mount.
const MAX_FOLDERS: usize = 16;
/// Places of the system that hold secrets, sockets, or what is no document.
const SYSTEM: [&str; 10] =
    ["/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/lib/containerd", "/var/lib/docker", "/var/run"];

/// The folders of one bot, each looked at by itself.
pub(super) fn documents(raw: Option<Vec<String>>, path: &KeyPath, context: &mut Context<'_>) -> Vec<String> {
    let folders = context.each(raw, path, document_folder);
    if folders.len() > MAX_FOLDERS {
        let message = format!("{} folders are more than {MAX_FOLDERS}", folders.len());
        context.report.error(path, message, "Name a folder that holds several of them.");
    }
    for (index, folder) in folders.iter().enumerate() {
        let name = last_name(folder);
        if let Some(other) = folders[..index].iter().find(|other| last_name(other) == name) {
            let message = format!("{folder} and {other} are both called {name:?}");
            context.report.error(
                path,
                message,
                "The bot could not tell them apart: rename one, or name the folder above.",
            );
        }
    }
    folders
}

fn document_folder(context: &mut Context<'_>, text: &str, path: &KeyPath) -> Option<String> {
    let folder = context.host_path(text, path)?;
    let own = context.surroundings.own_directories.iter().map(String::as_str);
    if let Some(place) = SYSTEM.into_iter().chain(own).find(|place| overlap(&folder, place)) {
        let message = format!("{folder} would show {place} to a model");
        context.report.error(path, message, "Name a folder that holds documents and nothing else.");
        return None;
    }
    if last_name(&folder).starts_with('.') {
        let message = format!("{folder} is hidden");
        context.report.error(path, message, "Hidden files are not read: name a folder without a leading dot.");
        return None;
    }
    let found = context.surroundings.folders.as_ref().and_then(|folders| folders.get(&folder));
    match found {
        None | Some(HostFolder::Open) => {}
        Some(HostFolder::Closed) => {
            let remedy = format!("Let others read it: chmod o+rx {folder:?}, and its files: chmod -R o+rX {folder:?}");
            context.report.warning(path, format!("the agent cannot read {folder}: it is closed to others"), remedy);
        }
        Some(HostFolder::Missing) => {
            context.report.error(path, format!("there is no folder {folder}"), "Make it, or remove it here.");
            return None;
        }
        Some(HostFolder::NotAFolder) => {
            context.report.error(path, format!("{folder} is not a folder"), "Name the folder that holds it.");
            return None;
        }
        Some(HostFolder::Leads(place)) => {
            let message = format!("{folder} goes through a link and leads to {place}");
            context.report.error(path, message, format!("Write {place:?} if that is meant."));
            return None;
        }
    }
    Some(folder)
}

/// No two profiles share a folder, and none reads the snapshots.
pub(super) fn apart(config: &Config, context: &mut Context<'_>) {
    let repository = config.backup.repository.as_deref();
    let mut of_others: BTreeMap<&str, &ProfileName> = BTreeMap::new();
    for (name, profile) in &config.profiles {
        for (path, folder) in named(name, profile) {
            if let Some((other, owner)) = of_others.iter().find(|(other, _)| overlap(folder, other)) {
                let message = format!("{folder} overlaps {other} of the profile {owner}");
                context.report.error(&path, message, "Two profiles share nothing: give each its own folder.");
            }
            if let Some(repository) = repository.filter(|repository| overlap(folder, repository)) {
                let message = format!("{folder} overlaps {repository}, where the snapshots are");
                context.report.error(&path, message, "Keep documents and snapshots apart.");
            }
        }
        of_others.extend(named(name, profile).map(|(_, folder)| (folder, name)));
    }
}

fn named<'a>(name: &'a ProfileName, profile: &'a Profile) -> impl Iterator<Item = (KeyPath, &'a str)> {
    profile.bots.iter().flat_map(move |bot| {
        let path = KeyPath::of(["profile", name.as_str(), "bot", bot.name.as_str(), "documents"]);
        bot.documents.iter().map(move |folder| (path.clone(), folder.as_str()))
    })
}

/// One is the other, or lies in it.
fn overlap(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}
