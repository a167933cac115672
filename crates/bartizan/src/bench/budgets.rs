//! `bartizan bench budgets`: the budgets of docs/benchmarks.md, as a gate.
//!
//! Processor time of this thread, the best of some rounds: other work on the machine adds to some of them, never to
//! all.

use std::io::Write as _;
use std::time::Duration;

use bartizan_core::Source;
use bartizan_guard::{Guard, Settings};

use super::{CODE, PROSE, conversation, gateway, measure, text};
use crate::DONE;

/// Rounds of each measurement.
const ROUNDS: usize = 5;
/// Rounds of one whose budget is not kept: a neighbour on the machine may last longer than five rounds.
const MOST_ROUNDS: usize = 40;
/// Exit code where a budget is not kept.
const BROKEN: u8 = 1;

/// What was measured, and what it may be.
struct Budget {
    what: &'static str,
    unit: &'static str,
    figure: f64,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    Most(f64),
    Least(f64),
}

impl Bound {
    const fn is_kept(self, figure: f64) -> bool {
        match self {
            Self::Most(most) => figure <= most,
            Self::Least(least) => figure >= least,
        }
    }

    const fn better(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Most(_) => a.min(b),
            Self::Least(_) => a.max(b),
        }
    }
}

impl Budget {
    /// The best of some rounds, and of more of them as long as it is not enough.
    fn measured(
        what: &'static str,
        unit: &'static str,
        bound: Bound,
        mut round: impl FnMut() -> anyhow::Result<f64>,
    ) -> anyhow::Result<Self> {
        let mut figure = round()?;
        let mut rounds = 1;
        while rounds < ROUNDS || rounds < MOST_ROUNDS && !bound.is_kept(figure) {
            figure = bound.better(figure, round()?);
            rounds += 1;
        }
        Ok(Self { what, unit, figure, bound })
    }

    const fn kept(&self) -> bool {
        self.bound.is_kept(self.figure)
    }

    /// True where it would be kept on a machine so many times faster. Bytes do not depend on the machine.
    fn kept_by(&self, slack: f64) -> bool {
        let slack = if matches!(self.unit, "bytes" | "MiB") { 1.0 } else { slack };
        match self.bound {
            Bound::Most(_) => self.bound.is_kept(self.figure / slack),
            Bound::Least(_) => self.bound.is_kept(self.figure * slack),
        }
    }
}

/// Measures and prints each; answers whether all are kept, on a machine that may be `slack` times slower than theirs.
pub(super) fn run(slack: f64) -> anyhow::Result<u8> {
    let without = |rules: &[&str]| Settings {
        rules: bartizan_rules::Settings {
            disabled: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            ..bartizan_rules::Settings::default()
        },
        ..Settings::default()
    };
    let lexical = without(&["pii/*", "secret/*", "prompt/learned-injection"]);
    let rules = without(&["prompt/learned-injection"]);
    let all = Settings::default();
    let mut budgets = Vec::new();
    for (what, settings, pieces, bytes, least) in [
        ("lexical rules, prose of 4 KiB", &lexical, PROSE, 4 << 10, 100.0),
        ("lexical rules, prose of 1 MiB", &lexical, PROSE, 1 << 20, 100.0),
        ("lexical rules, code of 4 KiB", &lexical, CODE, 4 << 10, 100.0),
        ("lexical rules, code of 1 MiB", &lexical, CODE, 1 << 20, 100.0),
        ("all rules, prose of 4 KiB", &rules, PROSE, 4 << 10, 15.0),
        ("all rules, code of 1 MiB", &rules, CODE, 1 << 20, 15.0),
        ("all rules and the classifier, prose of 4 KiB", &all, PROSE, 4 << 10, 12.0),
        ("all rules and the classifier, code of 1 MiB", &all, CODE, 1 << 20, 12.0),
    ] {
        let (guard, text) = (Guard::new(settings)?, text(pieces, bytes));
        budgets.push(Budget::measured(what, "MB/s", Bound::Least(least), || Ok(speed(&guard, &text)))?);
    }
    for (what, settings, most) in [
        ("a request of 4 KiB, lexical rules", &lexical, 60.0),
        ("a request of 4 KiB, all rules", &rules, 350.0),
        ("a request of 4 KiB, all rules and the classifier", &all, 450.0),
    ] {
        budgets.push(Budget::measured(what, "us", Bound::Most(most), || gateway::cost(settings, 400))?);
    }
    let what = "a turn after 10,000 known messages of 400 bytes";
    budgets.push(Budget::measured(what, "ms/MB", Bound::Most(5.0), || Ok(conversation::cost(10_000, 400)?.next))?);
    budgets.push(Budget { what: "held back on prose, p99", unit: "bytes", figure: held()?, bound: Bound::Most(64.0) });
    budgets.push(Budget { what: "resident", unit: "MiB", figure: resident(), bound: Bound::Most(140.0) });
    let mut out = std::io::stdout().lock();
    let mut code = DONE;
    for budget in &budgets {
        let (word, bound) = match budget.bound {
            Bound::Most(most) => ("at most", most),
            Bound::Least(least) => ("at least", least),
        };
        let kept = if budget.kept() { "" } else { "  NOT KEPT" };
        writeln!(out, "{:<48} {:>8.1} {:<6} {word} {bound}{kept}", budget.what, budget.figure, budget.unit)?;
        if !budget.kept_by(slack) {
            code = BROKEN;
        }
    }
    Ok(code)
}

/// Megabytes a second of one core.
#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn speed(guard: &Guard, text: &str) -> f64 {
    let (seconds, _) = measure(guard, text, Source::User, Duration::from_millis(120));
    text.len() as f64 / seconds / 1e6
}

fn held() -> anyhow::Result<f64> {
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    Ok(gateway::held()?.p99 as f64)
}

/// Most memory that this process ever had, which does more than a gateway at rest.
fn resident() -> f64 {
    let line = super::resident().unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
