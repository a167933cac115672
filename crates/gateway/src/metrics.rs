//! Counters for `/metrics`, in the Prometheus text format.

use std::sync::atomic::AtomicU64;

use bartizan_core::{Action, Direction, Family as RuleFamily, Protocol, RuleId, TenantId, Used, Verdict};
use bartizan_guard::{Compared, Spent, Work};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0)
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DecisionLabels {
    protocol: Word,
    direction: Word,
    verdict: Word,
    action: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SignalLabels {
    signal: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResponseLabels {
    signal: Word,
    then: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    kind: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DirectionLabels {
    direction: Word,
}

/// A guard is a rule family.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct GuardLabels {
    guard: Word,
    direction: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CandidateLabels {
    direction: Word,
    live: Word,
    candidate: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChangeLabels {
    rule: String,
    change: Word,
}

/// What one guard did.
#[derive(Default)]
struct Guards {
    seconds: Family<GuardLabels, Counter<f64, AtomicU64>>,
    findings: Family<GuardLabels, Counter>,
    timeouts: Family<GuardLabels, Counter>,
    failed_open: Family<GuardLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: Word,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CallerLabels {
    tenant: String,
    key: String,
}

/// Most callers that have counters of their own.
const CALLERS: usize = 1000;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DigestLabels {
    digest: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SinkLabels {
    sink: String,
}

/// All metrics of a gateway.
pub struct Metrics {
    registry: Registry,
    decisions: Family<DecisionLabels, Counter>,
    findings: Family<RuleLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    failed_open: Counter,
    lapsed: Counter,
    /// Requests in flight.
    pub in_flight: Gauge,
    guard_seconds: Family<DirectionLabels, Histogram>,
    delivered: Family<SinkLabels, Counter>,
    delivery_failures: Family<SinkLabels, Counter>,
    delivery_position: Family<SinkLabels, Gauge>,
    held: Histogram,
    reloads: Family<ResultLabels, Counter>,
    reloaded: Gauge,
    config: Family<DigestLabels, Gauge>,
    charged: Family<CallerLabels, Counter>,
    tokens: Family<CallerLabels, Counter>,
    callers: Mutex<HashSet<CallerLabels>>,
    guards: Guards,
    segments: Family<ResultLabels, Counter>,
    candidate: Family<CandidateLabels, Counter>,
    changes: Family<ChangeLabels, Counter>,
    abuse: Family<SignalLabels, Counter>,
    abuse_responses: Family<ResponseLabels, Counter>,
    watched: Gauge,
    forgotten: Gauge,
    queue: Gauge,
    lag: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bartizan");
        let guard_seconds = Family::<DirectionLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(16e-6, 2.0, 14))
        });
        let metrics = Self {
            decisions: Family::default(),
            findings: Family::default(),
            errors: Family::default(),
            failed_open: Counter::default(),
            lapsed: Counter::default(),
            in_flight: Gauge::default(),
            held: Histogram::new([0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0]),
            guard_seconds,
            reloads: Family::default(),
            reloaded: Gauge::default(),
            config: Family::default(),
            charged: Family::default(),
            tokens: Family::default(),
            callers: Mutex::default(),
            delivered: Family::default(),
            delivery_failures: Family::default(),
            delivery_position: Family::default(),
            guards: Guards::default(),
            segments: Family::default(),
            candidate: Family::default(),
            changes: Family::default(),
            abuse: Family::default(),
            abuse_responses: Family::default(),
            watched: Gauge::default(),
            forgotten: Gauge::default(),
            queue: Gauge::default(),
            lag: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register(
            "exceptions_lapsed",
            "Exceptions that are configured and do not hold any more",
            metrics.lapsed.clone(),
        );
        registry.register("sink_records", "Records that a sink acknowledged", metrics.delivered.clone());
        registry.register("sink_failures", "Deliveries to a sink that failed", metrics.delivery_failures.clone());
        registry.register(
            "sink_position",
            "Position in the evidence chain behind the last record that a sink acknowledged",
            metrics.delivery_position.clone(),
        );
        registry.register("decisions", "Decisions about requests and replies", metrics.decisions.clone());
        registry.register("findings", "Findings by rule", metrics.findings.clone());
        registry.register("errors", "Requests that failed, by kind", metrics.errors.clone());
        registry.register(
            "failed_open",
            "Bodies let through unread because the configuration says so",
            metrics.failed_open.clone(),
        );
        registry.register("requests_in_flight", "Requests in flight", metrics.in_flight.clone());
        registry.register(
            "guard_seconds",
            "Time spent on parsing, scanning and deciding",
            metrics.guard_seconds.clone(),
        );
        registry.register("stream_held_bytes", "Bytes held back after each piece of a stream", metrics.held.clone());
        registry.register("config_reloads", "Configurations read, by result", metrics.reloads.clone());
        registry.register(
            "config_last_reload_success_timestamp",
            "When the configuration in force was taken, in seconds since 1970",
            metrics.reloaded.clone(),
        );
        registry.register("charged_requests", "Requests sent, by tenant and key", metrics.charged.clone());
        registry.register("tokens", "Tokens in and out, by tenant and key", metrics.tokens.clone());
        registry.register("config_info", "The configuration in force, by its digest", metrics.config.clone());
        let guards = &metrics.guards;
        registry.register("guard_scan_seconds", "Time inside the detectors of a guard", guards.seconds.clone());
        registry.register("guard_findings", "Findings by guard", guards.findings.clone());
        registry.register("guard_timeouts", "Bodies that a guard had too little time for", guards.timeouts.clone());
        registry.register(
            "guard_failed_open",
            "Bodies that passed although a guard had too little time for them",
            guards.failed_open.clone(),
        );
        registry.register("segment_bytes", "Bytes of text scanned anew, and known already", metrics.segments.clone());
        registry.register("candidate_decisions", "Verdicts of both policies", metrics.candidate.clone());
        registry.register(
            "candidate_changes",
            "Bodies that the candidate would block, or let pass, other than the policy in force, by rule",
            metrics.changes.clone(),
        );
        registry.register("abuse_alerts", "Signals raised about the use of a key", metrics.abuse.clone());
        registry.register(
            "abuse_responses",
            "Requests that something was done about because of a raised signal",
            metrics.abuse_responses.clone(),
        );
        registry.register("watched_keys", "Keys whose use is watched", metrics.watched.clone());
        registry.register(
            "watched_keys_evicted",
            "Keys whose use was forgotten to make room, since the start",
            metrics.forgotten.clone(),
        );
        registry.register("scan_queue", "Large bodies that wait for a core", metrics.queue.clone());
        registry.register("lag_seconds", "How late the program is with what it had planned", metrics.lag.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// The counters of a sink.
    #[must_use]
    pub fn sink(&self, name: &str) -> bartizan_sinks::Counts {
        let labels = SinkLabels { sink: name.to_owned() };
        bartizan_sinks::Counts {
            delivered: self.delivered.get_or_create(&labels).clone(),
            failed: self.delivery_failures.get_or_create(&labels).clone(),
            position: self.delivery_position.get_or_create(&labels).clone(),
        }
    }

    /// Counts a decision.
    pub fn decision(&self, protocol: Protocol, direction: Direction, verdict: Verdict, action: Action) {
        let labels = DecisionLabels {
            protocol: Word(protocol.as_str()),
            direction: Word(direction.as_str()),
            verdict: Word(verdict.as_str()),
            action: Word(action.as_str()),
        };
        self.decisions.get_or_create(&labels).inc();
    }

    /// Counts findings of a rule.
    pub fn findings(&self, rule: &RuleId, direction: Direction, count: u64) {
        self.guards.findings.get_or_create(&guard_labels(rule.family(), direction)).inc_by(count);
        self.findings.get_or_create(&RuleLabels { rule: rule.as_str().to_owned() }).inc_by(count);
    }

    /// Notes what each guard took for one body, and whether the body went on.
    #[allow(clippy::cast_precision_loss, reason = "seconds are rounded anyway")]
    pub fn guards(&self, direction: Direction, spent: &[(RuleFamily, Spent)], forwarded: bool) {
        for (family, spent) in spent {
            let labels = guard_labels(*family, direction);
            self.guards.seconds.get_or_create(&labels).inc_by(spent.nanos as f64 / 1e9);
            if spent.skips > 0 {
                self.guards.timeouts.get_or_create(&labels).inc();
                if forwarded {
                    self.guards.failed_open.get_or_create(&labels).inc();
                }
            }
        }
    }

    /// Counts how much text was scanned anew.
    pub fn segments(&self, work: Work) {
        for (result, bytes) in [("scanned", work.scanned), ("kept", work.kept)] {
            self.segments.get_or_create(&ResultLabels { result: Word(result) }).inc_by(bytes as u64);
        }
    }

    /// Counts what a candidate would have decided.
    pub fn candidate(&self, direction: Direction, compared: &Compared) {
        let Compared { live, candidate } = compared;
        let labels = CandidateLabels {
            direction: Word(direction.as_str()),
            live: Word(live.verdict.as_str()),
            candidate: Word(candidate.verdict.as_str()),
        };
        self.candidate.get_or_create(&labels).inc();
        let (change, causes) = match (live.verdict >= Verdict::Hold, candidate.verdict >= Verdict::Hold) {
            (false, true) => ("would-block", &candidate.causes),
            (true, false) => ("would-pass", &live.causes),
            _ => return,
        };
        for cause in causes {
            let labels = ChangeLabels { rule: cause.name(), change: Word(change) };
            self.changes.get_or_create(&labels).inc();
        }
    }

    /// Forgets what a candidate would have decided: another one is tried.
    pub fn another_candidate(&self) {
        self.candidate.clear();
        self.changes.clear();
    }

    /// Counts a failure. `kind` is one of few words.
    pub fn error(&self, kind: &'static str) {
        self.errors.get_or_create(&ErrorLabels { kind: Word(kind) }).inc();
    }

    /// Counts what a caller used. Subjects of tokens may be many: beyond `CALLERS` all others are one.
    pub fn used(&self, tenant: &TenantId, key: &str, used: &Used) {
        let mut labels = CallerLabels { tenant: tenant.to_string(), key: key.to_owned() };
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if !callers.contains(&labels) {
            if callers.len() < CALLERS {
                callers.insert(labels.clone());
            } else {
                labels = CallerLabels { tenant: "(other)".to_owned(), key: "(other)".to_owned() };
            }
        }
        drop(callers);
        self.charged.get_or_create(&labels).inc_by(used.requests);
        self.tokens.get_or_create(&labels).inc_by(used.tokens());
    }

    /// Counts a signal that is raised.
    pub(crate) fn abuse(&self, signal: &'static str) {
        self.abuse.get_or_create(&SignalLabels { signal: Word(signal) }).inc();
    }

    /// Counts a request that something was done about.
    pub(crate) fn abuse_response(&self, signal: &'static str, then: &'static str) {
        self.abuse_responses.get_or_create(&ResponseLabels { signal: Word(signal), then: Word(then) }).inc();
    }

    /// Notes how many keys are watched, and how many were forgotten to make room.
    pub(crate) fn watched(&self, keys: usize, forgotten: u64) {
        self.watched.set(i64::try_from(keys).unwrap_or(i64::MAX));
        self.forgotten.set(i64::try_from(forgotten).unwrap_or(i64::MAX));
    }

    /// Counts an exception that has come to its end.
    pub(crate) fn exception_lapsed(&self) {
        self.lapsed.inc();
    }

    /// Counts a body that passed unread.
    pub fn failed_open(&self) {
        self.failed_open.inc();
    }

    /// Notes that a configuration was taken at `at` (seconds since 1970), or not.
    pub fn config(&self, taken: bool, digest: &str, at: i64) {
        let result = Word(if taken { "success" } else { "rejected" });
        self.reloads.get_or_create(&ResultLabels { result }).inc();
        if taken {
            self.reloaded.set(at);
            self.config.clear();
            self.config.get_or_create(&DigestLabels { digest: digest.to_owned() }).set(1);
        }
    }

    /// Notes the time of one check.
    pub fn guard_time(&self, direction: Direction, time: Duration) {
        self.guard_seconds
            .get_or_create(&DirectionLabels { direction: Word(direction.as_str()) })
            .observe(time.as_secs_f64());
    }

    /// Notes how much a stream holds back.
    #[allow(clippy::cast_precision_loss, reason = "a histogram of small numbers")]
    pub fn held(&self, bytes: usize) {
        self.held.observe(bytes as f64);
    }

    /// The text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let (queue, lag) = crate::pressure::now();
        self.queue.set(i64::try_from(queue).unwrap_or(i64::MAX));
        self.lag.set(lag);
        let mut out = String::new();
        if prometheus_client::encoding::text::encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }
}

fn guard_labels(family: RuleFamily, direction: Direction) -> GuardLabels {
    GuardLabels { guard: Word(family.as_str()), direction: Word(direction.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_without_number_do_not_make_counters_without_number() {
        let metrics = Metrics::default();
        let used = Used { requests: 1, input_tokens: 2, ..Used::default() };
        for key in 0..CALLERS + 50 {
            metrics.used(&TenantId::sole(), &key.to_string(), &used);
        }
        let text = metrics.encode();
        assert_eq!(text.matches("bartizan_tokens_total{").count(), CALLERS + 1);
        assert!(
            text.contains("bartizan_charged_requests_total{tenant=\"(other)\",key=\"(other)\"} 50"),
            "{}",
            &text[..400]
        );
    }
}
