//! `bartizan bench budgets`: the budgets of docs/benchmarks.md, as a gate.
//!
//! Processor time of this thread, the least of some rounds: other work on the machine adds to some of them, never to
//! all.

use std::io::Write as _;
use std::time::Duration;

use bartizan_core::Source;
use bartizan_guard::{Guard, Settings};

use super::{CODE, PROSE, conversation, gateway, measure, text};
use crate::DONE;

const ROUNDS: usize = 5;
/// Exit code where a budget is not kept.
const BROKEN: u8 = 1;

/// What was measured, and what it may be.
struct Budget {
    what: &'static str,
    unit: &'static str,
    figure: f64,
    bound: Bound,
}

enum Bound {
    Most(f64),
    Least(f64),
}

impl Budget {
    fn kept(&self) -> bool {
        match self.bound {
            Bound::Most(most) => self.figure <= most,
            Bound::Least(least) => self.figure >= least,
        }
    }
}

/// Measures and prints each; answers whether all are kept.
pub(super) fn run() -> anyhow::Result<u8> {
    let lexical = Settings {
        rules: bartizan_rules::Settings {
            disabled: vec!["pii/*".to_owned(), "secret/*".to_owned(), "prompt/learned-injection".to_owned()],
            ..bartizan_rules::Settings::default()
        },
        ..Settings::default()
    };
    let rules = Settings {
        rules: bartizan_rules::Settings {
            disabled: vec!["prompt/learned-injection".to_owned()],
            ..bartizan_rules::Settings::default()
        },
        ..Settings::default()
    };
    let all = Settings::default();
    let request = |settings: &Settings| least(|| gateway::cost(settings, 400));
    let budgets = [
        Budget {
            what: "lexical rules, prose of 4 KiB",
            unit: "MB/s",
            figure: speed(&lexical, PROSE, 4 << 10)?,
            bound: Bound::Least(100.0),
        },
        Budget {
            what: "lexical rules, prose of 1 MiB",
            unit: "MB/s",
            figure: speed(&lexical, PROSE, 1 << 20)?,
            bound: Bound::Least(100.0),
        },
        Budget {
            what: "lexical rules, code of 4 KiB",
            unit: "MB/s",
            figure: speed(&lexical, CODE, 4 << 10)?,
            bound: Bound::Least(100.0),
        },
        Budget {
            what: "lexical rules, code of 1 MiB",
            unit: "MB/s",
            figure: speed(&lexical, CODE, 1 << 20)?,
            bound: Bound::Least(100.0),
        },
        Budget {
            what: "all rules, prose of 4 KiB",
            unit: "MB/s",
            figure: speed(&rules, PROSE, 4 << 10)?,
            bound: Bound::Least(15.0),
        },
        Budget {
            what: "all rules, code of 1 MiB",
            unit: "MB/s",
            figure: speed(&rules, CODE, 1 << 20)?,
            bound: Bound::Least(15.0),
        },
        Budget {
            what: "all rules and the classifier, prose of 4 KiB",
            unit: "MB/s",
            figure: speed(&all, PROSE, 4 << 10)?,
            bound: Bound::Least(12.0),
        },
        Budget {
            what: "all rules and the classifier, code of 1 MiB",
            unit: "MB/s",
            figure: speed(&all, CODE, 1 << 20)?,
            bound: Bound::Least(12.0),
        },
        Budget {
            what: "a request of 4 KiB, lexical rules",
            unit: "us",
            figure: request(&lexical)?,
            bound: Bound::Most(60.0),
        },
        Budget {
            what: "a request of 4 KiB, all rules",
            unit: "us",
            figure: request(&rules)?,
            bound: Bound::Most(350.0),
        },
        Budget {
            what: "a request of 4 KiB, all rules and the classifier",
            unit: "us",
            figure: request(&all)?,
            bound: Bound::Most(450.0),
        },
        Budget {
            what: "a turn after 10,000 known messages of 400 bytes",
            unit: "ms/MB",
            figure: least(|| Ok(conversation::cost(10_000, 400)?.next))?,
            bound: Bound::Most(5.0),
        },
        Budget { what: "held back on prose, p99", unit: "bytes", figure: held()?, bound: Bound::Most(64.0) },
        Budget { what: "resident", unit: "MiB", figure: resident(), bound: Bound::Most(140.0) },
    ];
    let mut out = std::io::stdout().lock();
    let mut code = DONE;
    for budget in &budgets {
        let (word, bound) = match budget.bound {
            Bound::Most(most) => ("at most", most),
            Bound::Least(least) => ("at least", least),
        };
        let kept = if budget.kept() { "" } else { "  NOT KEPT" };
        writeln!(out, "{:<48} {:>8.1} {:<6} {word} {bound}{kept}", budget.what, budget.figure, budget.unit)?;
        if !budget.kept() {
            code = BROKEN;
        }
    }
    Ok(code)
}

/// The smallest of some rounds.
fn least(mut round: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        least = least.min(round()?);
    }
    Ok(least)
}

/// Megabytes a second of one core.
fn speed(settings: &Settings, pieces: &[&str], bytes: usize) -> anyhow::Result<f64> {
    let (guard, text) = (Guard::new(settings)?, text(pieces, bytes));
    let seconds = least(|| Ok(measure(&guard, &text, Source::User, Duration::from_millis(120)).0))?;
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    Ok(text.len() as f64 / seconds / 1e6)
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
