//! An admitted request, carried out: the credential fetched, the answer filtered.

use bytes::Bytes;
use gate_rules::Admitted;
use http::{Method, StatusCode};
use platform_kit::{Failure, Secret, secret};
use platform_types::ErrorCode;
use platform_types::egress::{AnswerFilter, Credential};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::connect::Connector;
use super::outgoing::{self, Lost, Plain, Reply};
use super::resolve::SharedResolver;
use super::ways::Way;
use crate::gate::Paths;
use crate::limits::{EgressLimits, MAX_EGRESS_REQUESTS};

/// Sends requests.
#[derive(Debug)]
pub struct Outside {
    connector: Connector,
    secrets: std::path::PathBuf,
    limits: EgressLimits,
    under_way: Semaphore,
}

impl Outside {
    pub fn new(paths: &Paths, resolver: SharedResolver, limits: EgressLimits) -> Self {
        Self {
            connector: Connector::new(resolver, limits.clone()),
            secrets: paths.secrets.clone(),
            limits,
            under_way: Semaphore::new(MAX_EGRESS_REQUESTS),
        }
    }

    /// Carries out what a rule allows.
    pub async fn perform(&self, way: &Way, admitted: &Admitted) -> Result<Reply, Lost> {
        let (reply, secrets) = self.send(way, plain(admitted)).await?;
        let rule = way.upstream.rules.get(admitted.rule);
        let filter = rule.map_or(&AnswerFilter::Status, |rule| &rule.answer);
        let reply = filtered(filter, reply).map_err(Lost::After)?;
        // The filter has written JSON anew: what was escaped in it may now be readable.
        Ok(Reply { body: outgoing::stripped(&secrets, &reply.body).into(), ..reply })
    }

    /// An answer with updates as the upstream gave it, the secrets taken out: for [`crate::senders`], and not for the agent.
    /// What is made of it goes through [`outgoing::stripped`] once more.
    pub async fn updates(&self, way: &Way, admitted: &Admitted) -> Result<(Reply, Vec<Secret<String>>), Lost> {
        self.send(way, plain(admitted)).await
    }

    /// Sends what the gate itself says; the status of the answer.
    pub async fn say(&self, way: &Way, path: &str, body: &serde_json::Value) -> Result<StatusCode, Lost> {
        let plain = Plain {
            method: Method::POST,
            path: path.to_owned(),
            query: String::new(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Bytes::from(body.to_string()),
        };
        Ok(self.send(way, plain).await?.0.status)
    }

    /// Asks for a fact: `target` comes from the rule, `pointer` says where in the answer it is. The secrets are taken out.
    pub async fn fact(&self, way: &Way, target: &str, pointer: &str) -> Result<Value, String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = vec![("accept".to_owned(), "application/json".to_owned())];
        let (path, query) = (path.to_owned(), query.to_owned());
        let plain = Plain { method: Method::GET, path, query, headers, body: Bytes::new() };
        let (reply, secrets) = self.send(way, plain).await.map_err(|lost| lost.failure().message)?;
        let value = read(&reply, pointer)?;
        // What was escaped in the answer is readable now.
        let text = outgoing::stripped(&secrets, value.to_string().as_bytes());
        serde_json::from_slice(&text).map_err(|_| "the answer is not JSON".to_owned())
    }

    /// Why an upstream's credential cannot be used.
    pub fn problem(&self, way: &Way) -> Option<String> {
        self.secrets(way).err().map(|failure| failure.message)
    }

    async fn send(&self, way: &Way, plain: Plain) -> Result<(Reply, Vec<Secret<String>>), Lost> {
        let gone = |_| Lost::Before(Failure::new(ErrorCode::Internal, "the gate is stopping"));
        let _place = self.under_way.acquire().await.map_err(gone)?;
        let secrets = self.secrets(way).map_err(Lost::Before)?;
        let reply = outgoing::exchange(&self.connector, way, &secrets, plain, &self.limits).await?;
        Ok((reply, secrets))
    }

    /// Read each time: a rotated secret counts at once.
    fn secrets(&self, way: &Way) -> Result<Vec<Secret<String>>, Failure> {
        let names = way.upstream.credential.iter().flat_map(Credential::secrets);
        let read = names.map(|name| {
            secret::read(&self.secrets.join(name.as_str())).map_err(|error| {
                let message = format!("the credential of {} cannot be used: {error}", way.upstream.name);
                Failure::new(ErrorCode::UpstreamUnauthorized, message)
            })
        });
        read.collect()
    }
}

fn read(reply: &Reply, pointer: &str) -> Result<Value, String> {
    if !reply.status.is_success() {
        return Err(format!("status {}", reply.status.as_u16()));
    }
    let value: Value = serde_json::from_slice(&reply.body).map_err(|_| "the answer is not JSON")?;
    value.pointer(pointer).cloned().ok_or_else(|| "the answer does not have it".to_owned())
}

fn plain(admitted: &Admitted) -> Plain {
    Plain {
        method: method(admitted.method),
        path: admitted.path.clone(),
        query: admitted.query.clone(),
        headers: admitted.headers.clone(),
        body: Bytes::from(admitted.body.clone().unwrap_or_default()),
    }
}

fn filtered(filter: &AnswerFilter, reply: Reply) -> Result<Reply, Failure> {
    let mut filter = filter;
    let mut body = gate_rules::filter(filter, &reply.body);
    // An error of the upstream need not have the members that a good answer has.
    if !reply.status.is_success()
        && *filter != AnswerFilter::Whole
        && !body.as_ref().is_ok_and(|kept| kept.starts_with(b"{\""))
    {
        filter = &AnswerFilter::Status;
        body = Ok(Vec::new());
    }
    let body = body.map_err(|unfit| Failure::new(ErrorCode::UpstreamInvalid, unfit.to_string()))?;
    let content_type = match filter {
        AnswerFilter::Whole => reply.content_type,
        AnswerFilter::Members { .. } | AnswerFilter::Updates => Some("application/json".to_owned()),
        AnswerFilter::Status => None,
    };
    Ok(Reply { status: reply.status, content_type, body: Bytes::from(body) })
}

fn method(method: platform_types::egress::Method) -> Method {
    use platform_types::egress::Method as Allowed;
    match method {
        Allowed::Get => Method::GET,
        Allowed::Post => Method::POST,
        Allowed::Put => Method::PUT,
        Allowed::Patch => Method::PATCH,
        Allowed::Delete => Method::DELETE,
    }
}
