//! Every metric: its name, what it is and what it means. The reference is written from here.

/// Whether a number can go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process that counts is started again. Its name ends in `_total`.
    Counter,
    Gauge,
    /// Counts by upper bound, and a sum.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub meaning: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $meaning:literal;)*) => {
        $(pub const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], meaning: $meaning };)*

        /// All of them, in the order of the reference.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    BUILD_INFO = Gauge "bot_build_info" ["version"] "Always 1; the supervisor's version.";
    UP_SECONDS = Gauge "bot_supervisor_uptime_seconds" [] "Time since the supervisor started.";
    WELL = Gauge "bot_well" [] "1 while everything desired is ready and nothing is under way.";
    ENGINE_UP = Gauge "bot_engine_up" [] "1 while Docker answers.";
    UNAPPLIED = Gauge "bot_files_unapplied" [] "1 while the files on the disk are not the ones in force.";
    PASSES = Counter "bot_reconcile_passes_total" [] "Passes of the loop since the supervisor started.";
    PASS_SECONDS = Gauge "bot_reconcile_duration_seconds" [] "How long the last pass took.";
    EVENTS = Counter "bot_events_total" ["kind", "profile", "role"] "Events ever recorded; kind `restart` counts restarts.";
    READY = Gauge "bot_target_ready" ["profile", "role"] "1 while all probes of the target are well.";
    CONDITION = Gauge "bot_target_condition" ["profile", "role", "condition"] "1 for the condition that the target is in.";
    FAILURES = Gauge "bot_target_failures" ["profile", "role"] "Failures that still count towards back-off and quarantine.";
    QUARANTINED = Gauge "bot_target_quarantined" ["profile", "role"] "1 while the target is left alone after repeated failures.";
    STARTED = Gauge "bot_container_start_time_seconds" ["profile", "role"] "When the container's latest process started, in seconds since 1970.";
    GENERATION = Gauge "bot_agent_generation" ["profile"] "The highest generation ever given to an agent of the profile.";
    PROBE_SECONDS = Gauge "bot_probe_latency_seconds" ["profile", "role"] "Round trip of the latest answered probe.";
    DEVICES = Gauge "bot_devices" ["profile"] "Devices that may chat.";
    PAIRING_REQUESTS = Gauge "bot_pairing_requests" ["profile"] "Requests to pair that wait for the operator.";
    TOKENS = Gauge "bot_tokens" ["profile"] "Script tokens in use.";
    SNAPSHOT_TIME = Gauge "bot_snapshot_timestamp_seconds" ["profile"] "When the newest complete snapshot was taken, in seconds since 1970.";
    SNAPSHOT_AGE = Gauge "bot_snapshot_age_seconds" ["profile"] "How old the newest complete snapshot is.";
    SNAPSHOT_BYTES = Gauge "bot_snapshot_bytes" ["profile"] "Size of the newest complete snapshot.";
    SNAPSHOT_STALE = Gauge "bot_snapshot_stale" ["profile"] "1 while the newest complete snapshot is too old, or there is none.";
    SNAPSHOT_FAILURES = Gauge "bot_snapshot_failures" ["profile"] "Snapshots by the clock that came to nothing, in a row; 0 after one was taken.";
    SCRAPED = Gauge "bot_status_up" ["profile", "role"] "1 when the container told its numbers for this scrape; they are absent otherwise.";
    SESSIONS = Gauge "bot_agent_sessions" ["profile"] "Sessions.";
    MESSAGES = Gauge "bot_agent_messages" ["profile"] "Stored messages.";
    DATABASE_BYTES = Gauge "bot_agent_database_bytes" ["profile"] "Size of the agent's database.";
    TURNS_RUNNING = Gauge "bot_agent_turns_running" ["profile"] "Turns that run now.";
    TURNS = Counter "bot_agent_turns_total" ["profile", "outcome"] "Turns that ended: completed, failed, stopped, interrupted.";
    FIRST_TOKENS = Counter "bot_agent_first_tokens_total" ["profile"] "Turns that received a first token.";
    FIRST_TOKEN_SECONDS = Counter "bot_agent_first_token_wait_seconds_total" ["profile"] "Time waited for first tokens; divided by their number it is the mean time to first token.";
    AGENT_TOKENS = Counter "bot_agent_tokens_total" ["profile", "direction"] "Tokens of the profile's turns: input, output.";
    TOOL_CALLS = Counter "bot_agent_tool_calls_total" ["profile", "decision"] "Tool calls: allowed, denied.";
    CRON_JOBS = Gauge "bot_agent_cron_jobs" ["profile", "state"] "Jobs by the clock, by what they are: active, paused.";
    CRON_TROUBLED = Gauge "bot_agent_cron_troubled" ["profile"] "Jobs whose latest due time was missed, whose latest run did not complete, or was not delivered.";
    CRON_FIRED = Counter "bot_agent_cron_fired_total" ["profile"] "Runs that were fired.";
    CRON_FINISHED = Counter "bot_agent_cron_finished_total" ["profile", "outcome"] "Runs that ended: completed, failed (stopped and cut off ones included).";
    CRON_DELIVERED = Counter "bot_agent_cron_delivered_total" ["profile", "outcome"] "What runs said: delivered, failed.";
    CRON_PASSED_OVER = Counter "bot_agent_cron_passed_over_total" ["profile", "why"] "Due times at which nothing was fired: missed (also where one run was fired later), skipped (the run before was not over).";
    CONNECTIONS = Gauge "bot_gate_connections" ["profile"] "Open connections.";
    WEBSOCKETS = Gauge "bot_gate_websockets" ["profile"] "Open WebSockets.";
    WAITING = Gauge "bot_gate_waiting" ["profile"] "Requests that wait at a held door.";
    REQUESTS = Counter "bot_gate_requests_total" ["profile"] "Requests.";
    REFUSED = Counter "bot_gate_refused_total" ["profile"] "Refused before authentication: foreign Host or Origin, malformed, over a limit.";
    DENIED = Counter "bot_gate_denied_total" ["profile"] "Refused by authentication.";
    SPARK_REQUESTS = Counter "bot_spark_requests_total" [] "Completions asked for.";
    SPARK_ERRORS = Counter "bot_spark_errors_total" [] "Completions that failed.";
    SPARK_CANCELLED = Counter "bot_spark_cancelled_total" [] "Completions whose client went away.";
    SPARK_ESTIMATED = Counter "bot_spark_estimated_total" [] "Answers whose tokens were estimated, because the server did not tell.";
    SPARK_INFLIGHT = Gauge "bot_spark_inflight" [] "Completions that run now.";
    SPARK_TOKENS = Counter "bot_spark_tokens_total" ["direction"] "Tokens through spark: input, output.";
    SPARK_RUNNING = Gauge "bot_spark_running" ["profile"] "Requests with a place at the model box.";
    SPARK_QUEUE = Gauge "bot_spark_queue_depth" ["profile", "priority"] "Requests that wait for a place: chat, cron.";
    SPARK_OLDEST = Gauge "bot_spark_queue_oldest_seconds" ["profile"] "How long the oldest of them waits.";
    SPARK_ADMITTED = Counter "bot_spark_admitted_total" ["profile"] "Requests that got a place, at once or after waiting.";
    SPARK_QUEUE_FULL = Counter "bot_spark_queue_full_total" ["profile"] "Requests that found the queue full, or waited in vain.";
    SPARK_QUEUE_WAIT = Histogram "bot_spark_queue_wait_seconds" ["profile"] "How long requests waited for a place.";
    SPARK_OVERHEAD = Histogram "bot_spark_overhead_seconds" [] "Spark's own share: from a request's last byte until it goes to the box, without the queue. Asking for a fresh list of models is part of it.";
    SPARK_REFUSED = Counter "bot_spark_refused_total" ["profile", "code"] "Requests that were refused before they were sent.";
    SPARK_CANCELS = Counter "bot_spark_cancels_total" ["phase"] "Requests whose client went away: queued, waiting for the first byte, streaming.";
    SPARK_BREAKER = Gauge "bot_spark_breaker_open" [] "1 while no connection to the model box can be made, and requests are refused at once.";
    SPARK_SWITCHES = Counter "bot_spark_switches_total" ["outcome"] "Switches of the model box that ended: done, nothing_done, failed, unknown; absent where no switch is configured.";
    SPARK_SWITCH_SECONDS = Histogram "bot_spark_switch_duration_seconds" ["outcome"] "How long they took, from the permission to the end.";
    SPARK_SWITCHING = Gauge "bot_spark_switch_running" [] "1 while one runs.";
    SPARK_SWITCH_PENDING = Gauge "bot_spark_switch_confirmations_pending" ["profile"] "Switches that wait for a person, by the profile that asked; empty for the operator.";
    GENAI_DURATION = Histogram "gen_ai_client_operation_duration_seconds" ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type", "profile"] "From sending a request to the model box to the end of its answer.";
    GENAI_FIRST = Histogram "gen_ai_client_operation_time_to_first_chunk_seconds" ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type", "profile"] "From sending it to the first byte of a streamed answer.";
    GENAI_CHUNK = Histogram "gen_ai_client_operation_time_per_output_chunk_seconds" ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type", "profile"] "Between two chunks of a streamed answer, as they arrive; those that arrive together have no time between them.";
    GENAI_TOKENS = Histogram "gen_ai_client_token_usage" ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type", "profile"] "Tokens of a request: input, output.";
    GENAI_CACHED = Counter "gen_ai_client_inference_usage_cache_read_input_tokens_total" ["gen_ai_provider_name", "gen_ai_request_model", "profile"] "Input tokens that the server read from its prompt cache, where it tells.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = BTreeSet::new();
        for metric in ALL {
            let name = metric.name;
            assert!(seen.insert(name), "{name} is there twice");
            // `gen_ai_` are OpenTelemetry's names.
            assert!(name.starts_with("bot_") || name.starts_with("gen_ai_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
            assert!(metric.meaning.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn the_reference_lists_every_metric() {
        let page = include_str!("../../../../docs/reference/metrics.md");
        let listed: Vec<&str> =
            page.lines().filter(|line| line.starts_with("| `bot_") || line.starts_with("| `gen_ai_")).collect();
        let expected: Vec<String> = ALL.iter().map(row).collect();
        assert_eq!(listed, expected, "write this into docs/reference/metrics.md:\n{}", expected.join("\n"));
    }

    fn row(metric: &Metric) -> String {
        let Metric { name, kind, labels, meaning } = metric;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {kind} | {} | {meaning} |", labels.join(", "))
    }
}
