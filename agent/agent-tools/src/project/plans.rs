//! `plan.write`, `plan.show`, `plan.list`: plans and change requests in the bot's own output folder.

use std::sync::Arc;

use agent_core::prompt::Risk;
use agent_workspace::Plans;
use agent_workspace::plans::{Form, Touched};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apart::apart;
use crate::lenient::Lines;
use crate::notes::hand;
use crate::tool::{Context, Pending, Tool};

/// Plans that a list gives.
const MAX_LISTED: usize = 50;

/// Writes a plan.
#[derive(Debug)]
pub struct PlanWrite(pub Arc<Plans>);
/// Shows a plan.
#[derive(Debug)]
pub struct PlanShow(pub Arc<Plans>);
/// Lists plans.
#[derive(Debug)]
pub struct PlanList(pub Arc<Plans>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Plan,
    #[serde(alias = "change request")]
    ChangeRequest,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteArguments {
    kind: Kind,
    title: String,
    goal: String,
    steps: Lines,
    /// Files to touch.
    #[serde(default)]
    files: Vec<FileArgument>,
    #[serde(default)]
    risks: Lines,
    /// Open questions.
    #[serde(default)]
    questions: Lines,
    /// How one sees that it is done.
    acceptance: Lines,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileArgument {
    path: String,
    /// It does not exist yet.
    #[serde(default)]
    new: bool,
    #[serde(default)]
    why: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowArguments {
    name: String,
    /// An earlier version.
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {}

#[derive(Debug, Serialize)]
pub struct Written {
    name: String,
    file: String,
    /// The version that holds the text as it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_version: Option<u32>,
}

#[derive(Debug, Serialize)]
pub struct Shown {
    name: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_versions: Vec<u32>,
}

#[derive(Debug, Serialize)]
pub struct Listed {
    plans: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<usize>,
}

impl Tool for PlanWrite {
    type Arguments = WriteArguments;
    type Output = Written;

    const NAME: &'static str = "plan.write";
    const DESCRIPTION: &'static str = "Writes a plan. The same title replaces it; the earlier version is kept.";
    const RISK: Risk = Risk::Own;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: WriteArguments, context: &'a Context) -> Pending<'a, Written> {
        let (plans, bot, hand) = (self.0.clone(), context.bot.clone(), hand(context));
        Box::pin(apart(move || {
            let WriteArguments { kind, title, goal, steps, files, risks, questions, acceptance } = arguments;
            let touched = |FileArgument { path, new, why }| Touched { path, is_new: new, why };
            let form = Form {
                is_change_request: matches!(kind, Kind::ChangeRequest),
                title,
                goal,
                steps: steps.0,
                files: files.into_iter().map(touched).collect(),
                risks: risks.0,
                questions: questions.0,
                acceptance: acceptance.0,
            };
            let written = plans.write(&bot, form, &hand)?;
            Ok(Written { name: written.name.to_string(), file: written.file, earlier_version: written.replaced })
        }))
    }
}

impl Tool for PlanShow {
    type Arguments = ShowArguments;
    type Output = Shown;

    const NAME: &'static str = "plan.show";
    const DESCRIPTION: &'static str = "Shows a plan.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: ShowArguments, context: &'a Context) -> Pending<'a, Shown> {
        let (plans, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let shown = plans.show(&bot, &arguments.name, arguments.version)?;
            let earlier_versions = shown.versions.iter().map(|version| version.n).collect();
            Ok(Shown { name: shown.name.to_string(), text: shown.text, earlier_versions })
        }))
    }
}

impl Tool for PlanList {
    type Arguments = ListArguments;
    type Output = Listed;

    const NAME: &'static str = "plan.list";
    const DESCRIPTION: &'static str = "Lists the plans, the newest first.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, _: ListArguments, context: &'a Context) -> Pending<'a, Listed> {
        let (plans, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let names = plans.list(&bot)?;
            let of = (names.len() > MAX_LISTED).then_some(names.len());
            Ok(Listed { plans: names.iter().take(MAX_LISTED).map(ToString::to_string).collect(), of })
        }))
    }
}
