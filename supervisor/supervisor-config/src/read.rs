//! From text to [`Config`]: parse, fit to the schema, validate.

use crate::config::Config;
use crate::document::Document;
use crate::finding::Finding;
use crate::path::KeyPath;
use crate::report::Report;
use crate::surroundings::Surroundings;
use crate::validate::{self, Context};
use crate::{schema, shape};

/// What a text amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `None` when there is an error among the findings.
    pub config: Option<Config>,
    /// Errors and warnings, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads the text of a `platform.toml` and says everything there is to say about it.
pub fn read(text: &str, surroundings: &Surroundings) -> Reading {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(findings) => return Reading { config: None, findings },
    };
    let mut report = Report::new(&document);
    let fitting = shape::fit(schema::shared(), &mut report);
    let mut context = Context { surroundings, report };
    let config = match serde_json::from_value(fitting) {
        Ok(raw) => validate::config(raw, &mut context),
        Err(error) => {
            let remedy = "Report this as a bug: the schema let something pass that the structs refuse.";
            context.report.error(&KeyPath::top(), error.to_string(), remedy);
            None
        }
    };
    let config = config.filter(|_| !context.report.has_errors());
    Reading { config, findings: context.report.finish() }
}

impl Config {
    /// [`read`] for those who only want to know whether it can be used: the findings of an error hold the warnings too.
    pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Self, Vec<Finding>> {
        let Reading { config, findings } = read(text, surroundings);
        config.ok_or(findings)
    }
}
