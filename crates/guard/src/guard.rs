//! The decision service.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bartizan_classifier::{Classifier, ClassifierError, Given, channel};
use bartizan_core::finding::FindingRecord;
use bartizan_core::report::Flags;
use bartizan_core::{
    CheckOutput, Confidence, Context, Coverage, Detector, Direction, Edit, EngineId, Exchange, Family, Finding,
    Grounds, Kind, Limits, Location, Mode, Principal, Profile, Protocol, Rpc, Rule, RuleId, Scores, Source, TenantId,
    Verdict, View,
};
use bartizan_engine::{Clock, Engine, EngineError, Meter, Spent, Surroundings};
use bartizan_policy::provenance::{Known, PolicyFault};
use bartizan_policy::{
    Assessment, Cause, Change, Contained, Conversing, OpaqueTable, Outcome, Permitted, Refusal, Replacer, Selector,
    Table, decide, grounds, judge,
};
use bartizan_rules::RulesError;
use bartizan_rules::prompt::learned_injection;
use bartizan_wire::WireError;

use crate::agents::{Agent, Conduct, Decider, Ledgers};
use crate::assess::assess;
use crate::cache::{Scanner, SegmentCache, Work};
use crate::candidate::{Candidate, Compared};
use crate::checks::{Checks, NotedBySurface, noted_by_surface};
use crate::contain::Containments;
use crate::conversation::Conversation;
use crate::documents;
use crate::exceptions::{Caller, Excepted, Exception};
use crate::exchange::{Meta, ReplyContext, bare_text, micros, rewrite};
use crate::facts::ReplyFacts;
use crate::protected;
use crate::restore;
use crate::settings::Settings;
use crate::stream::{Policies, ReplyStream};

/// Why a guard could not be built.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The settings of a rule are wrong.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The rules do not fit together.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The classifier does not fit this program.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// An index of protected text was named and not opened.
    #[error("the index of protected text `{0}` was not opened")]
    Protected(String),
    /// The policy of tool calls cannot be used.
    #[error("the agent policy `{path}` cannot be used: {fault}")]
    AgentPolicy {
        /// The file.
        path: String,
        /// What is wrong and where.
        fault: PolicyFault,
    },
    /// The schema of a route cannot be used.
    #[error("the reply schema of route `{route}` cannot be used: {reason}")]
    Schema {
        /// The route.
        route: String,
        /// What is wrong and where.
        reason: String,
    },
}

/// What is particular to a route.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route<'a> {
    /// Its name: what [`Settings::routes`] says of it holds.
    pub name: &'a str,
    /// Another treatment of unreadable parts than the policy's.
    pub opaque: Option<&'a OpaqueTable>,
    /// Whose traffic: what the engine said of a text is kept for the tenant's next request. Without one nothing is.
    pub tenant: Option<&'a TenantId>,
    /// What models and tools have produced for the tenant; see [`Guard::known`].
    pub known: Option<&'a Known>,
}

/// One body, read.
#[derive(Clone, Debug)]
pub struct Parsed {
    exchange: Exchange,
    parse_us: u64,
    contained: BTreeSet<Contained>,
    excepted: Excepted,
    conversation: Option<Arc<Conversation>>,
    /// What the surface has seen.
    noted: Vec<NotedBySurface>,
}

impl Parsed {
    fn new(exchange: Exchange, parse_us: u64) -> Self {
        Self {
            exchange,
            parse_us,
            contained: BTreeSet::new(),
            excepted: Excepted::default(),
            conversation: None,
            noted: Vec::new(),
        }
    }

    /// Says which conversation it belongs to. Without one what an operator needs a key for is masked, and nothing is
    /// restored.
    pub fn converse(&mut self, conversation: Option<Arc<Conversation>>) {
        self.conversation = conversation;
    }

