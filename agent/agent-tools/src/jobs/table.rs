//! The table: its rows, questions to it, and its refusals in words.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use platform_types::text::neutral_cut;
use platform_types::ways::{JOB_COLUMNS, Jobs};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::egress::Egress;
use crate::exchange::{self, Answer, NoAnswer, Wish};
use crate::tool::{Context, ToolError};

/// Longest error text of a job that a model gets, in characters.
const MAX_ERROR_CHARS: usize = 300;
/// A UUID, or a number.
const MAX_ID_CHARS: usize = 36;

/// A job, as the gate lets it through.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub status: String,
    #[serde(default)]
    pub attempts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "shortened")]
    pub last_error: Option<String>,
    #[serde(default)]
    pub updated_at: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn shortened<S: Serializer>(error: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(|error| neutral_cut(error, MAX_ERROR_CHARS)).serialize(serializer)
}

/// The id of a job: a whole number, or a text such as a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobId {
    Number(i64),
    Text(String),
}

impl JsonSchema for JobId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "JobId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"] })
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl JobId {
    /// The id as it can stand in a filter: letters, digits and `-`.
    pub fn checked(&self) -> Result<String, ToolError> {
        let text = self.to_string();
        let text = text.trim().trim_start_matches('#');
        let fits = (1..=MAX_ID_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if fits {
            Ok(text.to_owned())
        } else {
            Err(ToolError(format!("{:?} is not the id of a job", neutral_cut(text, 40))))
        }
    }
}

/// The table of a profile's jobs.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    pub egress: &'a Egress,
    pub jobs: &'a Jobs,
    pub context: &'a Context,
}

/// The jobs of the profile.
pub fn jobs(context: &Context) -> Result<&Jobs, ToolError> {
    context.jobs.as_ref().ok_or_else(|| ToolError("this profile has no upstream for jobs".to_owned()))
}

/// Query keys and their values.
pub type Query = BTreeMap<String, String>;

impl Table<'_> {
    /// Rows that fit the filters.
    pub async fn rows(&self, filters: &[(&str, String)]) -> Result<Vec<Job>, ToolError> {
        let wish = Wish { query: self.query(filters), ..Wish::get(self.path()) };
        match self.ask(wish).await.map_err(|error| told(&error))? {
            Answer { status: 200 | 206, body: Some(body) } => read(body),
            Answer { status, .. } => Err(refused(status)),
        }
    }

    /// One row; `None` where it is not there, or of a kind that is not let through.
    pub async fn row(&self, id: &str) -> Result<Option<Job>, ToolError> {
        let found = self.rows(&[("id", format!("eq.{id}")), ("limit", "1".to_owned())]).await?;
        Ok(found.into_iter().next())
    }

    pub async fn ask(&self, wish: Wish) -> Result<Answer, NoAnswer> {
        exchange::run(self.egress, &self.jobs.upstream, wish, self.context).await
    }

    pub fn path(&self) -> String {
        format!("/rest/v1/{}", self.jobs.table)
    }

    /// The fixed columns, the allowed kinds, and these filters.
    pub fn query(&self, filters: &[(&str, String)]) -> Query {
        let fixed = [("select", Some(JOB_COLUMNS.join(","))), ("kind", Jobs::kind_filter(&self.jobs.kinds))];
        let fixed = fixed.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        fixed.chain(filters.iter().map(|(key, value)| ((*key).to_owned(), value.clone()))).collect()
    }
}

/// Rows out of an answer.
pub fn read(body: Value) -> Result<Vec<Job>, ToolError> {
    serde_json::from_value(body).map_err(|_| {
        ToolError("the database gave an answer that is not understood: its table may have other columns".to_owned())
    })
}

/// There is no such row, in words.
pub fn unknown(id: &str, jobs: &Jobs) -> ToolError {
    let kinds = if jobs.kinds.is_empty() { String::new() } else { format!(" of the kinds {}", jobs.kinds.join(", ")) };
    ToolError(format!("there is no job {id}{kinds} that may be seen here"))
}

/// No answer of the database, in words.
pub fn told(error: &NoAnswer) -> ToolError {
    if error.is_unreachable() {
        return ToolError(format!("the database cannot be reached; try again in a minute ({error})"));
    }
    ToolError(error.to_string())
}

/// A status that says no, in words.
pub fn refused(status: u16) -> ToolError {
    let words = match status {
        400 => "the table does not have what is asked for: its columns or statuses are others (400)",
        401 => {
            "the database does not accept the key, or its role may not do this: the operator has to look at it (401)"
        }
        403 => "the role of the key may not do this (403)",
        404 => "there is no such table or function (404)",
        503 | 504 => "the database behind the server does not answer; try again in a minute",
        _ => return ToolError(format!("the database gave no result ({status})")),
    };
    ToolError(words.to_owned())
}
