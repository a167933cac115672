//! Everything behind, in front of and beneath the gateway fails, at once and in any order.
//!
//! The laws: no canary is ever on the wire unmasked, in either direction; nobody sees anything of another's exchange;
//! every answer ends; what was acknowledged is on record; and nothing is left over when all is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, Event, EventQuery, EventStore, Record, StoreError, Tally, TenantId};
use bartizan_gateway::{Client, Next, SecretRef, Settings, Upstream};
use bartizan_guard::Guard;
use bartizan_store::SqliteStore;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::raw::{self, Next as Message, Strictness};
use crate::support::{Random, Running, start, start_with, timely, trial};
use crate::wires::{Wire, is_stream, strings};

/// What is said in both directions and may arrive in neither.
const CANARY: &str = "ann.lee@example.org";
const MASK: &str = "[REDACTED:EMAIL_ADDRESS]";

/// Milliseconds for which the gateway waits for the upstream.
const PATIENCE: u64 = 800;

/// How the upstream fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Closes after so many bytes of the reply.
    Cut,
    /// The same with a reset.
    Reset,
    /// Says nothing more, and stays.
    Stall,
    /// Bytes that belong nowhere.
    Garbage,
    /// The length is larger than the body.
    Longer,
    /// The length is smaller than the body.
    Shorter,
    /// A chunk size that is none.
    BadChunk,
    /// Another reply follows that nobody asked for.
    Twice,
    /// No HTTP at all.
    Noise,
    /// An error that quotes what it was sent.
    Error,
}

const FAULTS: &[Fault] = &[
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::Cut,
    Fault::Reset,
    Fault::Stall,
    Fault::Garbage,
    Fault::Longer,
    Fault::Shorter,
    Fault::BadChunk,
    Fault::Twice,
    Fault::Noise,
    Fault::Error,
];

/// How the caller behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Plain,
    /// Goes away after so many bytes of the answer.
    Leaves(usize),
    /// Takes the answer in small pieces.
    Reads(usize),
    /// Sends the request in small pieces.
    Sends(usize),
    /// Sends another question before the first is answered.
    Pipelines,
}

/// One exchange; both ends make it from the same seed.
struct Plan {
    mark: String,
    wire: Wire,
    stream: bool,
    /// The stream has chunks, or ends with the connection.
    chunked: bool,
    fault: Fault,
    caller: Caller,
    text: String,
    random: Random,
}

impl Plan {
    fn of(seed: u64) -> Self {
        let mut random = Random(seed);
        let caller = match random.below(8) {
            0 => Caller::Leaves(random.below(600)),
            1 => Caller::Reads(1 + random.below(40)),
            2 => Caller::Sends(1 + random.below(40)),
            3 => Caller::Pipelines,
            _ => Caller::Plain,
        };
        let mark = format!("f{seed}x");
        let mut text = mark.clone();
        for _ in 0..random.below(30) {
            text.push(' ');
            let words = ["one", "Straße", "漢字", "😀", CANARY, "\"quoted\"", "line\nbreak", "the order of", CANARY];
            text.push_str(random.pick::<&str>(&words));
        }
        Self {
            mark,
            wire: *random.pick(Wire::ALL),
            stream: random.below(3) > 0,
            chunked: random.below(2) == 0,
            fault: *random.pick(FAULTS),
            caller,
            text,
            random,
        }
    }

    fn question(&self) -> String {
        self.wire.question(&format!("{}: tell {CANARY}", self.mark), self.stream)
    }