    /// Model named in it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.exchange.model
    }

    /// What the path says besides the body, where it does: the model, and that the reply is a stream.
    pub fn said_by_path(&mut self, model: Option<&str>, stream: bool) {
        if let Some(model) = model {
            model.clone_into(&mut self.exchange.model);
        }
        self.exchange.stream |= stream;
    }

    /// Size of the body in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.exchange.body.len()
    }

    /// What was read.
    #[must_use]
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Says that nothing below these JSON Pointers can be changed, because whoever carries the answer out cannot
    /// change it there. What policy would redact is then denied.
    pub fn freeze(&mut self, pointers: &[String]) {
        let below = |pointer: &str| {
            pointers
                .iter()
                .any(|p| pointer.strip_prefix(p.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/')))
        };
        for text in self.exchange.texts.iter_mut().filter(|text| below(&text.pointer)) {
            text.editable = false;
        }
        for part in self.exchange.opaque.iter_mut().filter(|part| below(&part.pointer)) {
            part.strippable = false;
        }
    }

    /// Looks for what is cut off: in it, and in who asks. What is met is refused by [`Guard::check`].
    pub fn contain(&mut self, cut_off: &Containments, key: &str) {
        self.contained.extend(cut_off.caller(key));
        if !cut_off.is_empty() {
            self.contained.extend(cut_off.exchange(&self.exchange));
        }
    }

    /// Says which exceptions hold for who asks.
    pub fn except(&mut self, excepted: Excepted) {
        self.excepted = excepted;
    }

    /// Adds a finding of a rule that needs more than one body to be seen, at a JSON Pointer of it. Rules that are off, and
    /// findings that are suppressed, count for nothing.
    pub fn note(&mut self, rule: RuleId, pointer: String, confidence: Confidence) {
        self.noted.push(NotedBySurface { rule, pointer, confidence: Some(confidence), verdict: Verdict::Allow });
    }

    /// The same with the confidence of the rule, and with a verdict that follows from it besides what the policy says.
    pub fn demand(&mut self, rule: RuleId, pointer: String, verdict: Verdict) {
        self.noted.push(NotedBySurface { rule, pointer, confidence: None, verdict });
    }

    /// True where something was met that is cut off.
    #[must_use]
    pub fn is_contained(&self) -> bool {
        !self.contained.is_empty()
    }

    /// True where it may hold documents: checking it may take longer than its size says.
    #[must_use]
    pub fn may_hold_documents(&self) -> bool {
        documents::may_hold(&self.exchange)
    }
}

/// One body, checked.
#[derive(Debug)]
pub struct Checked {
    /// What becomes of it.
    pub outcome: Outcome,
    /// What was found.
    pub assessment: Assessment,
    /// What it was.
    pub meta: Meta,
    /// What the reply to it is compared with.
    pub context: ReplyContext,
    /// What the caller may be told besides an event id, where it helps nobody but the caller.
    pub notice: Option<String>,
    /// Microseconds of parsing.
    pub parse_us: u64,
    /// Microseconds of scanning and deciding.
    pub scan_us: u64,
    /// What each guard took.
    pub spent: Vec<(Family, Spent)>,
    /// How much text was scanned anew.
    pub work: Work,
    /// What a candidate would have decided, where one is judged on the same findings.
    pub compared: Option<Compared>,
    /// What the verdict was made of.
    pub grounds: Grounds,
    /// What the model server says of its reply; empty for a request.
    pub facts: ReplyFacts,
    /// What was decided of the tool calls of a reply.
    pub calls: Option<Decider>,
}

/// What `check` answers about a text or a conversation.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What policy decides, as in enforce mode.
    pub verdict: Verdict,
    /// What was found; spans are in the text, or in the string at the pointer.
    pub findings: Vec<Finding>,
    /// The string that each finding is in, in the order of `findings`.
    pub texts: Vec<Arc<str>>,
    /// Scores; `injection` is always there.
    pub scores: Scores,
    /// Decisions at the shipped thresholds.
    pub flags: Flags,
    /// What was not read.
    pub coverage: Coverage,
    /// Findings hidden by suppressions.
    pub suppressed: u64,
    /// Ids of the containments that it met.
    pub contained: Vec<String>,
    /// The text or body with the redactions, where the verdict is redact.
    pub redacted: Option<String>,
}

impl Decision {
    /// The same as the JSON contracts show it.
    #[must_use]
    pub fn output<Id>(self, id: Id) -> CheckOutput<Id> {
        let findings = self.findings.iter().zip(&self.texts).map(|(f, text)| FindingRecord::new(f, text)).collect();
        CheckOutput {
            id,
            verdict: self.verdict,
            scores: self.scores,
            flags: self.flags,
            findings,
            coverage: self.coverage,
            contained: self.contained,
        }
    }
}

