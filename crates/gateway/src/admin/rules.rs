//! The rules in force, their pages, and what a change of them would do.

use std::collections::BTreeMap;

use bartizan_core::{Confidence, Direction, Rule, RuleId, Severity, Source, Verdict};
use bartizan_guard::{Effect, Guard};
use bartizan_policy::Change;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::events::time;
use super::{AdminError, Answer, Call, Need, Operation, Parameter, TENANT};

/// A rule in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Its id.
    id: RuleId,
    /// What it finds, in one line.
    summary: String,
    /// How bad a finding is.
    severity: Severity,
    /// How sure a finding is.
    confidence: Confidence,
    /// The strictest verdict that a finding can get, by where the text is from: the switch of the rule in force.
    verdicts: BTreeMap<&'static str, Verdict>,
}

/// A threshold of the injection score.
#[derive(Debug, Serialize, JsonSchema)]
struct Level {
    /// Where a text is from.
    from: &'static str,
    /// From here on it is flagged.
    flag: f32,
    /// From here on it is denied.
    block: f32,
}

/// What scores mean.
#[derive(Debug, Serialize, JsonSchema)]
struct Levels {
    /// Thresholds of `scores.injection`.
    injection: Vec<Level>,
}

/// Where texts are from, and which way they go.
const ORIGINS: [(&str, Source, Direction); 5] = [
    ("user", Source::User, Direction::Request),
    ("tool", Source::Tool, Direction::Request),
    ("document", Source::Document, Direction::Request),
    ("memory", Source::Memory, Direction::Request),
    ("model", Source::Model, Direction::Reply),
];

/// A rule with its page.
#[derive(Debug, Serialize, JsonSchema)]
struct Page {
    #[serde(flatten)]
    rule: Listed,
    /// The page, in Markdown.
    page: String,
    /// Ids in the catalogues of others.
    references: Vec<String>,
}

/// What a change would do.
#[derive(Debug, Serialize, JsonSchema)]
struct Tried {
    /// What it would have made of decisions that are on record.
    effect: Effect,
    /// The lines for `bartizan.toml` that put it in force.
    toml: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation {
            method: Method::GET,
            path: "/admin/v1/rules",
            id: "listRules",
            summary: "The rules in force",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Vec<Listed>>(),
            run: |call| Box::pin(list(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/thresholds",
            id: "listThresholds",
            summary: "The scores from which on something follows, by where a text is from",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Levels>(),
            run: |call| Box::pin(levels(call)),
        },
        Operation {
            method: Method::GET,
            path: "/admin/v1/rules/{family}/{rule}",
            id: "getRule",
            summary: "One rule with its page",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Page>(),
            run: |call| Box::pin(one(call)),
        },
        Operation {
            method: Method::POST,
            path: "/admin/v1/policy/effect",
            id: "tryChange",
            summary: "What a change of rules, rows and thresholds would have made of the newest decisions; it changes nothing",
            need: Need::Look,
            query: &[
                TENANT,
                Parameter {
                    name: "limit",
                    summary: "How many decisions are judged, at most 100000; 10000 if left out.",
                },
                Parameter { name: "since", summary: "Only from this time on, RFC 3339." },
            ],
            body: Some(|generator| generator.subschema_for::<Change>()),
            answer: |generator| generator.subschema_for::<Tried>(),
            run: |call| Box::pin(tried(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let live = call.shared.live();
    let mut rules: Vec<_> = live.guard.rules().map(|rule| listed(rule, &live.guard)).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(serde_json::to_value(rules)?)
}

async fn one(call: Call) -> Answer {
    let id = format!("{}/{}", call.path("family"), call.path("rule"));
    let live = call.shared.live();
    let Some(rule) = live.guard.rules().find(|rule| rule.id.as_str() == id) else {
        return Err(AdminError::not_found("this rule"));
    };
    let references = rule.references.iter().map(|one| format!("{} {}", one.catalogue, one.id)).collect();
    Ok(serde_json::to_value(Page { rule: listed(rule, &live.guard), page: rule.doc.clone().into_owned(), references })?)
}

async fn levels(call: Call) -> Answer {
    let live = call.shared.live();
    let levels = ORIGINS.into_iter().filter_map(|(from, source, _)| {
        let (flag, block) = live.guard.levels(source)?;
        Some(Level { from, flag, block })
    });
    Ok(serde_json::to_value(Levels { injection: levels.collect() })?)
}

async fn tried(call: Call) -> Answer {
    let (tenant, change, live) = (call.tenant()?, call.body::<Change>()?, call.shared.live());
    let changed = live.guard.changed(&change).map_err(AdminError::bad)?;
    let (since, most) = (time(&call, "since")?, call.number("limit", 10_000, 100_000)?);
    let others: Vec<&str> = live.profiles().map(|guard| guard.policy_digest()).collect();
    let (store, tables) = (call.shared.recorder.store(), (live.guard.table(), &changed));
    let effect = Effect::of(store.as_ref(), &tenant, since, most, tables, &others).await?;
    Ok(serde_json::to_value(Tried { effect, toml: change.toml(live.guard.disabled()) })?)
}

fn listed(rule: &Rule, guard: &Guard) -> Listed {
    let verdict = |(from, source, way)| (from, guard.strictest(rule, source, way));
    Listed {
        verdicts: ORIGINS.into_iter().map(verdict).collect(),
        id: rule.id.clone(),
        summary: rule.summary.clone().into_owned(),
        severity: rule.severity,
        confidence: rule.confidence,
    }
}
