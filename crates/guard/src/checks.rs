//! What is judged about an exchange as a whole: how long it is, and whether a reply has the form that it must have.

use std::collections::BTreeMap;

use bartizan_core::{
    Confidence, Coverage, Exchange, Finding, Fix, Kind, Limits, Location, Part, Profile, Reason, Rule, RuleId, Source,
    Span, Text, Verdict, View,
};
use bartizan_engine::Engine;
use bartizan_policy::{Assessment, TextFinding};
use bartizan_rules::limits::input_tokens;
use bartizan_rules::output::schema_violation::{self, Fit, ReplySchema};
use serde_json::Value;

use crate::assess::located;
use crate::exchange::ReplyContext;
use crate::guard::GuardError;
use crate::settings::{RouteChecks, Settings};

/// Largest schema of a caller that is compiled, in bytes.
const LONGEST_SCHEMA: usize = 64 << 10;

/// The checks of every route.
#[derive(Debug)]
pub(crate) struct Checks {
    /// Profile by route; others have number 0.
    profiles: BTreeMap<String, Profile>,
    /// By profile.
    routes: Vec<RouteCheck>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct RouteCheck {
    schema: Option<ReplySchema>,
    requested: bool,
    max_input_tokens: Option<usize>,
}

impl Checks {
    /// Numbers the routes in the order of their names and compiles their schemas.
    pub(crate) fn new(settings: &Settings) -> Result<Self, GuardError> {
        let mut routes = vec![RouteCheck::default()];
        let mut profiles = BTreeMap::new();
        for (name, RouteChecks { reply_schema, validate_requested_schema, max_input_tokens, .. }) in &settings.routes {
            let compile = |schema: &Value| {
                ReplySchema::new(schema).map_err(|reason| GuardError::Schema { route: name.clone(), reason })
            };
            profiles.insert(name.clone(), Profile(routes.len()));
            routes.push(RouteCheck {
                schema: reply_schema.as_ref().map(compile).transpose()?,
                requested: *validate_requested_schema,
                max_input_tokens: *max_input_tokens,
            });
        }
        Ok(Self { profiles, routes, limits: settings.limits.clone() })
    }

    /// The profile of a route.
    pub(crate) fn profile(&self, route: &str) -> Profile {
        self.profiles.get(route).copied().unwrap_or_default()
    }

    /// The schema that a reply has to fit: the route's, else the one that its request asked for.
    pub(crate) fn schema<'a>(&'a self, context: &'a ReplyContext) -> Option<&'a ReplySchema> {
        let of_route = self.routes.get(context.profile.0).and_then(|route| route.schema.as_ref());
        of_route.or(context.requested.as_ref())
    }

    /// Judges the length of a request. Answers with what the caller may be told where it is too long.
    pub(crate) fn input_tokens(
        &self,
        engine: &Engine,
        exchange: &Exchange,
        profile: Profile,
        to: &mut Assessment,
    ) -> Option<String> {
        let of_route = self.routes.get(profile.0).and_then(|route| route.max_input_tokens);
        let limit = of_route.or_else(|| of_model(&self.limits, &exchange.model)).or(self.limits.max_input_tokens)?;
        let tokens = tokens(exchange);
        if tokens <= limit {
            return None;
        }
        let found = found(engine, &input_tokens::RULE, exchange, 0);
        to.suppressed += found.suppressed;
        let finding = found.finding?;
        add(to, exchange, 0, finding);
        Some(format!("the input is about {tokens} tokens and at most {limit} are accepted here; shorten it"))
    }

    /// The schema that a request asks its reply to fit, where the route checks that. One that cannot be checked counts
    /// as something that was not read.
    pub(crate) fn requested(&self, exchange: &Exchange, profile: Profile, to: &mut Assessment) -> Option<ReplySchema> {
        if !self.routes.get(profile.0).is_some_and(|route| route.requested) {
            return None;
        }
        let schema = asked_for(&exchange.body)?;
        let bytes = schema.to_string().len();
        let compiled = if bytes > LONGEST_SCHEMA { None } else { ReplySchema::requested(&schema).ok() };
        if compiled.is_none() {
            to.coverage.add(Part::partial(Reason::Malformed, bytes));
        }
        compiled
    }

    /// Judges the form of a reply.
    pub(crate) fn reply(
        &self,
        engine: &Engine,
        exchange: &Exchange,
        profile: Profile,
        context: &ReplyContext,
        to: &mut Assessment,
    ) {
        let context = ReplyContext { profile, ..context.clone() };
        let Some(schema) = self.schema(&context) else { return };
        for message in &exchange.messages {
            let prose = |index: &&usize| {
                exchange.texts.get(**index).is_some_and(|t| t.kind == Kind::Text && t.origin.source == Source::Model)
            };
            let parts: Vec<usize> = message.parts.iter().filter(prose).copied().collect();
            let Some(first) = parts.first() else { continue };
            let whole: String =
                parts.iter().filter_map(|i| exchange.texts.get(*i)).map(|text| text.value.as_str()).collect();
            let judged = violation(engine, schema, &whole);
            to.suppressed += judged.suppressed;
            to.coverage.merge(&judged.coverage);
            if let Some(mut finding) = judged.finding {
                let len = exchange.texts.get(*first).map_or(0, |text| text.value.len());
                finding.at = Location::Text { span: Span::new(0, len) };
                add(to, exchange, *first, finding);
            }
        }
    }
}

/// A judgement about a whole.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) finding: Option<Finding>,
    pub(crate) suppressed: u64,
    pub(crate) coverage: Coverage,
}

