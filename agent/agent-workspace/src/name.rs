//! Names of files: made from titles, or checked. A name is one component of a path and nothing else.

use std::fmt;

use crate::WorkspaceError;

/// Longest name, in bytes: file systems take 255, and this is shown to a model.
pub const MAX_NAME_BYTES: usize = 96;
/// Longest name that is made from a title, in bytes.
const MAX_SLUG_BYTES: usize = 60;
/// Hex digits of a digest in a name.
const DIGEST_CHARS: usize = 8;

/// A file's name: no folder, no leading dot, no control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Checks a name as it is.
    pub fn new(text: &str) -> Result<Self, WorkspaceError> {
        let fine = !text.is_empty()
            && text.len() <= MAX_NAME_BYTES
            && !text.starts_with('.')
            && text.trim() == text
            && !text.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | '\u{feff}' | '\u{202a}'..='\u{202e}'));
        if fine { Ok(Self(text.to_owned())) } else { Err(WorkspaceError::BadName(text.chars().take(80).collect())) }
    }

    /// A name from a title: a-z, 0-9 and '-'. Titles without any such letter get a name from their digest.
    pub fn from_title(title: &str) -> Self {
        let mut slug = String::new();
        for c in title.chars().flat_map(char::to_lowercase) {
            let letters = spelled(c).unwrap_or_else(|| "-".to_owned());
            if slug.len() + letters.len() > MAX_SLUG_BYTES {
                break;
            }
            if !(letters == "-" && slug.ends_with('-')) {
                slug.push_str(&letters);
            }
        }
        let slug = slug.trim_matches('-');
        if slug.is_empty() { Self(format!("note-{}", digest(title))) } else { Self(slug.to_owned()) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file of the note with this name.
    pub(crate) fn with(&self, extension: &str) -> Self {
        Self(format!("{}{extension}", self.0))
    }

    /// The note of the file with this name.
    pub(crate) fn without(&self, extension: &str) -> Option<Self> {
        let stem = self.0.strip_suffix(extension)?;
        (!stem.is_empty() && stem.trim() == stem).then(|| Self(stem.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A letter in a-z and 0-9, as people write it without their own keyboard.
fn spelled(c: char) -> Option<String> {
    let letters = match c {
        'a'..='z' | '0'..='9' => return Some(c.to_string()),
        'ä' | 'æ' => "ae",
        'ö' | 'œ' | 'ø' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' => "a",
        'ç' | 'ć' | 'č' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ł' => "l",
        'ñ' | 'ń' => "n",
        'ò' | 'ó' | 'ô' | 'õ' => "o",
        'ś' | 'š' => "s",
        'ù' | 'ú' | 'û' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    };
    Some(letters.to_owned())
}

/// A few hex digits that stand for a text.
pub(crate) fn digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hex = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
    hex.truncate(DIGEST_CHARS);
    hex
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_become_names() {
        let check = |title: &str, expect: &str| assert_eq!(Name::from_title(title).as_str(), expect);
        check("Grüner Tee", "gruener-tee");
        check("  C++ & Rust: ownership!  ", "c-rust-ownership");
        check("../../etc/passwd", "etc-passwd");
        check("Ünïcödé", "uenicoede");
        assert!(Name::from_title("日本語").as_str().starts_with("note-"));
        assert_ne!(Name::from_title("日本語"), Name::from_title("日本"));
    }

    #[test]
    fn names_are_one_component() {
        for bad in ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0b", "a\nb", " a", "a ", "\u{202e}a"] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "My note.md", "käse", "a..b"] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
        assert!(Name::new(&"x".repeat(MAX_NAME_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn every_title_makes_a_name(title in any::<String>()) {
            let name = Name::from_title(&title);
            prop_assert_eq!(Name::new(name.as_str()).unwrap(), name.clone());
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert_eq!(Name::from_title(name.as_str()), name);
        }
    }
}
