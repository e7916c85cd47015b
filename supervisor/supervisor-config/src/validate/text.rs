//! Checks that many keys share.

use std::fmt::Display;

use platform_types::{NameError, SecretName};

use super::Context;
use crate::Surroundings;
use crate::path::KeyPath;
use crate::raw::RawSecret;
use crate::suggest::nearest;

/// Longest text that people see in one line, in characters.
const MAX_LINE_CHARS: usize = 48;
/// Longest path of the host: Linux's `PATH_MAX`.
const MAX_PATH_BYTES: usize = 4096;

impl Context<'_> {
    /// A parsed name, or a finding with its rule.
    pub(super) fn named<T>(&mut self, name: Result<T, NameError>, path: &KeyPath) -> Option<T> {
        name.map_err(|error| {
            let mut remedy = format!("{}.", error.rule());
            remedy[..1].make_ascii_uppercase();
            self.report.error(path, error.to_string().replace(&format!(": {}", error.rule()), ""), remedy);
        })
        .ok()
    }

    /// A reference to a secret that exists. `None` where the reference itself was refused before.
    pub(super) fn secret(&mut self, raw: RawSecret, path: &KeyPath) -> Option<SecretName> {
        let RawSecret { secret } = raw;
        self.secret_name(secret?, &path.key("secret"))
    }

    pub(super) fn secret_name(&mut self, name: String, path: &KeyPath) -> Option<SecretName> {
        let name = self.named(SecretName::new(name), path)?;
        if let Some((message, remedy)) = self.missing(&name) {
            self.report.error(path, message, remedy);
            return None;
        }
        Some(name)
    }

    /// The secret of one way out: while it is missing that way is closed, and everything else goes on.
    pub(super) fn way_secret(&mut self, raw: RawSecret, path: &KeyPath) -> Option<SecretName> {
        let RawSecret { secret } = raw;
        let path = path.key("secret");
        let name = self.named(SecretName::new(secret?), &path)?;
        if let Some((message, remedy)) = self.missing(&name) {
            self.report.warning(&path, format!("{message}: this upstream stays closed"), remedy);
        }
        Some(name)
    }

    /// Why nobody gets a secret, and what to do about it.
    fn missing(&self, name: &SecretName) -> Option<(String, String)> {
        let Surroundings { secrets, open_secrets, .. } = self.surroundings;
        if secrets.contains(name) {
            return None;
        }
        if open_secrets.contains(name) {
            let remedy =
                format!("Store it again: botctl secret set {name}; or set its mode to 0600 if nobody has read it");
            return Some((format!("others can read the file of the secret {name}, so it is refused"), remedy));
        }
        let remedy = match nearest(name.as_str(), secrets.iter().map(SecretName::as_str)) {
            Some(near) => format!("Did you mean {near:?}? Otherwise store it: botctl secret set {name}"),
            None => format!("Store it: botctl secret set {name}"),
        };
        Some((format!("there is no secret {name}"), remedy))
    }

    /// A parsed value, or a finding.
    pub(super) fn parsed<T, E: Display>(&mut self, value: Result<T, E>, path: &KeyPath, remedy: &str) -> Option<T> {
        value.map_err(|error| self.report.error(path, error.to_string(), remedy)).ok()
    }

    /// One short line for people.
    pub(super) fn line(&mut self, text: String, path: &KeyPath) -> Option<String> {
        self.line_of(text, MAX_LINE_CHARS, path)
    }

    /// One line for people, of at most so many characters.
    pub(super) fn line_of(&mut self, text: String, most: usize, path: &KeyPath) -> Option<String> {
        let length = text.chars().count();
        let message = if text.trim().is_empty() {
            "it is empty".to_owned()
        } else if text.trim() != text {
            "it begins or ends with a space".to_owned()
        } else if text.chars().any(char::is_control) {
            "it holds control characters".to_owned()
        } else if length > most {
            format!("it has {length} characters")
        } else {
            return Some(text);
        };
        let remedy = format!("Write one line of at most {most} characters.");
        self.report.error(path, message, remedy);
        None
    }

    /// A folder or file of the host, absolute, without detours.
    pub(super) fn host_path(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let trimmed = text.trim_end_matches('/');
        let plain = |step: &str| !step.is_empty() && step != "." && step != "..";
        let valid = trimmed.len() <= MAX_PATH_BYTES
            && !trimmed.chars().any(char::is_control)
            && trimmed.strip_prefix('/').is_some_and(|steps| steps.split('/').all(plain));
        if valid {
            return Some(trimmed.to_owned());
        }
        let message = format!("{text:?} is not an absolute path below the root");
        self.report.error(path, message, "Write a path such as \"/srv/documents\", without \".\" and \"..\".");
        None
    }

    /// Every item checked; an item that stands there twice is a finding.
    pub(super) fn each<T: PartialEq>(
        &mut self,
        items: Option<Vec<String>>,
        path: &KeyPath,
        mut check: impl FnMut(&mut Self, &str, &KeyPath) -> Option<T>,
    ) -> Vec<T> {
        let mut valid = Vec::new();
        for (index, item) in items.unwrap_or_default().into_iter().enumerate() {
            let path = path.index(index);
            let Some(item) = check(self, &item, &path) else { continue };
            if valid.contains(&item) {
                self.report.error(&path, "it stands in the list already", "Remove one of the two.");
            } else {
                valid.push(item);
            }
        }
        valid
    }
}