    /// A JSON string literal, some characters of which are escapes.
    fn literal(&mut self, text: &str) -> String {
        let mut literal = String::from("\"");
        for c in text.chars() {
            if self.random.below(9) == 0 && c.is_ascii() {
                literal.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                let quoted = serde_json::to_string(&c.to_string()).unwrap();
                literal.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        literal + "\""
    }

    /// The bytes of the reply, broken as the plan says.
    fn reply(&mut self) -> Vec<u8> {
        let text = self.text.clone();
        let whole = self.literal(&text);
        let (kind, body) = if self.fault == Fault::Error {
            ("application/json", self.wire.error(&whole))
        } else if self.stream {
            let mut pieces = Vec::new();
            let mut rest = text.as_str();
            while let Some(first) = rest.chars().next() {
                let mut end = (1 + self.random.below(12)).min(rest.len());
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                let (piece, after) = rest.split_at(end.max(first.len_utf8()));
                rest = after;
                pieces.push(self.literal(piece));
            }
            ("text/event-stream", self.wire.stream(&pieces, &whole))
        } else {
            ("application/json", self.wire.reply(&whole))
        };
        let status = if self.fault == Fault::Error { "500 Internal Server Error" } else { "200 OK" };
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n");
        let mut bytes = body.clone().into_bytes();
        if self.chunked || self.fault == Fault::BadChunk {
            head.push_str("Transfer-Encoding: chunked\r\n");
            let mut framed = Vec::new();
            let size = 1 + self.random.below(bytes.len());
            for piece in bytes.chunks(size) {
                framed.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                framed.extend_from_slice(piece);
                framed.extend_from_slice(b"\r\n");
            }
            framed.extend_from_slice(if self.fault == Fault::BadChunk { b"zz\r\n" } else { b"0\r\n\r\n" });
            bytes = framed;
        } else if self.fault == Fault::Longer {
            head.push_str(&format!("Content-Length: {}\r\n", bytes.len() + 50));
        } else if self.fault == Fault::Shorter {
            head.push_str(&format!("Content-Length: {}\r\n", bytes.len() - bytes.len() / 3));
        } else if self.stream && self.fault != Fault::Twice {
            head.push_str("Connection: close\r\n");
        } else {
            head.push_str(&format!("Content-Length: {}\r\n", bytes.len()));
        }
        let mut whole = (head + "\r\n").into_bytes();
        whole.append(&mut bytes);
        match self.fault {
            Fault::Garbage => {
                let at = self.random.below(whole.len());
                let noise: Vec<u8> = (0..1 + self.random.below(9)).map(|_| self.random.next() as u8).collect();
                whole.splice(at..at, noise);
            }
            Fault::Twice => {
                let poison = json!({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "poison"}}]}).to_string();
                whole.extend_from_slice(
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{poison}",
                        poison.len()
                    )
                    .as_bytes(),
                );
            }
            Fault::Noise => whole = (0..200).map(|_| self.random.next() as u8).collect(),
            Fault::Cut | Fault::Reset | Fault::Stall => {
                let at = self.random.below(whole.len());
                whole.truncate(at);
            }
            _ => {}
        }
        whole
    }

    /// True where the connection of the upstream can be used again.
    fn stays(&self) -> bool {
        matches!(self.fault, Fault::None | Fault::Error | Fault::Twice | Fault::Shorter)
            && (self.chunked || !self.stream || self.fault != Fault::None)
    }
}

/// An upstream that does what the plan of each request says.
#[derive(Clone)]
struct Hostile {
    url: String,
    leaked: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    /// Replies with bytes behind their end. Whoever is given that connection next finds it broken.
    overlong: Arc<AtomicUsize>,
}

impl Hostile {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = Self { url, leaked: Arc::default(), asked: Arc::default(), overlong: Arc::default() };
        let shared = this.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(misbehave(socket, shared.clone()));
            }
        });
        this
    }
}

