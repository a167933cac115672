//! `bartizan policy learn`: policy lines proposed from what a person has reviewed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bartizan_guard::{CALLS, MarkLabel, MarkedExchange, Opened, Replay};
use bartizan_policy::provenance::coding::Coding;
use bartizan_policy::provenance::learn::{Judged, Learned, Reviewed, ReviewedRun, Settings, learn};
use bartizan_policy::provenance::{History, Review, Rules, Run, Tool};

use super::agents::for_each;
use super::args::PolicyLearnArgs;
use super::replay::{Opening, in_force, reply_of};
use crate::args::ListFormat;
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::block_on;
use crate::report::marks::marks;
use crate::{DONE, UNREAD};

/// Most bytes of recordings that are learned from at once: they are kept in memory.
const MOST: usize = 1 << 30;

/// A run of a file, or what is recorded of a reply.
enum Source {
    Run(ReviewedRun),
    Recorded(Box<MarkedExchange>),
}

impl Source {
    fn inner(&self) -> &dyn Reviewed {
        match self {
            Self::Run(run) => run,
            Self::Recorded(exchange) => exchange.as_ref(),
        }
    }
}

impl Reviewed for Source {
    fn review(&self) -> Review {
        self.inner().review()
    }

    fn task(&self) -> String {
        self.inner().task()
    }

    fn tools(&self) -> Vec<Tool> {
        self.inner().tools()
    }

    fn history(&self) -> History {
        self.inner().history()
    }

    fn judge(&self, rules: Option<&Arc<Rules>>) -> Vec<Judged> {
        self.inner().judge(rules)
    }
}

/// `bartizan policy learn`.
pub(crate) fn run(args: &PolicyLearnArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.config, &[])?.config;
    let (base, _) = in_force(&config, args.policy.as_deref())?;
    let coding = config.policy.agents.coding().map_err(|fault| Problem::new(fault.to_string()))?;
    let mut all = Vec::new();
    let mut unlabelled = 0_u64;
    for file in &args.runs {
        unlabelled += read(file, None, coding.as_ref(), &mut all)?;
    }
    for (files, review) in [(&args.benign, Review::Benign), (&args.attacks, Review::Attack)] {
        for file in files {
            read(file, Some(review), coding.as_ref(), &mut all)?;
        }
    }
    let mut unread = 0;
    let files = args.runs.len() + args.benign.len() + args.attacks.len();
    if files == 0 || args.recorded.is_given() {
        unread = block_on(recordings(args, &config, &mut all))?;
    }
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let settings = Settings { calls: count(args.min_calls), tasks: count(args.min_tasks), tighten: args.tighten };
    let learned = learn(&all, base.as_ref(), settings);
    show(&learned, args.format)?;
    let mut err = std::io::stderr().lock();
    if unlabelled > 0 {
        writeln!(err, "{unlabelled} runs have no label `benign` or `attack`; nothing was learned from them")?;
    }
    if unread > 0 {
        writeln!(err, "{unread} marked exchanges could not be read; nothing was learned from them")?;
        return Ok(UNREAD);
    }
    Ok(DONE)
}

fn show(learned: &Learned, format: ListFormat) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        ListFormat::Human => write!(out, "{}", learned.policy)?,
        ListFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(learned)?)?,
    }
    Ok(())
}

/// Reads the reviewed runs of a file; answers with how many are not.
fn read(
    file: &Path,
    review: Option<Review>,
    coding: Option<&Arc<Coding>>,
    all: &mut Vec<Source>,
) -> anyhow::Result<u64> {
    let mut unlabelled = 0;
    for_each(file, |number, run: Run| {
        let own = run.reviewed();
        if review.is_some_and(|review| own.is_some_and(|own| own != review)) {
            let title = format!("{}:{number}: the run's own `label` says otherwise", file.display());
            return Err(Problem::new(title)
                .help("give the file without --benign or --attacks, or change the label")
                .into());
        }
        match review.or(own) {
            Some(review) => all.push(Source::Run(ReviewedRun::new(run, review, coding.cloned()))),
            None => unlabelled += 1,
        }
        Ok(())
    })?;
    Ok(unlabelled)
}

/// Opens the recordings that a person has marked; answers with how many cannot be read.
async fn recordings(args: &PolicyLearnArgs, config: &Config, all: &mut Vec<Source>) -> anyhow::Result<u64> {
    let replay = Arc::new(Replay::new(&config.guard())?);
    let opening = Opening::new(config, &args.recorded, "policy learn").await?;
    let tenant = &args.recorded.tenant;
    let mut reviews: BTreeMap<String, Review> = BTreeMap::new();
    let marks = marks(opening.store.as_ref(), tenant).await?;
    let until = |time: &str| args.recorded.until.as_deref().is_none_or(|until| time < until);
    let marked = marks.since(args.recorded.since.as_deref().unwrap_or_default()).filter(|m| until(&m.time));
    for mark in marked {
        let calls = mark.rule == CALLS.as_str();
        // Of what a rule finds in texts, only that it was right says something of the calls.
        let review = match mark.label {
            MarkLabel::False if calls => Review::Benign,
            MarkLabel::True if calls || mark.rule.starts_with("prompt/") => Review::Attack,
            _ => continue,
        };
        let known = reviews.entry(mark.exchange.clone()).or_insert(review);
        *known = review.max(*known);
    }
    let (mut unread, mut bytes, mut taken) = (0, 0, 0_u64);
    for (exchange, review) in reviews {
        let opened: Vec<Opened> = opening.vault.open(tenant, &exchange).await.unwrap_or_default();
        let events = opening.store.exchange(tenant, &exchange).await?;
        bytes += opened.iter().map(|body| body.body.len()).sum::<usize>();
        if bytes > MOST {
            return Err(Problem::new(format!("more than {MOST} bytes of recordings are marked"))
                .help("learn from a part of them: --since, --until")
                .into());
        }
        match replay.read(&opened, reply_of(&events)) {
            Ok(Some(recorded)) => {
                taken += 1;
                let replay = Arc::clone(&replay);
                all.push(Source::Recorded(Box::new(MarkedExchange { replay, recorded, review })));
            }
            _ => unread += 1,
        }
    }
    opening.done(&[("exchanges", taken), ("unread", unread)]).await?;
    Ok(unread)
}