/// Engine, policy and dialects behind one door. Immutable; share it in an [`Arc`].
#[derive(Clone)]
pub struct Guard {
    engine: Arc<Engine>,
    table: Arc<Table>,
    checks: Arc<Checks>,
    conduct: Arc<Conduct>,
    mode: Mode,
    id: EngineId,
    policy: String,
    /// Rules that the settings switch off.
    disabled: Vec<String>,
    /// Names this guard among all of the process.
    instance: u64,
    cache: Option<Arc<SegmentCache>>,
    candidate: Option<Candidate>,
    clock: Clock,
    /// For [`Guard::check_text`] and its like, where no gateway says it.
    cut_off: Containments,
    excepted: Excepted,
    exceptions: Vec<Exception>,
    second_stage: bool,
    /// Whether the second stage is one that is loaded when it is first needed.
    loads: bool,
}

impl Guard {
    /// Builds it.
    ///
    /// # Errors
    /// A setting of a rule or a suppression is wrong.
    pub fn new(settings: &Settings) -> Result<Self, GuardError> {
        Self::with_detectors(settings, Vec::new())
    }

    /// The same with detectors besides the built-in ones.
    ///
    /// # Errors
    /// As [`Guard::new`].
    pub fn with_detectors(settings: &Settings, more: Vec<Box<dyn Detector>>) -> Result<Self, GuardError> {
        let routes = settings.routes.values().map(|route| route.rules.clone()).collect();
        let rules = bartizan_rules::Settings { routes, ..settings.rules_in_force() };
        let second_stage = settings.classifier.second_stage;
        let given = settings.content.as_ref().map(|content| content.classifier()).transpose()?.flatten();
        let rule = learned_injection::RULE.clone();
        let classifier = match given {
            Some(given) => given.detector(rule, second_stage),
            None => Classifier::shipped(rule, second_stage)?,
        };
        let mut own: Vec<Box<dyn Detector>> = vec![Box::new(classifier)];
        own.extend(protected::detector(settings)?);
        let mut detectors = bartizan_rules::detectors_with(&rules, own)?;
        detectors.extend(more);
        let engine = Engine::new(detectors, settings.suppress.clone(), settings.limits.clone())?;
        let table = Table::new(settings.policy.clone());
        let id = EngineId {
            canon: bartizan_engine::canon().to_owned(),
            rules: format!("{:016x}", fingerprint(&engine, settings)),
            model: match given {
                Some(given) => given.version(second_stage),
                None => Classifier::version(second_stage).to_owned(),
            },
        };
        let checks = Checks::new(settings)?;
        if let Some(one) = settings.exceptions.iter().find(|one| !one.is_about(engine.rules())) {
            return Err(EngineError::UnknownRule { pattern: one.rule.to_string(), closest: None }.into());
        }
        Ok(Self {
            engine: Arc::new(engine),
            table: Arc::new(table),
            checks: Arc::new(checks),
            conduct: Arc::new(Conduct::new(settings)?),
            mode: settings.mode,
            id,
            policy: digest(settings),
            disabled: settings.rules.disabled.clone(),
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
            cache: None,
            candidate: None,
            clock: nanos,
            cut_off: Containments::default(),
            excepted: Excepted::default(),
            exceptions: settings.exceptions.clone(),
            second_stage,
            loads: second_stage && given.is_none_or(Given::loads_shipped),
        })
    }