async fn misbehave(mut socket: TcpStream, counts: Hostile) -> Option<()> {
    let _ = socket.set_nodelay(true);
    let mut bytes = Vec::new();
    loop {
        let body = match raw::next_request(&bytes, Strictness::Letter) {
            Message::Request { body, used, .. } => {
                bytes.drain(..used);
                String::from_utf8_lossy(&body).into_owned()
            }
            Message::More => match socket.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => continue,
            },
            Message::Bad(why) => panic!("the gateway sent {why}"),
        };
        counts.asked.fetch_add(1, Ordering::Relaxed);
        if body.contains(CANARY) {
            counts.leaked.fetch_add(1, Ordering::Relaxed);
        }
        let seed = body.split_once("\"f").and_then(|(_, rest)| rest.split_once('x')?.0.parse().ok());
        let mut plan = Plan::of(seed.expect("the mark"));
        let reply = plan.reply();
        if matches!(plan.fault, Fault::Twice | Fault::Shorter) {
            counts.overlong.fetch_add(1, Ordering::Relaxed);
        }
        // Small pieces cut characters and JSON anywhere.
        let size = *plan.random.pick(&[1, 3, 17, 1000, usize::MAX]);
        for piece in reply.chunks(size.max(reply.len() / 400)) {
            socket.write_all(piece).await.ok()?;
            tokio::task::yield_now().await;
        }
        match plan.fault {
            Fault::Stall => tokio::time::sleep(Duration::from_millis(3 * PATIENCE)).await,
            Fault::Reset => {
                socket.set_zero_linger().ok()?;
                return None;
            }
            _ => {}
        }
        if !plan.stays() {
            return None;
        }
    }
}

/// What a caller got, cut into replies. The last may be incomplete.
struct Reply {
    status: u16,
    event: Option<String>,
    body: String,
    complete: bool,
}

fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut found = Vec::new();
    while let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|l| Some(l.strip_prefix(name)?.trim().to_owned()));
        bytes = &bytes[end + 4..];
        let (body, used, complete) = if field("transfer-encoding:").is_some() {
            raw::dechunk(bytes)
        } else {
            let length = field("content-length:").map_or(bytes.len(), |l| l.parse().unwrap());
            let taken = length.min(bytes.len());
            (bytes[..taken].to_vec(), taken, taken == length)
        };
        bytes = &bytes[used..];
        found.push(Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            event: field("x-bartizan-event:"),
            // A caller sees bytes; what is no UTF-8 is a defect of its own.
            body: if complete { String::from_utf8(body).unwrap() } else { String::from_utf8_lossy(&body).into_owned() },
            complete,
        });
    }
    found
}

impl Reply {
    /// True where the caller takes it for whole.
    fn ended(&self, wire: Wire) -> bool {
        self.complete && (!is_stream(&self.body) || wire.ends(&self.body))
    }

    /// True where a string in it, or its text put together, holds a canary.
    fn leaks(&self, wire: Wire) -> bool {
        wire.said(&self.body).contains(CANARY) || strings(&self.body).iter().any(|s| s.contains(CANARY))
    }
}

