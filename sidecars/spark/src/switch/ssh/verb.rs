//! What may be said to the box: three verbs, as the forced command there knows them. Pure.

use platform_types::ModelId;
use platform_types::switch::is_switchable;

/// One command, which can be nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verb(String);

impl Verb {
    /// `None`: the id is not one word of a command.
    pub fn switch(model: &ModelId) -> Option<Self> {
        is_switchable(model.as_str()).then(|| Self(format!("switch {model}")))
    }

    /// Changes nothing.
    pub fn status() -> Self {
        Self("status".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_bring_in_another_command() {
        let said = |id: &str| Verb::switch(&ModelId::new(id).unwrap()).map(|verb| verb.as_str().to_owned());
        assert_eq!(said("openai/gpt-oss-120b").as_deref(), Some("switch openai/gpt-oss-120b"));
        for id in ["a b", "a;reboot", "a'", "$(x)", "--help", "a\u{2028}b"] {
            assert_eq!(said(id), None, "{id}");
        }
    }
}
