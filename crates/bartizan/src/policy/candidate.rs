//! What the candidate would have done, beside what was done.

use std::collections::BTreeMap;
use std::io::Write;

use bartizan_core::{Deed, Mode, TenantId, Verdict};
use bartizan_store::Evidence;
use hyper::Method;

use crate::args::ConfigArgs;
use crate::config::{self, Loaded};
use crate::record::{block_on, close};
use crate::store::{self, Place, Use};
use crate::terminal::{self, Style, paint};
use crate::{DONE, control};

/// Most records that are looked at.
const RECORDS: u32 = 100_000;

/// Deeds that are read at once.
const PAGE: u32 = 1000;

/// Most rules that are shown.
const RULES: usize = 40;

const VERDICTS: [Verdict; 4] = [Verdict::Allow, Verdict::Redact, Verdict::Hold, Verdict::Deny];

/// What happened, or would have, to requests and to replies.
type Both = [u64; 2];

/// Decisions of both policies.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tried {
    /// By verdict of the policy in force and of the candidate.
    pairs: BTreeMap<(Verdict, Verdict), Both>,
    /// Changes by rule: would be blocked, would pass.
    rules: BTreeMap<String, [u64; 2]>,
}

/// Whether verdicts are carried out by the policy in force and by the candidate.
#[derive(Clone, Copy, Debug)]
struct Modes {
    live: Mode,
    candidate: Mode,
}

/// `bartizan policy candidate`.
pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<u8> {
    let loaded = config::load(args, &[])?;
    let modes =
        Modes { live: loaded.config.mode, candidate: loaded.config.candidate.mode.unwrap_or(loaded.config.mode) };
    let (tried, from) = block_on(async {
        let metrics = control::ask(&loaded.config, Method::GET, "/admin/v1/metrics", None).await?;
        let Some(metrics) = metrics else { return Ok((recorded(&loaded, modes).await?, "records")) };
        let mut tried = counted(metrics.as_str().unwrap_or_default());
        if modes.differ() {
            // The counters by rule are of other verdicts; here the same verdict is carried out or not.
            tried.rules = recorded(&loaded, modes).await?.rules;
        }
        anyhow::Ok((
            tried,
            "counters of the running gateway, since this candidate was first tried or the gateway started",
        ))
    })?;
    draw(&mut std::io::stdout().lock(), &tried, modes, from)?;
    Ok(DONE)
}

impl Modes {
    fn differ(self) -> bool {
        self.live != self.candidate
    }

    /// True where the verdicts end in blocking, now and then.
    fn blocks(self, (live, candidate): (Verdict, Verdict)) -> (bool, bool) {
        let blocks = |mode: Mode, verdict: Verdict| mode == Mode::Enforce && verdict >= Verdict::Hold;
        (blocks(self.live, live), blocks(self.candidate, candidate))
    }
}

/// What the running gateway has counted, in the text of its metrics.
fn counted(metrics: &str) -> Tried {
    let mut tried = Tried::default();
    for line in metrics.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Some(count) = value.parse::<f64>().ok().filter(|n| *n > 0.0) else { continue };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of bodies")]
        let count = count as u64;
        let label = |name: &str| series.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split('"').next());
        let verdict = |name: &str| VERDICTS.into_iter().find(|v| label(name) == Some(v.as_str()));
        if series.starts_with("bartizan_candidate_decisions_total{") {
            let (Some(live), Some(candidate)) = (verdict("live"), verdict("candidate")) else { continue };
            let place = usize::from(label("direction") == Some("reply"));
            tried.pairs.entry((live, candidate)).or_default()[place] += count;
        } else if series.starts_with("bartizan_candidate_changes_total{") {
            let (Some(rule), Some(change)) = (label("rule"), label("change")) else { continue };
            tried.rules.entry(rule.to_owned()).or_default()[usize::from(change == "would-pass")] += count;
        }
    }
    tried
}

/// What the newest records say, also beside a running gateway.
async fn recorded(loaded: &Loaded, modes: Modes) -> anyhow::Result<Tried> {
    let mut tried = Tried::default();
    if !Place::of(&loaded.config, None)?.is_there() {
        return Ok(tried);
    }
    let store = store::open(&loaded.config, None, Use::Reading).await?;
    let since = tried_since(store.as_ref()).await?;
    let events = store.recent(&TenantId::sole(), RECORDS).await?;
    for event in events.into_iter().filter(|event| event.seq >= since) {
        let Some(candidate) = event.candidate else { continue };
        let pair = (event.verdict, candidate);
        tried.pairs.entry(pair).or_default()[usize::from(event.direction.as_str() == "reply")] += 1;
        let place = match modes.blocks(pair) {
            (false, true) => 0,
            (true, false) => 1,
            _ => continue,
        };
        for rule in event.rules.keys() {
            tried.rules.entry(rule.as_str().to_owned()).or_default()[place] += 1;
        }
    }
    close(store).await;
    Ok(tried)
}

