//! Numbers as `OpenMetrics` text, which Prometheus reads.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::catalogue::{ALL, Kind, Metric};
use super::samples::{Sample, Value};

/// What the answer says that it is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers as text, metric by metric in the order of the catalogue.
pub fn encode(samples: Vec<Sample>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Known(samples)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Known(Vec<Sample>);

impl Collector for Known {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for metric in ALL {
            let samples: Vec<&Sample> = self.0.iter().filter(|sample| sample.metric.name == metric.name).collect();
            if !samples.is_empty() {
                one(&mut encoder, metric, &samples)?;
            }
        }
        Ok(())
    }
}

fn one(encoder: &mut DescriptorEncoder, metric: &Metric, samples: &[&Sample]) -> fmt::Result {
    // The encoder ends a counter's name with `_total`.
    let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
    let kind = match metric.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    let mut encoder = encoder.encode_descriptor(name, metric.meaning, None, kind)?;
    for sample in samples {
        let labels: Vec<(&str, &str)> =
            metric.labels.iter().copied().zip(sample.labels.iter().map(String::as_str)).collect();
        if labels.is_empty() {
            number(&mut encoder, sample)?;
        } else {
            number(&mut encoder.encode_family(&labels)?, sample)?;
        }
    }
    Ok(())
}

fn number(encoder: &mut MetricEncoder, sample: &Sample) -> fmt::Result {
    match (sample.metric.kind, &sample.value) {
        (Kind::Counter, Value::Number(value)) => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
        (Kind::Gauge, Value::Number(value)) => encoder.encode_gauge(value),
        (Kind::Histogram, Value::Distribution { sum, count, buckets }) => {
            encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
        }
        (Kind::Counter | Kind::Gauge, Value::Distribution { .. }) | (Kind::Histogram, Value::Number(_)) => {
            Err(fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue;

    #[test]
    fn the_text() {
        let sample = |metric, labels: &[&str], value| Sample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value: Value::Number(value),
        };
        let spread = Sample {
            metric: &catalogue::SPARK_QUEUE_WAIT,
            labels: vec!["ops".to_owned()],
            value: Value::Distribution { sum: 1.5, count: 3, buckets: vec![(0.01, 2), (1.0, 1), (f64::INFINITY, 0)] },
        };
        let text = encode(vec![
            sample(&catalogue::TURNS, &["personal", "completed"], 3.0),
            sample(&catalogue::TURNS, &["personal", "failed"], 0.0),
            sample(&catalogue::WELL, &[], 1.0),
            spread,
        ]);
        assert_eq!(
            text.unwrap(),
            "# HELP bot_well 1 while everything desired is ready and nothing is under way.\n\
             # TYPE bot_well gauge\n\
             bot_well 1.0\n\
             # HELP bot_agent_turns Turns that ended: completed, failed, stopped, interrupted.\n\
             # TYPE bot_agent_turns counter\n\
             bot_agent_turns_total{profile=\"personal\",outcome=\"completed\"} 3.0\n\
             bot_agent_turns_total{profile=\"personal\",outcome=\"failed\"} 0.0\n\
             # HELP bot_spark_queue_wait_seconds How long requests waited for a place.\n\
             # TYPE bot_spark_queue_wait_seconds histogram\n\
             bot_spark_queue_wait_seconds_sum{profile=\"ops\"} 1.5\n\
             bot_spark_queue_wait_seconds_count{profile=\"ops\"} 3\n\
             bot_spark_queue_wait_seconds_bucket{le=\"0.01\",profile=\"ops\"} 2\n\
             bot_spark_queue_wait_seconds_bucket{le=\"1.0\",profile=\"ops\"} 3\n\
             bot_spark_queue_wait_seconds_bucket{le=\"+Inf\",profile=\"ops\"} 3\n\
             # EOF\n"
        );
    }
}
