//! What the engine said of texts that it has seen: in a conversation that grows, only what is new is scanned.
//!
//! The engine is a function of the text, its kind and its origin, so that an answer may be kept under a digest of all
//! of them. Everything that the engine is given is kept that way, also the joined parts of a message: a text that is
//! split in another way is another text.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use bartizan_core::{Finding, Kind, Origin, TenantId, Text};
use bartizan_engine::{Engine, Input, Meter, Scan};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// Texts up to this many bytes are kept for one request only: they are scanned as fast as they are hashed.
const SHORT: usize = 64;

/// Most texts kept for one request.
const MEMO: usize = 4096;

/// What an entry takes besides its findings: key, pointers and the cache's own accounts.
const ENTRY: usize = 256;

/// What a finding takes.
const FINDING: usize = 256;

/// Most tenants with a cache at a time; the one that was idle longest goes first.
const TENANTS: u64 = 256;

/// A conversation that rests so long is scanned anew.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// Answers of engines by tenant. Each tenant has a key and a bound of its own: nobody's traffic shows in the time that
/// another's takes.
pub struct SegmentCache {
    tenants: Cache<TenantId, Arc<Segments>>,
    /// Bytes a tenant may take.
    bytes: u64,
}

impl SegmentCache {
    /// A cache with so many bytes for each tenant.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let tenants = Cache::builder().max_capacity(TENANTS).eviction_policy(EvictionPolicy::lru()).time_to_idle(IDLE);
        Self { tenants: tenants.build(), bytes }
    }

    /// The part of a tenant; nothing where the system gives no random bytes for its key.
    pub(crate) fn of(&self, tenant: &TenantId) -> Option<Arc<Segments>> {
        if self.bytes == 0 {
            return None;
        }
        if let Some(segments) = self.tenants.get(tenant) {
            return Some(segments);
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &aws_lc_rs::rand::SystemRandom::new()).ok()?;
        Some(self.tenants.get_with_by_ref(tenant, || Arc::new(Segments::new(key, self.bytes))))
    }
}

/// The answers about one tenant's texts.
pub(crate) struct Segments {
    key: hmac::Key,
    scans: Cache<Segment, Arc<Scan>>,
    clean: Arc<Scan>,
}

/// A text by its length and a keyed digest of it, of what it is and where it came from, and of what scans it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Segment {
    bytes: usize,
    digest: [u8; 32],
}

impl Segments {
    fn new(key: hmac::Key, bytes: u64) -> Self {
        let scans = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, scan: &Arc<Scan>| u32::try_from(ENTRY + FINDING * scan.findings.len()).unwrap_or(u32::MAX))
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE);
        Self { key, scans: scans.build(), clean: Arc::default() }
    }

    fn segment(&self, engine: u64, input: &Input<'_>) -> Segment {
        let mut head = Vec::with_capacity(64);
        head.extend(engine.to_le_bytes());
        head.extend([input.kind as u8, input.origin.source as u8, input.context.direction as u8]);
        head.extend((input.context.profile.0 as u64).to_le_bytes());
        for part in [&input.origin.server, &input.origin.tool, &input.origin.field] {
            // The length with one added: absent is not the same as empty.
            let length = part.as_ref().map_or(0, |text| text.len() as u64 + 1);
            head.extend(length.to_le_bytes());
            head.extend(part.iter().flat_map(|text| text.bytes()));
        }
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&head);
        context.update(input.text.as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        Segment { bytes: input.text.len(), digest }
    }

    fn keep(&self, segment: Segment, scan: Scan) -> Arc<Scan> {
        let scan = if scan == *self.clean { Arc::clone(&self.clean) } else { Arc::new(scan) };
        self.scans.insert(segment, Arc::clone(&scan));
        scan
    }
}

/// An answer, new or kept.
pub(crate) enum Found {
    New(Scan),
    Kept(Arc<Scan>),
}

impl Found {
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        match self {
            Self::New(scan) => scan.findings,
            Self::Kept(scan) => scan.findings.clone(),
        }
    }
}

impl Deref for Found {
    type Target = Scan;
    fn deref(&self) -> &Scan {
        match self {
            Self::New(scan) => scan,
            Self::Kept(scan) => scan,
        }
    }
}

/// How much text an assessment was about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes that the engine looked at.
    pub scanned: usize,
    /// Bytes of which the answer was there.
    pub kept: usize,
}

/// Asks the engine about the texts of one exchange, each once.
pub(crate) struct Scanner<'a> {
    engine: &'a Engine,
    /// Names the engine among all of this process: rules, settings and packs are fixed in it.
    instance: u64,
    segments: Option<Arc<Segments>>,
    /// Short texts repeat within a body: keys, roles, names.
    memo: HashMap<(Kind, &'a Origin, &'a str), Arc<Scan>>,
    clean: Arc<Scan>,
    pub(crate) meter: Meter,
    pub(crate) work: Work,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(engine: &'a Engine, instance: u64, segments: Option<Arc<Segments>>, meter: Meter) -> Self {
        let clean = Arc::default();
        Self { engine, instance, segments, memo: HashMap::new(), clean, meter, work: Work::default() }
    }

    /// The answer about a text of the exchange.
    pub(crate) fn text(&mut self, text: &'a Text, context: bartizan_core::Context<'_>) -> Found {
        let input = Input { text: &text.value, kind: text.kind, origin: &text.origin, context };
        if text.value.len() > SHORT || !context.system.is_empty() {
            return self.input(&input);
        }
        let key = (text.kind, &text.origin, text.value.as_str());
        if let Some(scan) = self.memo.get(&key) {
            self.work.kept += input.text.len();
            return Found::Kept(Arc::clone(scan));
        }
        let (scan, whole) = self.scan(&input);
        let scan = if scan == *self.clean { Arc::clone(&self.clean) } else { Arc::new(scan) };
        if whole && self.memo.len() < MEMO {
            self.memo.insert(key, Arc::clone(&scan));
        }
        Found::Kept(scan)
    }

    /// The answer about any text. What is compared with a system text depends on it too, and is not kept.
    pub(crate) fn input(&mut self, input: &Input<'_>) -> Found {
        let Some(segments) = self.segments.clone().filter(|_| input.context.system.is_empty()) else {
            return Found::New(self.scan(input).0);
        };
        if input.text.len() <= SHORT {
            return Found::New(self.scan(input).0);
        }
        let segment = segments.segment(self.instance, input);
        if let Some(scan) = segments.scans.get(&segment) {
            self.work.kept += input.text.len();
            return Found::Kept(scan);
        }
        match self.scan(input) {
            (scan, true) => Found::Kept(segments.keep(segment, scan)),
            (scan, false) => Found::New(scan),
        }
    }

    /// The engine's answer, and whether every detector had the time to give it.
    fn scan(&mut self, input: &Input<'_>) -> (Scan, bool) {
        let skips = self.meter.skips();
        self.work.scanned += input.text.len();
        let scan = self.engine.scan_metered(input, &mut self.meter);
        (scan, self.meter.skips() == skips)
    }
}
