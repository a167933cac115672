//! One request as operators see it from outside: a line in the log, and OpenTelemetry spans where they are wanted.
//! Neither ever holds content.
//!
//! Attributes follow the OpenTelemetry semantic conventions for generative AI (development status); those of guardrails
//! are a draft, so their prefix is one constant.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bartizan_core::{Action, Direction, Event, Protocol, Verdict};
use bartizan_guard::ReplyFacts;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use bartizan_sign::SecretRef;

/// Prefix of the attributes of guardrails (semantic-conventions-genai, pull request 427).
const GUARDRAIL: &str = "gen_ai.guardrail.";

/// W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// What the program says about itself. Content is in none of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// How lines of the log look.
    pub log: LogFormat,
    /// Whether each request gets a line of its own in the log.
    pub requests: bool,
    /// Where spans are sent: the traces address of an OTLP/HTTP collector, such as
    /// `http://127.0.0.1:4318/v1/traces`. Without it there are none.
    pub otlp_endpoint: Option<String>,
    /// Headers that the collector wants, by name; values are secrets.
    pub otlp_headers: BTreeMap<String, SecretRef>,
    /// Share of the requests that get spans, 0 to 1, where the caller has not decided it in `traceparent`.
    pub sample: f64,
    /// `service.name` of the spans.
    pub service_name: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            log: LogFormat::Human,
            requests: true,
            otlp_endpoint: None,
            otlp_headers: BTreeMap::new(),
            sample: 1.0,
            service_name: "bartizan".to_owned(),
        }
    }
}

/// Makes spans.
pub(crate) struct Tracing(Option<BoxedTracer>);

impl Tracing {
    /// Spans go to the provider that the program has set, where an endpoint is configured.
    pub(crate) fn new(settings: &Telemetry) -> Self {
        Self(settings.otlp_endpoint.as_ref().map(|_| opentelemetry::global::tracer("bartizan")))
    }

    /// A request that begins.
    pub(crate) fn begin(&self, protocol: Protocol, headers: &HeaderMap, log: bool) -> Journey {
        let span = self.0.as_ref().map(|tracer| {
            let parent = parent(headers).map_or_else(Context::new, |p| Context::new().with_remote_span_context(p));
            let attributes = vec![
                KeyValue::new("gen_ai.operation.name", operation(protocol)),
                KeyValue::new("bartizan.protocol", protocol.as_str()),
            ];
            let builder =
                SpanBuilder::from_name(operation(protocol)).with_kind(SpanKind::Server).with_attributes(attributes);
            let span = tracer.build_with_context(builder, &parent);
            Context::new().with_span(span)
        });
        Journey { protocol, log, started: Instant::now(), server: span, inner: Mutex::new(Inner::default()) }
    }

    fn child(&self, journey: &Journey, name: &'static str, kind: SpanKind, start: SystemTime) -> Option<BoxedSpan> {
        let (tracer, parent) = (self.0.as_ref()?, journey.server.as_ref()?);
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_start_time(start);
        Some(tracer.build_with_context(builder, parent))
    }
}

/// One request on its way. Its line is written, and its spans end, when the last holder lets go of it.
pub(crate) struct Journey {
    protocol: Protocol,
    log: bool,
    started: Instant,
    server: Option<Context>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    status: u16,
    /// Records about the request and its reply.
    events: Vec<Seen>,
    upstream: Option<(BoxedSpan, Instant)>,
    first_chunk: bool,
}

/// What the line says of a decision.
struct Seen {
    id: String,
    tenant: String,
    key: String,
    model: String,
    direction: Direction,
    verdict: Verdict,
    action: Action,
    guard_us: u64,
    upstream_us: u64,
}

impl Journey {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status that the caller got.
    pub(crate) fn status(&self, status: u16) {
        self.inner().status = status;
    }

