//! What every request can see, and what is known of one on its way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bartizan_core::{Direction, Event, Exchange, Grant, Principal, Protocol, TenantId};
use bartizan_guard::{Conversation, Guard, Kept, Ledgers, Parsed, Recorder, ReplyContext, Request as Record};
use bartizan_wire::ErrorKind;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::access::{Access, Charge, Entry};
use crate::admission::{Admission, Admitted};
use crate::console::Sessions;
use crate::failure::Failure;
use crate::mcp::{Front, Tickets};
use crate::metrics::Metrics;
use crate::results::Results;
use crate::second::Seconds;
use crate::settings::Settings;
use crate::staged::{Staged, Untried};
use crate::surface::Surface;
use crate::tls::Tls;
use crate::trace::{Journey, Tracing};
use crate::upstream::Upstreams;

/// What lives as long as the process.
pub(crate) struct Shared {
    live: ArcSwap<Live>,
    /// Held while a configuration takes the place of another.
    turn: Mutex<()>,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) access: Arc<Access>,
    /// False after a record could not be written, until one can.
    pub(crate) recording: AtomicBool,
    /// Bodies that a candidate looks at.
    pub(crate) second: Seconds,
    pub(crate) tracing: Tracing,
    /// What models and tools have produced lately.
    pub(crate) ledgers: Ledgers,
    /// Calls that were decided here and that MCP servers wait for.
    pub(crate) tickets: Tickets,
    /// Results of other commands that the console shows.
    pub(crate) results: Arc<Results>,
    /// Who has signed in to the console, where there is one.
    pub(crate) sessions: Option<Arc<Sessions>>,
}

/// Guards of callers that have others than the rest, by the name of their profile.
pub type Profiles = BTreeMap<String, Arc<Guard>>;

/// One configuration in force. A request keeps the one it began with to the last byte of its reply.
pub(crate) struct Live {
    pub(crate) guard: Arc<Guard>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) settings: Arc<Settings>,
    /// Servers of the Model Context Protocol.
    pub(crate) mcp: Arc<Front>,
    profiles: Arc<Profiles>,
    /// A change that is tried beside the policy, by the wish of an operator; the guard has it.
    pub(crate) staged: Option<Arc<Staged>>,
    /// What accepts TLS connections from callers. Renewed certificates come with a reload.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Live {
    /// Reads keys and prepares upstreams. `upstreams` stands in for those of the settings; `before` is the configuration
    /// that this one takes the place of.
    pub(crate) fn build(
        guard: Arc<Guard>,
        profiles: Profiles,
        settings: Settings,
        upstreams: Option<Upstreams>,
        address: SocketAddr,
        access: &Arc<Access>,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        if settings.upstream.is_empty() && !settings.check_api.standalone && settings.mcp.servers.is_empty() {
            return Err("no upstream is configured: give `--upstream URL` or an `[[upstream]]` section".into());
        }
        settings.check_api.retrieval.check().map_err(|fault| format!("check_api.retrieval: {fault}"))?;
        settings.abuse.check()?;
        crate::ext_proc::check(&settings)?;
        let admission = Admission::new(&settings, access)?;
        if !address.ip().is_loopback() && !admission.needs_key() {
            return Err(format!(
                "`{}` can be reached from other machines, so callers need keys: add a `[[client]]` section, or make one with `bartizan keys create`",
                settings.listen
            ));
        }
        if settings.ext_proc.as_ref().is_some_and(|envoy| !envoy.anonymous) && !admission.needs_key() {
            return Err(
                "Envoy's callers may be anywhere, so they need keys: add a `[[client]]` section, or make one with \
                 `bartizan keys create`; where Envoy asks who they are, say `anonymous = true` in `[ext_proc]`"
                    .into(),
            );
        }
        let upstreams = match upstreams {
            Some(upstreams) => upstreams,
            None => Upstreams::new(&settings)?,
        };
        let mcp = Arc::new(Front::new(&settings, before.map(|before| &*before.mcp))?);
        let tls = settings.tls.as_ref().map(Tls::acceptor).transpose()?;
        Ok(Self {
            guard,
            admission: Arc::new(admission),
            upstreams: Arc::new(upstreams),
            settings: Arc::new(settings),
            mcp,
            profiles: Arc::new(profiles),
            staged: None,
            tls,
        })
    }

    /// The same with another guard for all callers.
    fn with_guard(&self, guard: Arc<Guard>, staged: Option<Arc<Staged>>) -> Self {
        Self {
            guard,
            admission: Arc::clone(&self.admission),
            upstreams: Arc::clone(&self.upstreams),
            settings: Arc::clone(&self.settings),
            mcp: Arc::clone(&self.mcp),
            profiles: Arc::clone(&self.profiles),
            staged,
            tls: self.tls.clone(),
        }
    }

    /// The same with a change tried beside the policy, in the place of one that is.
    ///
    /// # Errors
    /// Why it cannot be tried.
    pub(crate) fn trying(&self, staged: &Arc<Staged>) -> Result<Self, Untried> {
        if self.staged.is_none() && self.guard.has_candidate() {
            return Err(Untried::Candidate);
        }
        if self.guard.has(&staged.change) {
            return Err(Untried::InForce);
        }
        let changed = self.guard.changed(&staged.change).map_err(Untried::Unfit)?;
        Ok(self.with_guard(Arc::new(self.guard.trying(changed)), Some(Arc::clone(staged))))
    }

    /// The same without the change that is tried.
    pub(crate) fn trying_nothing(&self) -> Self {
        match &self.staged {
            Some(_) => self.with_guard(Arc::new(self.guard.alone()), None),
            None => self.with_guard(Arc::clone(&self.guard), None),
        }
    }

    /// True where a guard profile of this name is configured.
    pub(crate) fn has_profile(&self, name: &str) -> bool {
        self.profiles.contains_key(name)
    }

    /// The guards of profiles, which have policies of their own.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &Guard> {
        self.profiles.values().map(|guard| &**guard)
    }

    /// The same with the guard of the caller's profile. A profile that is not there lets nothing through.
    pub(crate) fn for_caller(self: Arc<Self>, admitted: &Admitted) -> Result<Arc<Self>, Failure> {
        let Some(name) = &admitted.grant.profile else { return Ok(self) };
        let guard = self.profiles.get(name).ok_or_else(|| {
            Failure::new(ErrorKind::Forbidden, "profile", "the guard profile of this key is not configured")
        })?;
        Ok(Arc::new(self.with_guard(Arc::clone(guard), self.staged.clone())))
    }
}

