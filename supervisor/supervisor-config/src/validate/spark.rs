//! `[spark]`.

use std::collections::BTreeSet;

use platform_types::ModelId;
use platform_types::spark::{DEMO_MODEL, SparkLimits};

use super::network::{is_loopback, is_multicast_name};
use super::{Context, switch};
use crate::config::Spark;
use crate::path::KeyPath;
use crate::raw::RawSpark;

/// What the file says about the model box.
pub(super) enum Section {
    /// Nothing: the demo model answers.
    Absent,
    /// Something that was refused; `model` is the default model if that much was valid.
    Refused {
        model: Option<ModelId>,
    },
    Given(Box<Spark>),
}

impl Section {
    /// The model of bots that name none.
    pub(super) fn default_model(&self) -> Option<ModelId> {
        match self {
            Self::Absent => ModelId::new(DEMO_MODEL).ok(),
            Self::Refused { model } => model.clone(),
            Self::Given(spark) => Some(spark.model.clone()),
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) fn into_config(self) -> Option<Spark> {
        match self {
            Self::Absent | Self::Refused { .. } => None,
            Self::Given(spark) => Some(*spark),
        }
    }
}

/// `profiles` are the names that the file has.
pub(super) fn spark(raw: Option<RawSpark>, profiles: &BTreeSet<String>, context: &mut Context<'_>) -> Section {
    let path = KeyPath::of(["spark"]);
    let Some(RawSpark {
        url,
        model,
        key,
        concurrency,
        queue,
        connect_seconds,
        first_byte_seconds,
        idle_seconds,
        total_seconds,
        switch: way,
    }) = raw
    else {
        let written = context.report.document().contains(&path);
        return if written { Section::Refused { model: None } } else { Section::Absent };
    };
    let url = url.and_then(|url| base_url(&url, &path.key("url"), context));
    let model = model.and_then(|model| box_model(model, &path.key("model"), context));
    let key = key.and_then(|key| context.secret(key, &path.key("key")));
    let default = SparkLimits::default();
    let limits = SparkLimits {
        concurrency: concurrency.unwrap_or(default.concurrency),
        queue: queue.unwrap_or(default.queue),
        connect_seconds: connect_seconds.unwrap_or(default.connect_seconds),
        first_byte_seconds: first_byte_seconds.unwrap_or(default.first_byte_seconds),
        idle_seconds: idle_seconds.unwrap_or(default.idle_seconds),
        total_seconds: total_seconds.unwrap_or(default.total_seconds),
    };
    if let Some((name, fault)) = limits.fault() {
        let remedy = "Every other time is a part of total_seconds: raise that, or lower this one.";
        context.report.error(&path.key(name), fault, remedy);
    }
    let switch = way.and_then(|way| switch::switch(way, &path.key("switch"), (model.as_ref(), profiles), context));
    match (url, model) {
        (Some(url), Some(model)) => Section::Given(Box::new(Spark { url, model, key, limits, switch })),
        (_, model) => Section::Refused { model },
    }
}

/// A model of the box, which the demo model is not.
pub(super) fn box_model(model: String, path: &KeyPath, context: &mut Context<'_>) -> Option<ModelId> {
    if model == DEMO_MODEL {
        let message = format!("{DEMO_MODEL} is the built-in model, not one of the box");
        context.report.error(path, message, "Name a model that `botctl spark models` lists, or leave [spark] out.");
        return None;
    }
    context.named(ModelId::new(model), path)
}

fn base_url(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    let url = context.url(text, path)?;
    let base = url.as_str().trim_end_matches('/');
    if !base.ends_with("/v1") {
        context.report.error(path, format!("{text:?} does not end in /v1"), format!("Write \"{base}/v1\"."));
        return None;
    }
    if is_loopback(&url) {
        let message = "the container of spark does not reach the host's own loopback address";
        let remedy = "Let the model server listen on another address of this machine, and write that one.";
        context.report.warning(path, message, remedy);
    }
    if is_multicast_name(&url) {
        let message = "names in .local need multicast DNS, which containers do not have";
        context.report.warning(path, message, "Write the IP address, or the name in the tailnet.");
    }
    Some(base.to_owned())
}