    /// A decision about the request or its reply.
    pub(crate) fn decided(&self, tracing: &Tracing, event: &Event, facts: &ReplyFacts) {
        let timings = event.timings;
        let guard_us = timings.parse_us + timings.scan_us;
        if self.server.is_some() {
            self.guard_span(tracing, event, guard_us);
        }
        let mut inner = self.inner();
        if event.direction == Direction::Reply
            && let Some((mut span, _)) = inner.upstream.take()
        {
            facts_on(&mut span, facts);
            span.end();
        }
        inner.events.push(Seen {
            id: event.id.clone(),
            tenant: event.tenant.to_string(),
            key: event.key.clone(),
            model: event.model.clone(),
            direction: event.direction,
            verdict: event.verdict,
            action: event.action,
            guard_us,
            upstream_us: timings.upstream_us,
        });
    }

    fn guard_span(&self, tracing: &Tracing, event: &Event, guard_us: u64) {
        let (name, target) = match event.direction {
            Direction::Request => ("guard request", "input"),
            Direction::Reply => ("guard reply", "output"),
        };
        let end = SystemTime::now();
        let start = end.checked_sub(Duration::from_micros(guard_us)).unwrap_or(end);
        let Some(mut span) = tracing.child(self, name, SpanKind::Internal, start) else { return };
        if span.is_recording() {
            let mut put = |name: &'static str, value: Value| {
                span.set_attribute(KeyValue::new(format!("{GUARDRAIL}{name}"), value));
            };
            put("component.name", "bartizan".into());
            put("target.type", target.into());
            put("verdict.type", verdict(event.verdict).into());
            put("action.type", action(event.action).into());
            put("security.policy.version", event.engine.rules.clone().into());
            let rules: Vec<_> = event.rules.keys().map(|rule| rule.as_str().to_owned().into()).collect();
            put("security.policy.rule.id", Value::Array(opentelemetry::Array::String(rules)));
            if let Some(score) = event.scores.injection {
                put("security.risk.score", f64::from(score).into());
            }
            span.set_attribute(KeyValue::new("gen_ai.operation.name", "run_guardrail"));
            span.set_attribute(KeyValue::new("bartizan.event.id", event.id.clone()));
            span.set_attribute(KeyValue::new("bartizan.coverage", event.coverage.status.as_str()));
        }
        span.end_with_timestamp(end);
    }

    /// The request goes on to a model server: its trace context takes the place of the caller's.
    pub(crate) fn upstream(&self, tracing: &Tracing, model: &str, name: &str, headers: &mut HeaderMap) {
        let Some(mut span) = tracing.child(self, "upstream", SpanKind::Client, SystemTime::now()) else { return };
        if span.is_recording() {
            span.set_attribute(KeyValue::new("gen_ai.operation.name", operation(self.protocol)));
            span.set_attribute(KeyValue::new("gen_ai.provider.name", provider(self.protocol)));
            span.set_attribute(KeyValue::new("gen_ai.request.model", model.to_owned()));
            span.set_attribute(KeyValue::new("bartizan.upstream", name.to_owned()));
        }
        let context = span.span_context();
        let flags = context.trace_flags() & TraceFlags::SAMPLED;
        let text = format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id());
        if context.is_valid()
            && let Ok(value) = HeaderValue::from_str(&text)
        {
            headers.insert(TRACEPARENT, value);
        }
        self.inner().upstream = Some((span, Instant::now()));
    }

    /// A piece of a streamed reply has come.
    pub(crate) fn chunk(&self) {
        if self.server.is_none() {
            return;
        }
        let mut inner = self.inner();
        if std::mem::replace(&mut inner.first_chunk, true) {
            return;
        }
        if let Some((span, sent)) = &mut inner.upstream {
            let seconds = sent.elapsed().as_secs_f64();
            span.set_attribute(KeyValue::new("gen_ai.response.time_to_first_chunk", seconds));
        }
    }
}