    /// True once texts are examined without waiting for a model to load.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.loads || Classifier::is_loaded()
    }

    /// Loads what is loaded when it is first needed. Blocks for a tenth of a second or more.
    ///
    /// # Errors
    /// A model does not fit this program.
    pub fn load(&self) -> Result<(), GuardError> {
        if self.loads { Ok(Classifier::load()?) } else { Ok(()) }
    }

    /// True where examining this may take milliseconds of inference: not to be done on an async worker.
    #[must_use]
    pub fn may_infer(&self, parsed: &Parsed) -> bool {
        self.second_stage && parsed.exchange.texts.iter().any(|text| channel(text.origin.source).is_some())
    }

    /// The same with a cache of what the engine said of texts. One cache serves many guards.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<SegmentCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The same with another clock for the budgets of its detectors.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same with another policy beside the one in force. `live` is what this guard was made of. Where the two
    /// differ in more than mode and policy, the candidate looks for itself: see [`Guard::second`].
    ///
    /// # Errors
    /// A setting of the candidate is wrong.
    pub fn with_candidate(mut self, live: &Settings, candidate: &Settings) -> Result<Self, GuardError> {
        let same = Settings { mode: live.mode, policy: live.policy.clone(), ..candidate.clone() } == *live;
        self.candidate = Some(if same {
            Candidate::Table(Arc::new(Table::new(candidate.policy.clone())))
        } else {
            Candidate::Guard(Arc::new(Self::new(candidate)?))
        });
        Ok(self)
    }

    /// The same with a change tried beside the policy in force, on the same findings.
    #[must_use]
    pub fn trying(&self, changed: Table) -> Self {
        Self { candidate: Some(Candidate::Table(Arc::new(changed))), ..self.clone() }
    }

    /// The same with no policy beside the one in force.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self { candidate: None, ..self.clone() }
    }

    /// True where a policy is tried beside the one in force.
    #[must_use]
    pub const fn has_candidate(&self) -> bool {
        self.candidate.is_some()
    }

    /// True where both compare the same two policies, so that what was counted of one is true of the other.
    #[must_use]
    pub fn compares_like(&self, other: &Self) -> bool {
        let alike = match (&self.candidate, &other.candidate) {
            (Some(Candidate::Table(one)), Some(Candidate::Table(other))) => one == other,
            (Some(Candidate::Guard(one)), Some(Candidate::Guard(other))) => one.policy == other.policy,
            (one, other) => one.is_none() && other.is_none(),
        };
        alike && self.policy == other.policy
    }

    /// A candidate that needs a scan of its own, to be made off the way of the request.
    #[must_use]
    pub fn second(&self) -> Option<&Arc<Self>> {
        match &self.candidate {
            Some(Candidate::Guard(guard)) => Some(guard),
            _ => None,
        }
    }

    fn meter(&self, direction: Direction) -> Meter {
        Meter::new(self.clock, |family| {
            self.table.guards.rule(family, direction).budget_ms.map(|ms| ms.saturating_mul(1_000_000))
        })
    }

    fn scanner(&self, direction: Direction, tenant: Option<&TenantId>) -> Scanner<'_> {
        let segments = self.cache.as_ref().zip(tenant).and_then(|(cache, tenant)| cache.of(tenant));
        Scanner::new(&self.engine, self.instance, segments, self.meter(direction))
    }

    /// The same for checking what has no caller: [`Guard::check_conversation`] refuses what is cut off.
    #[must_use]
    pub fn containing(self, cut_off: Containments) -> Self {
        Self { cut_off, ..self }
    }

    /// Every exception that is configured, whether it holds or not.
    #[must_use]
    pub fn exceptions(&self) -> &[Exception] {
        &self.exceptions
    }

    /// The exceptions that hold for a caller at a time, in milliseconds since 1970.
    #[must_use]
    pub fn excepted(&self, caller: Caller<'_>, now: i64) -> Excepted {
        Excepted::of(&self.exceptions, caller, now)
    }

    /// The same for checking what has no caller, with exceptions.
    #[must_use]
    pub fn excepting(self, excepted: Excepted) -> Self {
        Self { excepted, ..self }
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.engine.rules()
    }

    /// Rules that the settings switch off: ids and families.
    #[must_use]
    pub fn disabled(&self) -> &[String] {
        &self.disabled
    }

    /// What findings mean.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What findings would mean after a change.
    ///
    /// # Errors
    /// What is wrong with the change.
    pub fn changed(&self, change: &Change) -> Result<Table, String> {
        let rules: Vec<&RuleId> = self.rules().map(|rule| &rule.id).collect();
        change.check(&rules)?;
        Ok(self.table.changed(change))
    }

    /// True where the settings say all that a change says.
    #[must_use]
    pub fn has(&self, change: &Change) -> bool {
        let is_off = |rule: &Selector| self.disabled.contains(&rule.to_string());
        change.disabled.iter().all(is_off) && self.table.has(change)
    }

    /// Bounds on work and memory.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    /// What decides.
    #[must_use]
    pub const fn id(&self) -> &EngineId {
        &self.id
    }

    /// Digest of the settings that decide: SHA-256 of their JSON, the first 16 bytes in hex.
    #[must_use]
    pub fn policy_digest(&self) -> &str {
        &self.policy
    }

    /// Whether verdicts are carried out.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Reads a request body.
    ///
    /// # Errors
    /// The body is not what the protocol says; the caller is at fault.
    pub fn read_request(&self, protocol: Protocol, body: Vec<u8>) -> Result<Parsed, WireError> {
        let start = Instant::now();
        let exchange = bartizan_wire::request(protocol, body, self.limits())?;
        Ok(Parsed::new(exchange, micros(start.elapsed())))
    }

    /// Reads a message of the Model Context Protocol: a server's goes towards the model, a client's comes from it.
    ///
    /// # Errors
    /// The message is not what the protocol says; its sender is at fault.
    pub fn read_mcp(&self, direction: Direction, rpc: Rpc, body: Vec<u8>) -> Result<Parsed, WireError> {
        let start = Instant::now();
        let exchange = bartizan_wire::mcp(direction, rpc, body, self.limits())?;
        Ok(Parsed::new(exchange, micros(start.elapsed())))
    }

    /// Reads a whole reply body. A body that is no JSON at all is read as one text.
    ///
    /// # Errors
    /// The body is not what the protocol says; the upstream is at fault.
    pub fn read_reply(&self, protocol: Protocol, body: Vec<u8>) -> Result<Parsed, WireError> {
        let start = Instant::now();
        let exchange = bartizan_wire::reply(protocol, body, self.limits())?;
        Ok(Parsed::new(exchange, micros(start.elapsed())))
    }

    /// A request without a body, such as for the list of models.
    #[must_use]
    pub fn no_body(&self, protocol: Protocol) -> Parsed {
        let exchange = Exchange { protocol, ..Exchange::default() };
        Parsed::new(exchange, 0)
    }

    /// Takes the wish for log probabilities out of a request. What is asked for otherwise stays as it was. Answers false
    /// where there is none.
    ///
    /// # Errors
    /// The changed body cannot be read.
    pub fn strip_logprobs(&self, parsed: &mut Parsed) -> Result<bool, WireError> {
        match bartizan_wire::without_logprobs(&parsed.exchange, self.limits())? {
            Some(exchange) => {
                parsed.exchange = exchange;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Lets a body pass that nobody reads, because a rule of the operator says so. The surface records it as unread.
    #[must_use]
    pub fn unread(&self, direction: Direction, body: Vec<u8>) -> (Meta, Permitted<Exchange>) {
        let meta = Meta { protocol: Protocol::Text, direction, ..Meta::default() };
        (meta, bartizan_policy::pass_unread(direction, body))
    }

    /// Scans and decides. `context` is what a reply is compared with; empty for a request.
    #[must_use]
    pub fn check(&self, parsed: Parsed, context: &ReplyContext, route: Route<'_>) -> Checked {
        self.check_only(parsed, context, route, |_| true)
    }

    /// The same, where the caller may leave findings out. They count as suppressed in the record.
    #[must_use]
    pub fn check_only(
        &self,
        parsed: Parsed,
        context: &ReplyContext,
        route: Route<'_>,
        wanted: impl Fn(&Finding) -> bool,
    ) -> Checked {
        let start = Instant::now();
        let Parsed { mut exchange, parse_us, contained, excepted, conversation, noted } = parsed;
        documents::read(&mut exchange, self.limits());
        // A stored response repeats the instructions, and there is no request to learn them from.
        let own = exchange.system().filter(|_| exchange.direction == Direction::Reply);
        let system: Vec<&str> = context.system.iter().map(String::as_str).chain(own).collect();
        let profile = self.checks.profile(route.name);
        let around = Context { system: &system, direction: exchange.direction, profile };
        // Replies are compared with the request's system text, and each is new.
        let tenant = route.tenant.filter(|_| exchange.direction == Direction::Request);
        let mut scanner = self.scanner(exchange.direction, tenant);
        let mut assessment = assess(&mut scanner, &exchange, around);
        let (mut notice, mut requested) = (None, None);
        match exchange.direction {
            Direction::Request => {
                notice = self.checks.input_tokens(&self.engine, &exchange, profile, &mut assessment);
                requested = self.checks.requested(&exchange, profile, &mut assessment);
            }
            Direction::Reply => self.checks.reply(&self.engine, &exchange, profile, context, &mut assessment),
        }
        noted_by_surface(&self.engine, &exchange, &noted, &mut assessment);
        excepted.apply(&exchange, &mut assessment);
        let before = assessment.findings.len();
        assessment.findings.retain(|f| wanted(&f.finding));
        assessment.suppressed += (before - assessment.findings.len()) as u64;
        assessment.contained.extend(contained);
        let agent = match exchange.direction {
            Direction::Request => self.conduct.agent(&exchange, route.name, route.known),
            Direction::Reply => None,
        };
        let calls = self.decide_calls(&exchange, context, conversation.as_deref());
        assessment.calls = calls.as_ref().map(Decider::stopped).unwrap_or_default();
        let (spent, work) = (scanner.meter.spent().collect(), scanner.work);
        drop(scanner);
        let mut facts = ReplyFacts::default();
        if exchange.direction == Direction::Reply {
            facts.read(&exchange.texts);
        }
        let compared = match &self.candidate {
            Some(Candidate::Table(table)) => Some(Compared {
                live: judge(&exchange, &assessment, &self.table, route.opaque),
                candidate: judge(&exchange, &assessment, table, route.opaque),
            }),
            _ => None,
        };
        let grounds = grounds(&exchange, &assessment, &self.table, route.opaque);
        let meta = Meta {
            protocol: exchange.protocol,
            direction: exchange.direction,
            model: exchange.model.clone(),
            stream: exchange.stream,
        };
        let system = exchange.system().map(str::to_owned).collect();
        let context = ReplyContext { system, profile, requested, agent, desk: None };
        let conversation = conversation.as_deref();
        let talk = conversation.map(|one| one as &dyn Conversing);
        let rewritten = |exchange: &Exchange, edits: &[Edit]| rewrite(exchange, edits, self.limits());
        let outcome = decide(exchange, &mut assessment, &self.table, route.opaque, talk, self.mode, rewritten);
        let outcome = restore::outcome(outcome, &self.table, conversation, self.limits()).unwrap_or_else(|error| {
            Outcome::Refuse(Refusal { verdict: Verdict::Deny, causes: vec![Cause::Rewrite(error.to_string())] })
        });
        let notice = notice.filter(|_| matches!(outcome, Outcome::Refuse(_) | Outcome::Hold(_)));
        let scan_us = micros(start.elapsed());
        Checked {
            outcome,
            assessment,
            meta,
            context,
            notice,
            parse_us,
            scan_us,
            spent,
            work,
            compared,
            grounds,
            facts,
            calls,
        }
    }

    /// What the tool calls of the reply to a request are decided by, for surfaces that have both: the gateway, and whoever
    /// calls tools for a model. `None` where none is decided.
    #[must_use]
    pub fn agent(&self, request: &Exchange, route: &str) -> Option<Arc<Agent>> {
        self.conduct.agent(request, route, None)
    }

    /// What models and tools have produced for the tenant of a caller, as it is known at a time in milliseconds. `None`
    /// where none of it is kept.
    #[must_use]
    pub fn known(&self, ledgers: &Ledgers, who: &Principal, now: i64) -> Option<Known> {
        self.conduct.known(ledgers, who, now)
    }

    /// Decides the calls of a whole reply.
    fn decide_calls(
        &self,
        exchange: &Exchange,
        context: &ReplyContext,
        conversation: Option<&Conversation>,
    ) -> Option<Decider> {
        let agent = context.agent.clone().filter(|_| exchange.direction == Direction::Reply)?;
        let mut decider = Decider::new(agent.of_stored(exchange), context.desk.clone(), self.mode, self.limits());
        let matcher = conversation.filter(|_| self.table.operators.has_pseudonyms()).map(Conversation::matcher);
        decider.decide_whole(exchange, |call| {
            // The tool is called with values, and so it is decided.
            let matcher = matcher.as_ref().filter(|_| self.table.restores(&call.name));
            matcher.and_then(|m| restore::arguments(&call.arguments, m, self.limits()))
        });
        Some(decider).filter(|decider| !decider.notes().is_empty())
    }

    /// Checks a streamed reply as it arrives.
    #[must_use]
    pub fn reply_stream(
        &self,
        protocol: Protocol,
        context: ReplyContext,
        event_id: &str,
        refusal: bool,
    ) -> ReplyStream {
        // From here on there is one schema, wherever it is from.
        let requested = self.checks.schema(&context).cloned();
        let context = ReplyContext { requested, ..context };
        let candidate = match &self.candidate {
            Some(Candidate::Table(table)) => Some(Arc::clone(table)),
            _ => None,
        };
        ReplyStream::new(
            Arc::clone(&self.engine),
            Policies { table: Arc::clone(&self.table), candidate, mode: self.mode },
            self.meter(Direction::Reply),
            protocol,
            context,
            event_id,
            refusal,
        )
    }

    /// What policy says of one finding in a text of that origin that goes this way.
    #[must_use]
    pub fn verdict(&self, finding: &Finding, source: Source, direction: Direction) -> Verdict {
        self.table.finding(finding, source, direction)
    }

    /// The strictest verdict that a finding of the rule can get in text of that origin that goes this way.
    #[must_use]
    pub fn strictest(&self, rule: &Rule, source: Source, direction: Direction) -> Verdict {
        self.table.strictest(rule, source, direction)
    }

    /// The injection scores from which on a text of that origin is flagged and denied; none where a score means nothing.
    #[must_use]
    pub fn levels(&self, source: Source) -> Option<(f32, f32)> {
        self.table.levels(source)
    }

    /// True where some values are not simply masked.
    #[must_use]
    pub fn has_operators(&self) -> bool {
        !self.table.operators.is_empty()
    }

    /// How long pseudonyms are kept; `None` where none are made or carried out.
    #[must_use]
    pub fn pseudonyms_last(&self) -> Option<Duration> {
        let made = self.mode == Mode::Enforce && self.table.operators.has_pseudonyms();
        made.then(|| Duration::from_secs(u64::from(self.table.vault.ttl_hours) * 3600))
    }

    /// What goes in place of values in texts that go this way, in a conversation.
    #[must_use]
    pub fn replacer<'a>(&'a self, direction: Direction, conversation: Option<&'a Conversation>) -> Replacer<'a> {
        Replacer::new(&self.table, direction, conversation.map(|one| one as &dyn Conversing))
    }

    /// How many bytes at the beginning of a model's text are final while the text still grows: no masked finding can
    /// yet begin in them, whatever comes. A caller who shows only so much never has to take anything back.
    #[must_use]
    pub fn settled(&self, text: &str) -> usize {
        let (table, mode) = (Arc::clone(&self.table), self.mode);
        let masks = move |rule: &Rule| {
            mode == Mode::Enforce && table.strictest(rule, Source::Model, Direction::Reply) >= Verdict::Redact
        };
        let around = Surroundings { direction: Direction::Reply, ..Surroundings::default() };
        self.engine.stream(Source::Model.into(), Kind::Text, masks, around).push(text).text.len()
    }

    /// What is read of a text besides itself: each form with its name and the encodings peeled off before it.
    #[must_use]
    pub fn views(&self, text: &str) -> Vec<(View, u8, String)> {
        self.engine.views(text)
    }

    /// Checks a bare text.
    #[must_use]
    pub fn check_text(&self, text: &str, source: Source) -> Decision {
        self.decision(bare_text(text, source))
    }

    /// Checks a conversation: the JSON text of a list of messages in OpenAI chat form.
    ///
    /// # Errors
    /// It is not such a list.
    pub fn check_conversation(&self, messages: &str) -> Result<Decision, WireError> {
        Ok(self.decision(bartizan_wire::conversation(messages, self.limits())?))
    }

    /// Checks a file that is a document: its text layer, and itself where it is a text. `None` where it is no document
    /// that can be read.
    #[must_use]
    pub fn check_document(&self, bytes: &[u8], source: Source) -> Option<Decision> {
        documents::of_file(bytes, source, self.limits()).map(|exchange| self.decision(exchange))
    }

    fn decision(&self, exchange: Exchange) -> Decision {
        self.decision_with(exchange, &[])
    }

    /// The same with the operator's text that it is compared with.
    pub(crate) fn decision_with(&self, mut exchange: Exchange, system: &[&str]) -> Decision {
        let bare = exchange.protocol == Protocol::Text;
        if !bare {
            documents::read(&mut exchange, self.limits());
        }
        let around = Context { system, direction: exchange.direction, profile: Profile::default() };
        let mut scanner = Scanner::new(&self.engine, self.instance, None, Meter::default());
        let mut assessment = assess(&mut scanner, &exchange, around);
        drop(scanner);
        if exchange.direction == Direction::Request {
            self.checks.input_tokens(&self.engine, &exchange, Profile::default(), &mut assessment);
        }
        self.excepted.apply(&exchange, &mut assessment);
        assessment.contained.extend(self.cut_off.exchange(&exchange));
        let values: Vec<Arc<str>> = exchange.texts.iter().map(|t| Arc::from(t.value.as_str())).collect();
        let wanted = self.has_operators() && !assessment.findings.is_empty();
        let conversation = wanted.then(Conversation::passing).flatten();
        let talk = conversation.as_deref().map(|one| one as &dyn Conversing);
        let rewritten = |exchange: &Exchange, edits: &[Edit]| rewrite(exchange, edits, self.limits());
        let outcome = decide(exchange, &mut assessment, &self.table, None, talk, Mode::Enforce, rewritten);
        let verdict = outcome.verdict();
        let redacted = match outcome {
            Outcome::Forward { permitted, verdict: Verdict::Redact, .. } => {
                String::from_utf8(permitted.into_inner().body).ok()
            }
            _ => None,
        };
        let mut scores = assessment.max_scores();
        scores.injection.get_or_insert(0.0);
        let injection = assessment.scores.iter().any(|(source, s)| self.table.injection_flag(s, *source));
        let texts =
            assessment.findings.iter().map(|f| values.get(f.text).cloned().unwrap_or_else(|| Arc::from(""))).collect();
        let findings = assessment
            .findings
            .into_iter()
            .map(|mut f| {
                if bare {
                    f.finding.at = without_pointer(f.finding.at);
                }
                f.finding
            })
            .collect();
        Decision {
            verdict,
            findings,
            texts,
            scores,
            flags: Flags { injection },
            coverage: assessment.coverage,
            suppressed: assessment.suppressed,
            contained: assessment.contained.iter().map(|met| met.id.to_string()).collect(),
            redacted,
        }
    }
}

fn digest(settings: &Settings) -> String {
    // A pack is named by its path; what counts is what it says.
    let packs: Vec<&Option<String>> = settings.rules.packs.iter().map(|pack| &pack.text).collect();
    let agents: Vec<&Option<String>> = settings.policy.agents.files().map(|(_, file)| &file.text).collect();
    let text = serde_json::to_string(&(settings, packs, protected::digests(settings), agents)).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    bartizan_sign::hex(digest.as_ref().get(..16).unwrap_or_default())
}

/// A place in a body that is a text or a document itself.
fn without_pointer(at: Location) -> Location {
    match at {
        Location::Archive { member, inner } => Location::Archive { member, inner: Box::new(without_pointer(*inner)) },
        at => Location::Text { span: at.span() },
    }
}

static INSTANCES: AtomicU64 = AtomicU64::new(0);

/// Nanoseconds since the first call.
fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn fingerprint(engine: &Engine, settings: &Settings) -> u64 {
    // DefaultHasher::new has fixed keys, so the value is the same on every start of one build.
    let mut hasher = DefaultHasher::new();
    engine.rules_fingerprint().hash(&mut hasher);
    for pack in &settings.rules.packs {
        pack.text.hash(&mut hasher);
    }
    protected::digests(settings).hash(&mut hasher);
    settings.content.as_ref().map(|content| &content.digest).hash(&mut hasher);
    serde_json::to_string(settings).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