/// Position in the chain from which on one and the same candidate was tried: the configuration was loaded, or an
/// operator tried another change. A restart with the same configuration changes nothing.
async fn tried_since(store: &dyn Evidence) -> anyhow::Result<u64> {
    let (mut digest, mut since, mut after) = (String::new(), 0, None);
    loop {
        let page = store.deeds(&TenantId::sole(), Deed::ConfigLoaded, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.seq);
        for act in page {
            if act.subject != digest {
                (digest, since) = (act.subject, act.seq);
            }
        }
    }
    for deed in [Deed::CandidateStaged, Deed::CandidateDropped] {
        let act = store.last_act(deed).await?;
        since = since.max(act.map_or(0, |act| act.seq));
    }
    Ok(since)
}

fn draw(out: &mut impl Write, tried: &Tried, modes: Modes, from: &str) -> anyhow::Result<()> {
    if tried.pairs.is_empty() {
        return Ok(writeln!(out, "nothing was judged by a candidate yet")?);
    }
    let color = terminal::colored_stdout();
    writeln!(out, "in force: {} mode; candidate: {} mode; from the {from}\n", modes.live, modes.candidate)?;
    let heading = format!("{:<38}{:>9}{:>9}{:>9}", "", "requests", "replies", "all");
    writeln!(out, "{}", paint(&heading, Style::Heading, color))?;
    for (says, changed) in [
        ("passes now and would be blocked", (false, true)),
        ("blocked now and would pass", (true, false)),
        ("blocked now and then", (true, true)),
        ("passes now and then", (false, false)),
    ] {
        let mut sum = [0, 0];
        for (_, counts) in tried.pairs.iter().filter(|(pair, _)| modes.blocks(**pair) == changed) {
            sum = [sum[0] + counts[0], sum[1] + counts[1]];
        }
        writeln!(out, "{says:<38}{:>9}{:>9}{:>9}", sum[0], sum[1], sum[0] + sum[1])?;
    }
    writeln!(out, "\n{}", paint("verdicts, in force -> candidate", Style::Heading, color))?;
    for ((live, candidate), [requests, replies]) in &tried.pairs {
        writeln!(out, "{:<38}{requests:>9}{replies:>9}{:>9}", format!("{live} -> {candidate}"), requests + replies)?;
    }
    if !tried.rules.is_empty() {
        let heading = format!("{:<38}{:>18}{:>18}", "rule", "would be blocked", "would pass");
        writeln!(out, "\n{}", paint(&heading, Style::Heading, color))?;
        let mut rules: Vec<_> = tried.rules.iter().collect();
        rules.sort_by_key(|(_, [block, pass])| std::cmp::Reverse(block + pass));
        for (rule, [block, pass]) in rules.iter().take(RULES) {
            writeln!(out, "{:<38}{block:>18}{pass:>18}", terminal::line(rule))?;
        }
        if let Some(more) = rules.len().checked_sub(RULES).filter(|more| *more > 0) {
            writeln!(out, "{more} more rules")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(metrics: &str, live: Mode, candidate: Mode) -> String {
        let mut out = Vec::new();
        draw(&mut out, &counted(metrics), Modes { live, candidate }, "counters").expect("it is written");
        String::from_utf8(out).expect("text")
    }

    const METRICS: &str = "# TYPE bartizan_candidate_decisions counter\n\
        bartizan_candidate_decisions_total{direction=\"request\",live=\"deny\",candidate=\"deny\"} 3\n\
        bartizan_candidate_decisions_total{direction=\"reply\",live=\"allow\",candidate=\"hold\"} 2\n\
        bartizan_candidate_decisions_total{direction=\"request\",live=\"deny\",candidate=\"redact\"} 1\n\
        bartizan_candidate_changes_total{rule=\"pii/email\",change=\"would-block\"} 2\n\
        bartizan_candidate_changes_total{rule=\"pii/iban\",change=\"would-pass\"} 1\n\
        bartizan_decisions_total{direction=\"request\"} 9\n";

    #[test]
    fn what_would_change_depends_on_the_modes_too() {
        let row = |live, candidate, says: &str| -> Vec<u64> {
            let text = drawn(METRICS, live, candidate);
            let line = text.lines().find_map(|line| line.strip_prefix(says)).expect("a row");
            line.split_whitespace().map(|n| n.parse().expect("a number")).collect()
        };
        let (block, pass) = ("passes now and would be blocked", "blocked now and would pass");
        assert_eq!(row(Mode::Enforce, Mode::Enforce, block), [0, 2, 2]);
        assert_eq!(row(Mode::Enforce, Mode::Enforce, pass), [1, 0, 1]);
        // Nothing is blocked now, whatever the verdict.
        assert_eq!(row(Mode::Monitor, Mode::Enforce, block), [3, 2, 5]);
        assert_eq!(row(Mode::Monitor, Mode::Enforce, pass), [0, 0, 0]);
        assert_eq!(row(Mode::Enforce, Mode::Monitor, pass), [4, 0, 4]);
        let text = drawn(METRICS, Mode::Enforce, Mode::Enforce);
        let rule = |name: &str| text.lines().find(|line| line.starts_with(name)).expect("a row").split_whitespace();
        assert_eq!(rule("pii/email").collect::<Vec<_>>(), ["pii/email", "2", "0"]);
        assert_eq!(rule("pii/iban").collect::<Vec<_>>(), ["pii/iban", "0", "1"]);
        assert_eq!(drawn("", Mode::Enforce, Mode::Enforce), "nothing was judged by a candidate yet\n");
    }
}
