//! Latency, processor time and memory: every cell (plain or streamed, so many at a time) runs all targets one after the
//! other, and the order turns with each round, so that a drift of the machine hits all alike.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Targets;
use crate::process::{Usage, usage};
use crate::report::Spread;
use crate::request::{Sample, ask, body, post};
use crate::target::Target;

/// Nothing here takes so long, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);
/// Kinds of errors that are told.
const TOLD_ERRORS: usize = 5;
/// Each target is used for so long before anything counts.
const WARM_UP: Duration = Duration::from_millis(700);

#[derive(clap::Args, Debug)]
pub struct Options {
    #[command(flatten)]
    targets: Targets,
    #[arg(long, value_delimiter = ',', default_value = "plain,stream")]
    modes: Vec<Mode>,
    /// Requests at a time.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    at_once: Vec<usize>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Milliseconds of one target in one cell of one round.
    #[arg(long, default_value_t = 3000)]
    time: u64,
    #[arg(long, default_value_t = 400)]
    prompt_bytes: usize,
}

#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Plain,
    Stream,
}

/// One target in one cell.
#[derive(Debug, Serialize)]
pub struct Row {
    mode: Mode,
    at_once: usize,
    target: String,
    answers: usize,
    errors: u64,
    error_kinds: BTreeMap<String, u64>,
    /// Streams without their end, and answers without a body.
    broken: usize,
    answers_per_second: f64,
    first_millis: Option<Spread>,
    total_millis: Option<Spread>,
    cpu_micros_per_answer: Option<f64>,
    resident_mib: Option<f64>,
}

#[derive(Debug, Default)]
struct Samples {
    taken: Vec<Sample>,
    errors: BTreeMap<String, u64>,
    seconds: f64,
    cpu_micros: u64,
    resident_kib: u64,
}

pub async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let targets = &options.targets.list;
    let asked = |mode| body(&options.targets.model, options.prompt_bytes, mode == Mode::Stream);
    for target in targets {
        for mode in &options.modes {
            cell(target, &asked(*mode), &options.targets.key, (2, WARM_UP)).await;
        }
    }
    let mut found: BTreeMap<(Mode, usize, usize), Samples> = BTreeMap::new();
    let time = Duration::from_millis(options.time);
    for round in 0..options.rounds {
        for mode in &options.modes {
            let asked = asked(*mode);
            for at_once in &options.at_once {
                for turn in 0..targets.len() {
                    let at = (turn + round) % targets.len();
                    let samples = cell(&targets[at], &asked, &options.targets.key, (*at_once, time)).await;
                    found.entry((*mode, *at_once, at)).or_default().add(samples);
                }
            }
        }
    }
    let row =
        |((mode, at_once, at), samples): ((Mode, usize, usize), Samples)| samples.row(mode, at_once, &targets[at]);
    Ok(found.into_iter().map(row).collect())
}

/// So many at a time, each with its next request as soon as it has its answer, until the time is up. Those under way then
/// are answered and count.
async fn cell(target: &Target, asked: &Bytes, key: &str, (at_once, time): (usize, Duration)) -> Samples {
    let before = target.pid.map(usage).unwrap_or_default();
    let start = Instant::now();
    let mut askers = JoinSet::new();
    for _ in 0..at_once {
        askers.spawn(asker(target.clone(), asked.clone(), key.to_owned(), start + time));
    }
    let mut all = Samples::default();
    while let Some(samples) = askers.join_next().await {
        match samples {
            Ok(samples) => all.add(samples),
            Err(error) => all.count(&error.to_string()),
        }
    }
    all.seconds = start.elapsed().as_secs_f64();
    let Usage { cpu_micros, resident_kib } = target.pid.map(usage).unwrap_or_default();
    all.cpu_micros = cpu_micros.saturating_sub(before.cpu_micros);
    all.resident_kib = resident_kib;
    all
}

async fn asker(target: Target, asked: Bytes, key: String, until: Instant) -> Samples {
    let mut samples = Samples::default();
    let mut kept = None;
    while Instant::now() < until {
        let due = Instant::now();
        let outcome = timeout(DEADLINE, async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => target.connect().await?,
            };
            let (sample, again) = ask(&mut connection, post(&asked, &key)?, due).await?;
            Ok::<_, anyhow::Error>((sample, again.then_some(connection)))
        });
        match outcome.await {
            Ok(Ok((sample, connection))) => {
                kept = connection;
                samples.taken.push(sample);
            }
            Ok(Err(error)) => samples.count(&error.to_string()),
            Err(_) => samples.count("no answer in time"),
        }
    }
    samples
}

impl Samples {
    fn add(&mut self, other: Self) {
        self.taken.extend(other.taken);
        self.seconds += other.seconds;
        self.cpu_micros += other.cpu_micros;
        self.resident_kib = self.resident_kib.max(other.resident_kib);
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }

    fn count(&mut self, error: &str) {
        let known = self.errors.contains_key(error) || self.errors.len() < TOLD_ERRORS;
        *self.errors.entry(if known { error } else { "others" }.to_owned()).or_default() += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark fit")]
    fn row(self, mode: Mode, at_once: usize, target: &Target) -> Row {
        let answers = self.taken.len();
        let measured = target.pid.is_some();
        Row {
            mode,
            at_once,
            target: target.name.clone(),
            answers,
            errors: self.errors.values().sum(),
            error_kinds: self.errors,
            broken: self.taken.iter().filter(|sample| !sample.whole).count(),
            answers_per_second: answers as f64 / self.seconds,
            first_millis: Spread::of(self.taken.iter().map(|sample| sample.first).collect()),
            total_millis: Spread::of(self.taken.iter().map(|sample| sample.total).collect()),
            cpu_micros_per_answer: (measured && answers > 0).then(|| self.cpu_micros as f64 / answers as f64),
            resident_mib: measured.then(|| self.resident_kib as f64 / 1024.0),
        }
    }
}
