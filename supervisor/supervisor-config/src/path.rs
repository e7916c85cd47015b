//! Where a value stands in the file: `profile.ops.bot.home.tools[2]`.

use std::fmt;

/// A path from the top of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    /// From 0.
    Index(usize),
}

impl KeyPath {
    /// The file as a whole.
    pub fn top() -> Self {
        Self::default()
    }

    /// `a.b.c`, from plain keys.
    pub fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The table that holds the last key.
    pub fn parent(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The last key, as TOML writes it.
    pub fn last(&self) -> String {
        self.0.last().map(ToString::to_string).unwrap_or_default()
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            if position > 0 && matches!(step, Step::Key(_)) {
                f.write_str(".")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(key) if is_bare(key) => f.write_str(key),
            Self::Key(key) => write!(f, "{}", toml::Value::String(key.clone())),
        }
    }
}

/// TOML needs no quotes around such a key.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_toml_writes_keys() {
        let path = KeyPath::of(["profile", "a b"]).key("tools").index(2);
        assert_eq!(path.to_string(), r#"profile."a b".tools[2]"#);
        assert_eq!(path.parent().to_string(), r#"profile."a b".tools"#);
        assert_eq!(KeyPath::top().to_string(), "");
        assert_eq!(KeyPath::top().parent(), KeyPath::top());
    }
}
