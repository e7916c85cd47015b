//! Windows that the box told only when a prompt did not fit: remembered, so that later turns fit at once. Pure.

use platform_types::ModelId;
use platform_types::spark::Model;

/// Models of which one is remembered; the one learned longest ago makes way.
const MAX_LEARNED: usize = 16;

/// What was learned, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Learned(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    model: ModelId,
    /// Estimated tokens that the model takes.
    window: u32,
    /// What the list said at that time.
    listed: Option<u32>,
}

impl Learned {
    /// Remembers a window; the smallest counts as long as the list says the same.
    pub fn learn(&mut self, model: &ModelId, window: u32, listed: Option<u32>) {
        let before = self.0.iter().position(|entry| entry.model == *model).map(|place| self.0.remove(place));
        let window = before.filter(|entry| entry.listed == listed).map_or(window, |entry| entry.window.min(window));
        if self.0.len() == MAX_LEARNED {
            self.0.remove(0);
        }
        self.0.push(Entry { model: model.clone(), window, listed });
    }

    /// The window of `model`, which the list says is `listed`.
    pub fn window(&self, model: &ModelId, listed: Option<u32>) -> Option<u32> {
        let entry = self.0.iter().find(|entry| entry.model == *model);
        match (entry.map(|entry| entry.window), listed) {
            (Some(learned), Some(listed)) => Some(learned.min(listed)),
            (learned, listed) => learned.or(listed),
        }
    }

    /// Forgets what was learned of models that the list now gives another window: the box runs them in another way.
    pub fn check(&mut self, list: &[Model]) {
        self.0.retain(|entry| {
            let listed = list.iter().find(|listed| listed.id == entry.model);
            listed.is_none_or(|listed| listed.context_window == entry.listed)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ModelId {
        ModelId::new(text).unwrap()
    }

    fn model(id: &str, context_window: Option<u32>) -> Model {
        serde_json::from_value(serde_json::json!({
            "id": id, "object": "model", "created": 0, "owned_by": "x", "context_window": context_window,
        }))
        .unwrap()
    }

    #[test]
    fn the_smallest_counts_until_the_list_says_something_else() {
        let (mut learned, a) = (Learned::default(), id("a"));
        assert_eq!((learned.window(&a, None), learned.window(&a, Some(7))), (None, Some(7)));
        learned.learn(&a, 3000, None);
        learned.learn(&a, 4000, None);
        assert_eq!(learned.window(&a, None), Some(3000));
        assert_eq!(learned.window(&id("b"), None), None, "another model");
        learned.check(&[model("b", Some(9)), model("a", None)]);
        learned.check(&[model("b", Some(9))]);
        assert_eq!(learned.window(&a, None), Some(3000), "nothing new about it");
        learned.check(&[model("a", Some(8192))]);
        assert_eq!(learned.window(&a, Some(8192)), Some(8192));
        learned.learn(&a, 6000, Some(8192));
        assert_eq!(learned.window(&a, Some(8192)), Some(6000));
        learned.learn(&a, 9000, Some(16_384));
        assert_eq!(learned.window(&a, Some(16_384)), Some(9000), "the box runs it in another way");
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let mut learned = Learned::default();
        for n in 0..100 {
            learned.learn(&id(&format!("m{n}")), 1000, None);
        }
        assert_eq!(learned.0.len(), MAX_LEARNED);
        assert_eq!((learned.window(&id("m83"), None), learned.window(&id("m84"), None)), (None, Some(1000)));
    }
}