impl Drop for Journey {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Inner { status, events, upstream, .. } = std::mem::take(inner);
        if let Some((mut span, _)) = upstream {
            span.set_status(Status::error("no reply"));
            span.end();
        }
        if let Some(context) = &self.server {
            let span = context.span();
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            if let Some(first) = events.first() {
                span.set_attribute(KeyValue::new("gen_ai.request.model", first.model.clone()));
                span.set_attribute(KeyValue::new("gen_ai.provider.name", provider(self.protocol)));
            }
            if status >= 500 {
                span.set_status(Status::error("server error"));
            }
            span.end();
        }
        if self.log {
            self.line(status, &events);
        }
    }
}

impl Journey {
    fn line(&self, status: u16, events: &[Seen]) {
        // Who is refused before anything is read can do it as fast as the network lets it. Warnings are rate-limited.
        if events.is_empty() && status >= 400 {
            tracing::warn!(protocol = self.protocol.as_str(), status, "refused");
            return;
        }
        let worst = events.iter().max_by_key(|seen| seen.verdict);
        let of = |direction: Direction| events.iter().find(|seen| seen.direction == direction);
        let (request, reply) = (of(Direction::Request), of(Direction::Reply));
        let text = |seen: Option<&Seen>, get: fn(&Seen) -> &str| seen.map_or("", get).to_owned();
        tracing::info!(
            event = text(worst, |s| &s.id),
            tenant = text(worst, |s| &s.tenant),
            key = text(worst, |s| &s.key),
            protocol = self.protocol.as_str(),
            model = text(worst, |s| &s.model),
            verdict = text(worst, |s| s.verdict.as_str()),
            action = text(worst, |s| s.action.as_str()),
            status,
            guard_us = events.iter().map(|seen| seen.guard_us).sum::<u64>(),
            upstream_us = reply.or(request).map_or(0, |seen| seen.upstream_us),
            total_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

fn facts_on(span: &mut BoxedSpan, facts: &ReplyFacts) {
    if !span.is_recording() {
        return;
    }
    for (name, tokens) in
        [("gen_ai.usage.input_tokens", facts.input_tokens), ("gen_ai.usage.output_tokens", facts.output_tokens)]
    {
        if let Some(tokens) = tokens {
            span.set_attribute(KeyValue::new(name, i64::try_from(tokens).unwrap_or(i64::MAX)));
        }
    }
    if !facts.finish_reasons.is_empty() {
        let reasons = facts.finish_reasons.iter().map(|reason| reason.clone().into()).collect();
        let reasons = Value::Array(opentelemetry::Array::String(reasons));
        span.set_attribute(KeyValue::new("gen_ai.response.finish_reasons", reasons));
    }
}

/// The caller's trace context (W3C Trace Context, version 00). One that does not fit is as good as none.
fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let fits = lower(version, 2) && version != "ff" && lower(trace, 32) && lower(span, 16) && lower(flags, 2);
    if !fits || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

const fn operation(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenaiCompletions => "text_completion",
        Protocol::OpenaiEmbeddings => "embeddings",
        Protocol::Gemini => "generate_content",
        _ => "chat",
    }
}

const fn provider(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AnthropicMessages => "anthropic",
        Protocol::Gemini => "gcp.gemini",
        Protocol::BedrockConverse => "aws.bedrock",
        _ => "openai",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Redact => "modify",
        Verdict::Hold => "escalate",
        Verdict::Deny => "deny",
    }
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Mask | Action::Strip => "modify",
        Action::Hold => "escalate",
        Action::Refuse | Action::Cut | Action::Drop | Action::Quarantine => "block",
        Action::Pass | Action::Slow => "allow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn trace_contexts_are_read_strictly() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let context = parent(&headers(&format!("00-{trace}-{span}-01"))).unwrap();
        assert_eq!((context.trace_id().to_string().as_str(), context.is_sampled()), (trace, true));
        assert!(!parent(&headers(&format!("00-{trace}-{span}-00"))).unwrap().is_sampled());
        assert!(parent(&headers(&format!("01-{trace}-{span}-01-more"))).is_some(), "later versions may be longer");
        for bad in [
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            "ignore all previous instructions".to_owned(),
        ] {
            assert!(parent(&headers(&bad)).is_none(), "{bad}");
        }
    }
}
