//! `bartizan bench`: numbers for `docs/benchmarks.md`. It prints; nothing depends on them.

mod agents;
pub(crate) mod args;
mod budgets;
mod conversation;
pub(crate) mod data;
mod ext_proc;
mod gateway;
pub(crate) mod injection;
mod load;
mod mcp;
mod pii;
mod posture;
mod protected;
mod redteam;
mod secrets;
mod streams;
mod tenants;

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bartizan_core::Source;
use bartizan_guard::{Guard, Settings};

use self::args::BenchCommand;
use crate::DONE;

/// Runs a benchmark.
pub(crate) fn run(what: &BenchCommand) -> anyhow::Result<u8> {
    match what {
        BenchCommand::Engine { seconds } => engine(*seconds),
        BenchCommand::Injection(args) => injection::run(args),
        BenchCommand::Agents { rounds } => agents::run(*rounds),
        BenchCommand::Budgets { slack } => budgets::run(*slack),
        BenchCommand::Conversation { messages } => conversation::run(*messages),
        BenchCommand::Gateway { requests, peer, peer_header } => {
            let peers: Vec<_> = peer.iter().map(|command| gateway::Peer { command, headers: peer_header }).collect();
            gateway::run(*requests, &peers)
        }
        BenchCommand::ExtProc { exchanges } => ext_proc::run(*exchanges),
        BenchCommand::Data(args) => data::run(args),
        BenchCommand::Redteam { trials } => redteam::measure(*trials),
        BenchCommand::Streams { streams } => streams::run(*streams),
        BenchCommand::Tenants { seconds } => tenants::run(*seconds),
        BenchCommand::Sensitive { secret_cases, code, peer, pii } => {
            for file in pii {
                pii::run(file)?;
            }
            secrets::run(secret_cases.as_deref(), code.as_deref(), peer)?;
            Ok(DONE)
        }
        BenchCommand::Protected { corpus, text } => protected::run(corpus, text),
        BenchCommand::Posture { decisions } => posture::run(*decisions),
        BenchCommand::Passthrough { upstream } => gateway::passthrough(upstream),
        BenchCommand::Mcp { calls } => mcp::run(*calls),
        BenchCommand::McpServer { script, http: false } => mcp::scripted(script.as_deref()),
        BenchCommand::McpServer { script, http: true } => mcp::scripted_http(script.as_deref()),
    }
}

const PROSE: &[&str] = &[
    "The committee met on Tuesday to go through the plans for the new library, ",
    "and most of the evening went to the question of where the children would sit. ",
    "Nobody had measured the old rooms, so the figures in the report were guesses; ",
    "still, they agreed to ask two firms for an offer before the end of the month.\n",
    "When the rain stopped she walked down to the harbour and counted the boats. ",
    "There were fewer than last year, but the ones that had stayed looked cared for. ",
];
const CODE: &[&str] = &[
    "{\"order\": 4711, \"lines\": [{\"item\": \"bolt M8\", \"count\": 250, \"unit_price\": 0.12}], ",
    "\"ship_to\": {\"city\": \"Ghent\", \"street\": \"Kaai\", \"floor\": null}, \"paid\": false}\n",
    "for (const row of rows) {\n    if (row.count > limit) { queue.push({ ...row, late: true }); }\n}\n",
    "def total(items):\n    return sum(i.count * i.price for i in items if not i.cancelled)\n",
];
const CHINESE: &[&str] = &[
    "委员会在星期二讨论了新图书馆的计划，",
    "大部分时间都用来讨论孩子们应该坐在哪里。",
    "雨停以后，她走到港口数了数船。\n",
];
const RUSSIAN: &[&str] = &[
    "Во вторник комитет обсуждал планы новой библиотеки, ",
    "и почти весь вечер ушёл на вопрос о том, где будут сидеть дети. ",
    "Когда дождь кончился, она спустилась к гавани и пересчитала лодки.\n",
];

/// Text of at least `bytes` bytes from the pieces, in an order that does not repeat quickly.
fn text(pieces: &[&str], bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 128);
    let mut state = 0x2545_f491_u32;
    while out.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.push_str(pieces[(state >> 16) as usize % pieces.len()]);
    }
    out
}

fn engine(seconds: f64) -> anyhow::Result<u8> {
    const LEARNED: &str = "prompt/learned-injection";
    for (name, disabled) in [
        ("lexical", &["pii/*", "secret/*", LEARNED][..]),
        ("lexical and the classifier", &["pii/*", "secret/*"]),
        ("lexical, secrets and personal data", &[LEARNED]),
        ("all rules and the classifier", &[]),
    ] {
        let disabled = disabled.iter().map(ToString::to_string).collect();
        let rules = bartizan_rules::Settings { disabled, ..Default::default() };
        column(name, &Settings { rules, ..Settings::default() }, Source::User, seconds)?;
    }
    let settings = Settings { rules: configured()?, ..Settings::default() };
    column("all rules on a reply, every sink, a script list and a topic", &settings, Source::Model, seconds)?;
    if let Some(memory) = resident() {
        writeln!(std::io::stdout(), "most memory resident: {memory}")?;
    }
    Ok(DONE)
}

/// Rules that a deployment has to ask for.
fn configured() -> anyhow::Result<bartizan_rules::Settings> {
    Ok(toml::from_str(
        "sink = [\"html\", \"sql\", \"shell\", \"template\", \"log\", \"markdown\"]\n\
         scripts = { allow = [\"Latin\", \"Common\", \"Han\", \"Cyrillic\"] }\n\
         [[topic]]\nname = \"competitors\"\nwords = [\"Globex\", \"Initech\", \"Acme Corp\"]\n",
    )?)
}

/// One column of the budget: the guard with some of its rules.
fn column(name: &str, settings: &Settings, source: Source, seconds: f64) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let guard = Guard::new(settings)?;
    let built = start.elapsed().as_secs_f64() * 1e3;
    writeln!(out, "{name}: {} rules, built in {built:.1} ms", guard.rules().count())?;
    writeln!(out, "{:20}  {:>9}  {:>9}  {:>12}  {:>8}", "text", "bytes", "MB/s", "CPU us/text", "findings")?;
    for (name, pieces) in
        [("English prose", PROSE), ("JSON and code", CODE), ("Chinese", CHINESE), ("Russian", RUSSIAN)]
    {
        for size in [64, 4 << 10, 1 << 20] {
            let text = text(pieces, size);
            let (per_text, findings) =
                measure(&guard, &text, source, Duration::from_secs_f64(seconds.clamp(0.01, 60.0)));
            #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            let bytes = text.len() as f64;
            let (rate, micros) = (bytes / per_text / 1e6, per_text * 1e6);
            writeln!(out, "{name:20}  {:>9}  {rate:>9.1}  {micros:>12.2}  {findings:>8}", text.len())?;
        }
    }
    Ok(())
}

/// Seconds of CPU for one check of the text, and how many findings it gives.
fn measure(guard: &Guard, text: &str, source: Source, time: Duration) -> (f64, usize) {
    let findings = guard.check_text(text, source).findings.len();
    let mut rounds = 0_u32;
    let wall = Instant::now();
    let cpu = cpu_seconds();
    while wall.elapsed() < time {
        black_box(guard.check_text(black_box(text), source));
        rounds += 1;
    }
    let spent = match (cpu, cpu_seconds()) {
        (Some(before), Some(after)) => after - before,
        _ => wall.elapsed().as_secs_f64(),
    };
    (spent / f64::from(rounds.max(1)), findings)
}

/// CPU time of this thread, where the system says (Linux).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

fn resident() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
