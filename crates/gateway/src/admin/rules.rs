//! The rules in force, and their pages.

use bartizan_core::{Confidence, Rule, RuleId, Severity};
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{AdminError, Answer, Call, Need, Operation};

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
}

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
            path: "/admin/v1/rules/{family}/{rule}",
            id: "getRule",
            summary: "One rule with its page",
            need: Need::Look,
            query: &[],
            body: None,
            answer: |generator| generator.subschema_for::<Page>(),
            run: |call| Box::pin(one(call)),
        },
    ]
}

async fn list(call: Call) -> Answer {
    let live = call.shared.live();
    let mut rules: Vec<_> = live.guard.rules().map(listed).collect();
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
    Ok(serde_json::to_value(Page { rule: listed(rule), page: rule.doc.clone().into_owned(), references })?)
}

fn listed(rule: &Rule) -> Listed {
    Listed {
        id: rule.id.clone(),
        summary: rule.summary.clone().into_owned(),
        severity: rule.severity,
        confidence: rule.confidence,
    }
}
