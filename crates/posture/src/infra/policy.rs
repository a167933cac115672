//! Grants of buckets and roles: policies of AWS and access lists.

use bartizan_core::Span;

use crate::fact::{Home, Setting, Unit};
use crate::tree::{Data, Node};
use crate::value::{Known, Resolved};

/// Adds what a document grants to everybody, or of everything. True where it is a policy.
pub(crate) fn read(document: &Node, units: &mut Vec<Unit>) -> bool {
    let mut unit = Unit::new(Home::Job, Span::default());
    let mut policy = false;
    let mut open = vec![document];
    while let Some(node) = open.pop() {
        open.extend(node.items());
        open.extend(node.entries().iter().map(|(_, value)| value));
        if let Some(statements) = node.get("Statement") {
            let all = if statements.is_map() { std::slice::from_ref(statements) } else { statements.items() };
            policy |= all.iter().any(|s| s.get("Effect").is_some());
            all.iter().for_each(|s| statement(s, &mut unit));
        }
        for key in ["ACL", "acl", "AccessControl", "canned_acl", "predefinedAcl"] {
            if let Some(value) = node.get(key)
                && let Some(text) = value.text()
                && matches!(
                    text,
                    "public-read"
                        | "public-read-write"
                        | "PublicRead"
                        | "PublicReadWrite"
                        | "publicRead"
                        | "publicReadWrite"
                        | "authenticated-read"
                )
            {
                grant(&mut unit, &format!("`{key}: {text}`"), value.span);
            }
        }
        for binding in node.get("bindings").map_or(&[][..], Node::items) {
            for member in binding.get("members").map_or(&[][..], Node::items) {
                if matches!(member.text(), Some("allUsers" | "allAuthenticatedUsers")) {
                    grant(&mut unit, "a role for everybody", member.span);
                }
            }
        }
    }
    let found = !unit.facts.is_empty();
    if found {
        unit.models = true;
        units.push(unit);
    }
    policy || found
}

fn grant(unit: &mut Unit, what: &str, at: Span) {
    unit.add(Setting::Grant, what, Resolved { text: String::new(), known: Known::Literal }, at);
}

fn statement(statement: &Node, unit: &mut Unit) {
    if statement.text_at("Effect") != Some("Allow") {
        return;
    }
    let list = |key: &str| -> Vec<&Node> {
        match statement.get(key) {
            Some(node) if node.text().is_some() => vec![node],
            Some(Node { data: Data::Map(entries), .. }) => entries
                .iter()
                .flat_map(|(_, v)| if v.text().is_some() { vec![v] } else { v.items().iter().collect() })
                .collect(),
            Some(node) => node.items().iter().collect(),
            None => Vec::new(),
        }
    };
    let star = |key: &str| list(key).into_iter().find(|n| n.text() == Some("*"));
    // A condition may narrow it to one account or network.
    if let Some(node) = star("Principal").filter(|_| statement.get("Condition").is_none()) {
        grant(unit, "every principal", node.span);
    }
    let all = list("Action").into_iter().find(|a| matches!(a.text(), Some("*" | "s3:*")));
    if let (Some(action), Some(_)) = (all, star("Resource")) {
        grant(unit, "every action on every bucket", action.span);
    }
}
