//! `bartizan mark`: a person says whether a finding was right.

use std::io::Write as _;

use bartizan_core::{Event, EventStore, RuleId, TenantId};
use bartizan_guard::{MarkLabel, mark};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::args::{StoreArgs, tenant};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, reason, shared};
use crate::{DONE, config, terminal};

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    /// Id of the event
    pub(crate) event: String,
    /// `false` for a false alarm, `true` for a finding that was right
    #[arg(value_parser = label())]
    pub(crate) label: MarkLabel,
    /// Which rule [default: the only one that fired]
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Print an exception for the configuration that covers it for 30 days
    #[arg(long)]
    pub(crate) propose: bool,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

fn label() -> impl TypedValueParser<Value = MarkLabel> {
    PossibleValuesParser::new(["false", "true"]).try_map(|word| MarkLabel::parse(&word).ok_or("`false` or `true`"))
}

/// Days that a proposed exception is to last.
const DAYS: i64 = 30;

/// `bartizan mark`.
pub(crate) fn run(args: &MarkArgs) -> anyhow::Result<u8> {
    block_on(async {
        let config = config::load(&args.evidence.config, &[])?.config;
        let rule = args.rule.as_deref().map(RuleId::parse).transpose().map_err(Problem::new)?;
        let (who, why) = (actor(), reason(&args.reason)?);
        let store = shared(&config, args.evidence.store.as_ref()).await?;
        let said = (args.label, rule.as_ref());
        let done = mark(store.as_ref() as &dyn EventStore, &args.tenant, &args.event, said, &who, why).await;
        close(store).await;
        let (event, rule) = done.map_err(|error| {
            Problem::new(error.to_string())
                .help("the id of an event is in its record, and in what a blocked caller reads")
        })?;
        let mut out = std::io::stdout().lock();
        if args.propose && args.label == MarkLabel::False {
            write!(out, "{}", proposal(&event, &rule, why, &who))?;
        } else {
            writeln!(out, "`{rule}` in event {} is marked {}", event.id, args.label.as_str())?;
        }
        Ok(DONE)
    })
}

/// An exception that covers what this decision was about and as little else as its record can say.
fn proposal(event: &Event, rule: &RuleId, why: &str, who: &str) -> String {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(DAYS * 24);
    let day = expires.to_string();
    let mut out = format!(
        "[[exception]]\nrule = {}\nreason = {}\nowner = {}\nexpires = {}\n",
        quoted(rule.as_str()),
        quoted(why),
        quoted(who),
        quoted(day.get(..10).unwrap_or_default()),
    );
    let mut scope = vec![format!("tenant = {}", quoted(event.tenant.as_str()))];
    scope.extend((!event.key.is_empty()).then(|| format!("key = {}", quoted(&event.key))));
    scope.extend((!event.route.is_empty()).then(|| format!("route = {}", quoted(&event.route))));
    out += &format!("scope = {{ {} }}\n", scope.join(", "));
    out += "# narrower still: origin = \"user\", or text_sha256 = the SHA-256 of what was matched, in scope\n";
    out
}

/// A JSON string is a TOML string, but for the escape of a solidus, which is not written.
fn quoted(text: &str) -> String {
    serde_json::Value::String(terminal::line(text)).to_string()
}