async fn call(to: SocketAddr, plan: &Plan, next: Option<&Plan>) -> Option<Vec<u8>> {
    let mut socket = TcpStream::connect(to).await.unwrap();
    let _ = socket.set_nodelay(true);
    let mut question = plan.question();
    if let Some(next) = next {
        question.push_str(&next.question().replacen("\r\n", "\r\nConnection: close\r\n", 1));
    } else {
        question = question.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    }
    let (small, slow) = match plan.caller {
        Caller::Sends(size) => (size, true),
        _ => (usize::MAX, false),
    };
    for piece in question.as_bytes().chunks(small) {
        if socket.write_all(piece).await.is_err() {
            break;
        }
        if slow {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let mut got = Vec::new();
    let read = async {
        let mut piece = vec![0; if let Caller::Reads(size) = plan.caller { size } else { 4096 }];
        loop {
            match socket.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(n) => got.extend_from_slice(&piece[..n]),
            }
            match plan.caller {
                Caller::Leaves(after) if got.len() >= after => return,
                Caller::Reads(_) => tokio::task::yield_now().await,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.ok()?;
    Some(got)
}

/// What became of an exchange.
#[derive(Default)]
struct Played {
    /// Masks that the caller saw.
    masks: usize,
    /// Exchanges that got a connection with a reply in it that was not theirs, or a broken one.
    unlucky: usize,
}

/// Plays one exchange and holds it against the laws.
async fn play(gateway: &Running, seed: u64) -> Played {
    let plan = Plan::of(seed);
    // Seeds of second questions are of their own, and even where first ones are odd.
    let second = (plan.caller == Caller::Pipelines).then(|| Plan::of(seed + 1));
    let begun = Instant::now();
    let got = call(gateway.address, &plan, second.as_ref()).await;
    let about = |what: &str| {
        format!(
            "{what}: seed {seed}, {:?}, {:?}, {:?}, stream {}, chunked {}",
            plan.wire, plan.fault, plan.caller, plan.stream, plan.chunked
        )
    };
    let Some(got) = got else { panic!("{}", about("no end")) };
    let shown = || String::from_utf8_lossy(&got).into_owned();
    assert!(!shown().contains(CANARY), "{}\n{}", about("a canary"), shown());
    let replies = replies(&got);
    let mut played = Played::default();
    for (reply, plan) in replies.iter().zip(std::iter::once(&plan).chain(&second)) {
        let said = plan.wire.said(&reply.body);
        assert!(!reply.leaks(plan.wire), "{}\n{}", about("a canary in pieces"), shown());
        // HTTP/1.1 has no names for replies: one that nobody asked for and that comes after the next question was sent
        // is taken for its answer (RFC 9112, section 9.2). It is examined like any other.
        if reply.body.contains("poison") {
            played.unlucky += 1;
            continue;
        }
        let foreign = said.split('f').filter_map(|rest| rest.split_once('x')?.0.parse::<u64>().ok());
        // Garbage may swallow a piece of the mark.
        for number in foreign.filter(|_| plan.fault != Fault::Garbage) {
            assert_eq!(format!("f{number}x"), plan.mark, "{}\n{said}", about("another's reply"));
        }
        played.masks += said.matches(MASK).count();
        assert!([200, 400, 500, 502, 503, 504].contains(&reply.status), "{} {}", about("status"), reply.status);
        let ended = reply.ended(plan.wire);
        if !matches!(plan.caller, Caller::Leaves(_)) {
            assert!(ended, "{}\n{}", about("no proper end"), shown());
        }
        if ended && let Some(event) = &reply.event {
            let record = gateway.store.get(&TenantId::sole(), event).await.unwrap();
            assert!(record.is_some(), "{}", about("an acknowledged record is missing"));
        }
        // Where the machine is too slow for the time-outs, they are the fault.
        if plan.fault == Fault::None && reply.status == 502 {
            played.unlucky += 1;
        } else if plan.fault == Fault::None && ended && begun.elapsed() < Duration::from_millis(PATIENCE) {
            assert_eq!(reply.status, 200, "{}\n{}", about("status"), shown());
            assert_eq!(said, plan.text.replace(CANARY, MASK), "{}", about("the masked text"));
        }
    }
    if !matches!(plan.caller, Caller::Leaves(_)) {
        assert!(!replies.is_empty(), "{}", about("no answer"));
    }
    played
}

/// Resident bytes of this process; `None` where the system does not say.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

async fn quick(upstream: &Hostile) -> Running {
    start(|s| set(s, upstream)).await
}

fn set(settings: &mut Settings, upstream: &Hostile) {
    settings.upstream = vec![Upstream { retries: 0, ..Upstream::at("u", &upstream.url) }];
    settings.timeouts.idle_ms = PATIENCE;
    settings.timeouts.first_byte_ms = PATIENCE;
    settings.timeouts.header_ms = 5000;
}

/// A configuration to put in force, with a guard of its own.
pub(crate) fn configuration(settings: Settings) -> Next {
    Next {
        settings,
        guard: Arc::new(Guard::new(&bartizan_guard::Settings::default()).unwrap()),
        profiles: Default::default(),
        digest: String::new(),
        policy: String::new(),
        candidate: None,
        watched: Default::default(),
    }
}

/// Nothing is left over: no place is taken, and the chain holds together.
async fn settled(gateway: &Running) {
    let begun = Instant::now();
    while gateway.metrics.in_flight.get() != 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} requests in flight", gateway.metrics.in_flight.get());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gateway.store.verify().await.unwrap();
}

#[test]
fn nothing_unexamined_passes_and_nothing_is_lost_whatever_fails() {
    let trial = trial(1, Duration::ZERO);
    trial.timely(async {
        let upstream = Hostile::start().await;
        let gateway = quick(&upstream).await;
        let begun = Instant::now();
        let (mut seed, mut played, mut masks, mut unlucky) = (trial.seed << 32, 0, 0, 0);
        let mut sizes = Vec::new();
        while played < 384 || begun.elapsed() < trial.time {
            let round: Vec<u64> = (0..96).map(|n| seed + 2 * n).collect();
            seed += 192;
            for exchange in join_all(round.into_iter().map(|seed| play(&gateway, seed))).await {
                masks += exchange.masks;
                unlucky += exchange.unlucky;
            }
            played += 96;
            sizes.extend(resident());
        }
        settled(&gateway).await;
        assert_eq!(upstream.leaked.load(Ordering::Relaxed), 0, "canaries reached the upstream");
        let overlong = upstream.overlong.load(Ordering::Relaxed);
        assert!(unlucky <= overlong, "{unlucky} good exchanges failed, and {overlong} connections were spoilt");
        assert!(masks > played / 2, "{masks} masks in {played} exchanges: the canaries are not there to be found");
        let (asked, mib) = (upstream.asked.load(Ordering::Relaxed), |b: u64| b >> 20);
        // Allocators and tables grow at first; what grows with every exchange grows on.
        if let (Some(third), Some(last)) = (sizes.get(sizes.len() / 3), sizes.last()) {
            println!(
                "{played} exchanges, {asked} at the upstream, {unlucky} on spoilt connections; resident {} MiB, then {} MiB",
                mib(*third),
                mib(*last)
            );
            assert!(*last < *third + (24 << 20), "memory grows: {sizes:?}");
        }
    });
}

#[test]
fn reloads_under_load_let_nothing_through() {
    timely(async {
        let upstream = Hostile::start().await;
        let gateway = quick(&upstream).await;
        let mut settings = gateway.settings.clone();
        let reloading = async {
            for turn in 0..20_u64 {
                tokio::time::sleep(Duration::from_millis(15)).await;
                settings.timeouts.idle_ms = PATIENCE + turn;
                let bad = turn % 4 == 3;
                let mut next = settings.clone();
                if bad {
                    next.upstream.clear();
                }
                let (reloader, next) = (gateway.reloader.clone(), next);
                let taken = tokio::task::spawn_blocking(move || reloader.swap(configuration(next)).is_ok());
                assert_eq!(taken.await.unwrap(), !bad);
            }
        };
        let playing = async {
            for round in 0..5 {
                join_all((0..16).map(|n| play(&gateway, (7 << 32) + 100 * round + 2 * n))).await;
            }
        };
        tokio::join!(reloading, playing);
        settled(&gateway).await;
        assert_eq!(upstream.leaked.load(Ordering::Relaxed), 0);
    });
}

/// A store that fails when it is told to.
pub(crate) struct Flaky {
    inner: SqliteStore,
    pub(crate) mode: AtomicU8,
    written: AtomicU64,
}

pub(crate) const FINE: u8 = 0;
pub(crate) const FULL: u8 = 1;
const LOCKED: u8 = 2;
const SLOW: u8 = 3;

impl Flaky {
    pub(crate) fn new(inner: SqliteStore) -> Self {
        Self { inner, mode: AtomicU8::new(FINE), written: AtomicU64::new(0) }
    }

    async fn may_write(&self) -> Result<(), StoreError> {
        match self.mode.load(Ordering::Relaxed) {
            FULL => return Err(StoreError::Full("no space left on device".to_owned())),
            LOCKED => return Err(StoreError::Failed("database is locked".to_owned())),
            SLOW => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => {}
        }
        Ok(())
    }
}

impl EventStore for Flaky {
    fn append(&self, event: Event) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.may_write().await?;
            self.written.fetch_add(1, Ordering::Relaxed);
            self.inner.append(event).await
        })
    }
    fn act(&self, act: Act) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.may_write().await?;
            self.inner.act(act).await
        })
    }
    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>> {
        self.inner.recent(tenant, limit)
    }
    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>> {
        self.inner.get(tenant, id)
    }
    fn query<'a>(&'a self, tenant: &'a TenantId, query: &'a EventQuery) -> StoreFuture<'a, Vec<Event>> {
        self.inner.query(tenant, query)
    }
    fn tally<'a>(&'a self, tenant: &'a TenantId, since: &'a str) -> StoreFuture<'a, Tally> {
        self.inner.tally(tenant, since)
    }
    fn exchange<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Vec<Event>> {
        self.inner.exchange(tenant, id)
    }
    fn acts<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Act>> {
        self.inner.acts(tenant, limit)
    }
    fn after(&self, seq: Option<u64>, limit: u32) -> StoreFuture<'_, Vec<Record>> {
        self.inner.after(seq, limit)
    }
    fn ready(&self) -> StoreFuture<'_, ()> {
        self.inner.ready()
    }
    fn verify(&self) -> StoreFuture<'_, u64> {
        self.inner.verify()
    }
}

