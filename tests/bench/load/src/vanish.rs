//! A client leaves: how long until the box has seen it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::Targets;
use crate::report::Spread;
use crate::request::{Events, body, micros, post};
use crate::target::{Address, Target};

/// Whoever has not passed it on by then does not.
const PATIENCE: Duration = Duration::from_secs(5);
/// A client that leaves before the first byte waits so long for it: the request is at the box by then.
const BEFORE_FIRST: Duration = Duration::from_millis(150);

#[derive(clap::Args, Debug)]
pub struct Options {
    #[command(flatten)]
    targets: Targets,
    /// The box behind all of them.
    #[arg(long = "box", value_parser = crate::loopback)]
    model_box: SocketAddr,
    #[arg(long, default_value_t = 20)]
    times: usize,
    /// Leaves after so many events; 0: before the first byte.
    #[arg(long, default_value_t = 3)]
    events: u32,
    /// Asks for a plain answer.
    #[arg(long)]
    plain: bool,
}

#[derive(Debug, Serialize)]
pub struct Row {
    target: String,
    seen: usize,
    never: usize,
    millis: Option<Spread>,
}

pub async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let model_box = Target { name: "box".to_owned(), address: Address::Tcp(options.model_box), pid: None };
    let asked = body(&options.targets.model, 100, !options.plain);
    let mut rows = Vec::new();
    for target in &options.targets.list {
        let (mut took, mut never) = (Vec::new(), 0);
        for _ in 0..options.times {
            let before = aborted(&model_box).await?;
            leave(target, post(&asked, &options.targets.key)?, options.events).await?;
            match timeout(PATIENCE, seen(&model_box, before)).await {
                Ok(micros) => took.push(micros?),
                Err(_) => never += 1,
            }
        }
        rows.push(Row { target: target.name.clone(), seen: took.len(), never, millis: Spread::of(took) });
    }
    Ok(rows)
}

/// Asks, and closes the connection in the middle.
async fn leave(target: &Target, request: Request<Full<Bytes>>, after: u32) -> anyhow::Result<()> {
    let mut connection = target.connect().await?;
    let answer = connection.sender.send_request(request);
    if after == 0 {
        // The head of a stream may be there already: what counts is the first byte behind it.
        let first = async { answer.await?.into_body().frame().await.transpose() };
        anyhow::ensure!(timeout(BEFORE_FIRST, first).await.is_err(), "{} answered before the client left", target.name);
        return Ok(());
    }
    let mut body = answer.await?.into_body();
    let mut events = Events::default();
    while events.count < after {
        let Some(frame) = body.frame().await else { anyhow::bail!("{} ended its answer early", target.name) };
        if let Some(data) = frame?.data_ref() {
            events.take(data);
        }
    }
    Ok(())
}

async fn seen(model_box: &Target, before: u64) -> anyhow::Result<u64> {
    let left = Instant::now();
    while aborted(model_box).await? <= before {}
    Ok(micros(left))
}

async fn aborted(model_box: &Target) -> anyhow::Result<u64> {
    let mut connection = model_box.connect().await?;
    let request = Request::get("/stats").header(http::header::HOST, "localhost").body(Full::default())?;
    let answer = connection.sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    let stats: Value = serde_json::from_slice(&answer)?;
    stats["aborted"].as_u64().ok_or_else(|| anyhow::anyhow!("the box does not count"))
}
