//! Images: which are there, and what containers inherit from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use bollard::models::ImageInspect;
use supervisor_plan::spec::ImageId;

use crate::engine::Engine;
use crate::error::{EngineError, Operation};

/// Images stay the same under their id, so what was learned is kept; more than a few dozen never come together.
const MAX_REMEMBERED_IMAGES: usize = 64;

/// What a container inherits from its image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFacts {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `NAME=value`.
    pub environment: BTreeSet<String>,
    pub labels: BTreeMap<String, String>,
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct ImageMemory(Mutex<HashMap<ImageId, Arc<ImageFacts>>>);

impl ImageMemory {
    fn get(&self, id: &ImageId) -> Option<Arc<ImageFacts>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).cloned()
    }

    fn put(&self, id: ImageId, facts: Arc<ImageFacts>) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED_IMAGES {
            known.clear();
        }
        known.insert(id, facts);
    }
}

impl Engine {
    /// Whether the engine has an image under this id.
    pub async fn has_image(&self, id: &ImageId) -> Result<bool, EngineError> {
        match self.inspect_image(id).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What containers inherit from an image, remembered after the first time.
    pub async fn image_facts(&self, id: &ImageId) -> Result<Arc<ImageFacts>, EngineError> {
        if let Some(known) = self.images().get(id) {
            return Ok(known);
        }
        let facts = Arc::new(facts(self.inspect_image(id).await?));
        self.images().put(id.clone(), facts.clone());
        Ok(facts)
    }

    async fn inspect_image(&self, id: &ImageId) -> Result<ImageInspect, EngineError> {
        let subject = format!("image {}", id.0);
        self.timed(Operation::Inspect, &subject, self.api()?.inspect_image(&id.0)).await
    }
}

fn facts(image: ImageInspect) -> ImageFacts {
    let config = image.config.unwrap_or_default();
    ImageFacts {
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        environment: config.env.unwrap_or_default().into_iter().collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        bytes: image.size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
    }
}