/// A seed whose upstream and caller do nothing wrong.
fn good(from: u64, stream: bool) -> u64 {
    (from..)
        .step_by(2)
        .find(|seed| {
            let plan = Plan::of(*seed);
            (plan.fault, plan.caller, plan.stream) == (Fault::None, Caller::Plain, stream)
        })
        .unwrap()
}

#[test]
fn a_store_that_cannot_write_lets_no_answer_out() {
    timely(async {
        let upstream = Hostile::start().await;
        let inner = SqliteStore::open_in_memory().await.unwrap();
        let store = Arc::new(Flaky::new(inner));
        let gateway = start_with(|s| set(s, &upstream), Arc::clone(&store) as _).await;
        let mut seed = 9 << 32;
        let mut ask = async |stream| {
            seed = good(seed + 2, stream);
            let plan = Plan::of(seed);
            let got = call(gateway.address, &plan, None).await.expect("it ends");
            (plan, replies(&got).pop().expect("a reply"))
        };
        for broken in [FULL, LOCKED] {
            for stream in [false, true] {
                store.mode.store(FINE, Ordering::Relaxed);
                for _ in 0..2 {
                    assert_eq!(ask(stream).await.1.status, 200, "it recovers by itself");
                }
                store.mode.store(broken, Ordering::Relaxed);
                let (asked, written) = (upstream.asked.load(Ordering::Relaxed), store.written.load(Ordering::Relaxed));
                for _ in 0..4 {
                    let (plan, reply) = ask(stream).await;
                    assert!([503, 529].contains(&reply.status), "{} {}", reply.status, reply.body);
                    assert!(!reply.body.contains(&plan.mark) && !reply.body.contains("disk"), "{}", reply.body);
                    assert!(reply.complete);
                }
                assert!(upstream.asked.load(Ordering::Relaxed) - asked <= 1, "only who was on the way when it broke");
                assert_eq!(store.written.load(Ordering::Relaxed), written);
            }
        }
        store.mode.store(SLOW, Ordering::Relaxed);
        for stream in [false, true] {
            let (plan, reply) = ask(stream).await;
            assert_eq!((reply.status, plan.wire.said(&reply.body)), (200, plan.text.replace(CANARY, MASK)));
        }
        // It fails between the question and the answer, too.
        store.mode.store(FINE, Ordering::Relaxed);
        let switching = async {
            for turn in 0..60_u8 {
                store.mode.store(turn % 4, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            store.mode.store(FINE, Ordering::Relaxed);
        };
        let playing = async {
            let mut answered = 0;
            for round in 0..4 {
                let round = (0..12).map(|n| {
                    let (gateway, store) = (&gateway, &store);
                    async move {
                        let plan = Plan::of(good((11 << 32) + 10_000 * round + 400 * n, n % 2 == 0));
                        let got = call(gateway.address, &plan, None).await.expect("it ends");
                        let reply = replies(&got).pop().expect("a reply");
                        let ended = reply.ended(plan.wire) && reply.status == 200;
                        if ended {
                            let event = reply.event.as_deref().expect("an event");
                            assert!(store.get(&TenantId::sole(), event).await.unwrap().is_some(), "not on record");
                        }
                        assert!(!reply.leaks(plan.wire));
                        usize::from(ended)
                    }
                });
                answered += join_all(round).await.into_iter().sum::<usize>();
            }
            answered
        };
        let (answered, ()) = tokio::join!(playing, switching);
        println!("{answered} of 48 were answered while the store came and went");
        settled(&gateway).await;
    });
}

#[test]
fn budgets_are_exact_within_one_request_whatever_fails() {
    const KEY: &str = "budget-key-0123456789";
    timely(async {
        let upstream = Hostile::start().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, KEY).unwrap();
        let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nowhere = format!("http://{}", dead.local_addr().unwrap());
        drop(dead);
        let client = |budget| Client {
            name: "app".to_owned(),
            key: Some(SecretRef::File(path.clone())),
            certificate: None,
            tenant: TenantId::sole(),
            models: Vec::new(),
            profile: None,
            quota: bartizan_core::Quota { tokens_per_day: Some(budget), ..Default::default() },
        };
        let ask = async |gateway: &Running, seed| {
            let plan = Plan::of(good(seed, false));
            let question =
                plan.question().replacen("\r\n", &format!("\r\nConnection: close\r\nx-api-key: {KEY}\r\n"), 1);
            let got = raw::exchange(gateway.address, question.as_bytes(), usize::MAX).await.expect("it ends");
            replies(&got).pop().expect("a reply").status
        };
        // What never reached the upstream costs nothing.
        let gateway = start(|s| {
            set(s, &upstream);
            s.upstream[0].url = nowhere.clone();
            s.client = vec![client(1000)];
        })
        .await;
        for n in 0..12 {
            assert_eq!(ask(&gateway, (13 << 32) + 200 * n).await, 502);
        }
        let mut settings = gateway.settings.clone();
        settings.upstream[0].url.clone_from(&upstream.url);
        let reloader = gateway.reloader.clone();
        tokio::task::spawn_blocking(move || {
            reloader.swap(configuration(settings)).unwrap();
        })
        .await
        .unwrap();
        let mut served = 0;
        while ask(&gateway, (14 << 32) + 200 * served).await == 200 {
            served += 1;
        }
        // 150 tokens each: the sixth ends at 900, the seventh passes the end.
        assert!((6..=7).contains(&served), "{served} requests of 150 tokens with a budget of 1000");

        // Many at once do not get past it together.
        let gateway = start(|s| {
            set(s, &upstream);
            s.client = vec![client(1000)];
        })
        .await;
        let all = join_all((0..40).map(|n| ask(&gateway, (15 << 32) + 200 * n))).await;
        let served = all.iter().filter(|s| **s == 200).count();
        assert!(all.iter().all(|s| *s == 200 || *s == 429), "{all:?}");
        assert!((1..=7).contains(&served), "{served} of 40 with a budget for 7");
    });
}