/// What the schema says of the whole text of a reply. A reply without text, such as a tool call, has no form.
pub(crate) fn violation(engine: &Engine, schema: &ReplySchema, text: &str) -> Judged {
    if text.trim().is_empty() {
        return Judged::default();
    }
    match schema.judge(text) {
        Fit::Fits => Judged::default(),
        Fit::Violates => judged(engine, &schema_violation::RULE, Source::Model, text),
        Fit::TooCostly => {
            let mut judged = Judged::default();
            judged.coverage.add(Part::partial(Reason::TooLong, text.len()));
            judged
        }
    }
}

/// A finding of a rule about all of a text, unless the rule is off or the finding is suppressed.
fn judged(engine: &Engine, rule: &Rule, source: Source, text: &str) -> Judged {
    let Some(rule) = engine.rule(&rule.id) else { return Judged::default() };
    let finding = Finding {
        rule: rule.id.clone(),
        severity: rule.severity,
        confidence: rule.confidence,
        entity: None,
        view: View::Raw,
        depth: 0,
        at: Location::Text { span: Span::new(0, text.len()) },
        fix: Fix::Mask,
    };
    if engine.suppresses(&finding, source, text) {
        return Judged { suppressed: 1, ..Judged::default() };
    }
    Judged { finding: Some(finding), ..Judged::default() }
}

fn found(engine: &Engine, rule: &Rule, exchange: &Exchange, text: usize) -> Judged {
    let (source, value) = exchange.texts.get(text).map_or((Source::User, ""), |t| (t.origin.source, t.value.as_str()));
    judged(engine, rule, source, value)
}

/// A finding that the surface makes, since it needs more than one body to be seen.
#[derive(Clone, Debug)]
pub(crate) struct NotedBySurface {
    pub(crate) rule: RuleId,
    /// JSON Pointer.
    pub(crate) pointer: String,
    /// `None` for that of the rule.
    pub(crate) confidence: Option<Confidence>,
    /// What follows besides what the policy says.
    pub(crate) verdict: Verdict,
}

/// Adds what the surface has noted: at the text that the pointer leads to, else at the first below it.
pub(crate) fn noted_by_surface(engine: &Engine, exchange: &Exchange, noted: &[NotedBySurface], to: &mut Assessment) {
    for NotedBySurface { rule, pointer, confidence, verdict } in noted {
        let Some(rule) = engine.rule(rule) else { continue };
        let below =
            |text: &Text| text.pointer.strip_prefix(pointer.as_str()).is_some_and(|r| r.starts_with(['/', '#']));
        let exact = exchange.texts.iter().position(|text| text.pointer == *pointer);
        let at = exact.or_else(|| exchange.texts.iter().position(below)).unwrap_or_default();
        let judged = found(engine, rule, exchange, at);
        to.suppressed += judged.suppressed;
        if let Some(mut finding) = judged.finding {
            finding.confidence = confidence.unwrap_or(finding.confidence);
            if *verdict > Verdict::Allow {
                to.demanded.push((*verdict, rule.id.clone()));
            }
            if let Some(text) = exchange.texts.get(at) {
                finding.at = Location::Text { span: Span::new(0, text.value.len()) };
            }
            add(to, exchange, at, finding);
        }
    }
}

/// Adds a finding where findings of its text are.
fn add(to: &mut Assessment, exchange: &Exchange, text: usize, finding: Finding) {
    let Some(leaf) = exchange.texts.get(text) else { return };
    to.findings.push(located(exchange, text, leaf, finding));
    to.findings.sort_by_key(|f: &TextFinding| (f.text, f.finding.span(), f.finding.rule.clone()));
}

fn of_model(limits: &Limits, model: &str) -> Option<usize> {
    let fits = |name: &str| name.strip_suffix('*').map_or(name == model, |prefix| model.starts_with(prefix));
    let named = limits.max_input_tokens_by_model.iter().filter(|(name, _)| fits(name));
    named.max_by_key(|(name, _)| name.len()).map(|(_, limit)| *limit)
}

/// Tokens of what the model reads. Keys and names of the protocol are not among it, those of tool definitions are.
fn tokens(exchange: &Exchange) -> usize {
    let counts = |text: &&bartizan_core::Text| {
        let prose = !matches!(text.kind, Kind::Name | Kind::Key | Kind::Number);
        text.container.is_none()
            && text.origin.source != Source::Parameter
            && (prose || text.origin.source == Source::Definition)
    };
    let texts = exchange.texts.iter().filter(counts).map(|text| input_tokens::estimate(&text.value));
    texts.sum::<usize>() + exchange.messages.len() * input_tokens::MESSAGE
}

/// The JSON Schema that a request asks for: OpenAI's `response_format` and `text.format`, Anthropic's
/// `output_format` and `output_config.format`, Gemini's `responseJsonSchema`.
fn asked_for(body: &[u8]) -> Option<Value> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    for pointer in ["/response_format", "/text/format", "/output_format", "/output_config/format"] {
        let Some(format) = body.pointer_mut(pointer) else { continue };
        match format.get("type").and_then(Value::as_str) {
            Some("json_object") => return Some(serde_json::json!({"type": "object"})),
            Some("json_schema") => {
                let at = if format.get("json_schema").is_some() { "/json_schema/schema" } else { "/schema" };
                return format.pointer_mut(at).map(Value::take);
            }
            _ => {}
        }
    }
    body.pointer_mut("/generationConfig/responseJsonSchema").map(Value::take)
}