impl Shared {
    pub(crate) fn new(
        live: Live,
        recorder: Recorder,
        metrics: Arc<Metrics>,
        access: Arc<Access>,
        sessions: Option<Arc<Sessions>>,
    ) -> Self {
        let places = live.settings.max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let tracing = Tracing::new(&live.settings.telemetry);
        Self {
            live: ArcSwap::from_pointee(live),
            turn: Mutex::default(),
            recorder,
            metrics,
            in_flight: Arc::new(Semaphore::new(places)),
            access,
            recording: AtomicBool::new(true),
            second: Seconds::default(),
            ledgers: Ledgers::default(),
            tickets: Tickets::default(),
            tracing,
            results: Arc::default(),
            sessions,
        }
    }

    /// Puts what is made of the configuration in force in its place, for the requests that begin from now on.
    pub(crate) fn replace<E>(&self, make: impl FnOnce(&Live) -> Result<Live, E>) -> Result<(), E> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.live();
        let live = make(&before)?;
        if !live.guard.compares_like(&before.guard) {
            self.metrics.another_candidate();
        }
        self.access.watching.configure(&live.settings.abuse);
        self.live.store(Arc::new(live));
        Ok(())
    }

    /// The configuration in force now.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

/// A place among the requests in flight. It is given back when the last byte of the reply is out.
pub(crate) struct InFlight {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) _permit: OwnedSemaphorePermit,
    pub(crate) _entry: Entry,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// What is known about a request whose reply comes back.
pub(crate) struct Asked {
    pub(crate) live: Arc<Live>,
    pub(crate) surface: Surface,
    pub(crate) record: Record,
    pub(crate) model: String,
    pub(crate) context: ReplyContext,
    /// Whose pseudonyms are restored in the reply.
    pub(crate) conversation: Option<Arc<Conversation>>,
    /// Number of the last event of a stream that the caller has already.
    pub(crate) resume_after: Option<u64>,
    pub(crate) target: usize,
    /// Where models are listed for a caller who may not use all: what it may use.
    pub(crate) listed: Option<Arc<Grant>>,
    pub(crate) in_flight: InFlight,
    /// `None` where nobody is charged.
    pub(crate) charge: Option<Charge>,
    pub(crate) journey: Arc<Journey>,
}

/// Opens the keys of a tenant for its records.
pub(crate) async fn know(shared: &Shared, tenant: &TenantId) -> Result<(), Failure> {
    shared.recorder.know(tenant).await.map_err(|error| {
        tracing::error!(%error, "cannot open a tenant's keys");
        unrecorded()
    })
}

/// Finds the conversation that a request belongs to, where the guard has operators.
pub(crate) async fn conversation_of(
    shared: &Shared,
    live: &Live,
    who: &Principal,
    parsed: &Parsed,
) -> Result<Option<Arc<Conversation>>, Failure> {
    shared.recorder.converse(&live.guard, who, parsed).await.map_err(|error| {
        tracing::error!(%error, "cannot open what is known of a conversation");
        Failure::new(ErrorKind::Unavailable, "vault", "the conversation cannot be opened; try again later")
    })
}

/// Keeps the pseudonyms of a request before it goes on: without them its reply could not be restored.
pub(crate) async fn keep_pseudonyms(
    shared: &Shared,
    live: &Live,
    who: &Principal,
    conversation: Option<&Arc<Conversation>>,
    passed: &Exchange,
) -> Result<(), Failure> {
    let Some(conversation) = conversation else { return Ok(()) };
    shared.recorder.keep_pseudonyms(&live.guard, conversation, who, passed).await.map_err(|error| {
        tracing::error!(%error, "pseudonyms cannot be kept");
        Failure::new(ErrorKind::Unavailable, "vault", "the conversation cannot be kept; try again later")
    })
}

/// A copy of a body that may be recorded.
pub(crate) fn kept(shared: &Shared, protocol: Protocol, direction: Direction, body: &[u8]) -> Option<Kept> {
    let mut kept = shared.recorder.keep(protocol, direction, false)?;
    kept.push(body);
    Some(kept)
}

fn unrecorded() -> Failure {
    Failure::new(ErrorKind::Unavailable, "store", "the decision cannot be recorded; try again later")
}

/// Records a decision, durably, and counts it. `kept` is the body that it is about, where bodies are recorded.
pub(crate) async fn append(shared: &Shared, event: Event, kept: Option<Kept>) -> Result<(), Failure> {
    shared.metrics.decision(event.protocol, event.direction, event.verdict, event.action);
    for (rule, count) in &event.rules {
        shared.metrics.findings(rule, event.direction, *count);
    }
    if event.failed_open {
        shared.metrics.failed_open();
    }
    let recorded = shared.recorder.append_with(event, kept).await;
    shared.recording.store(recorded.is_ok(), Ordering::Relaxed);
    recorded.map_err(|error| {
        tracing::error!(%error, "cannot record a decision");
        unrecorded()
    })
}
