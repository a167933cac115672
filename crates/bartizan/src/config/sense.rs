//! Values that the types allow and nobody can mean.

use bartizan_core::Quota;
use bartizan_policy::{Levels, Policy, Thresholds};
use serde_json::Value;

use super::{Config, Loaded};

/// Numbers that must not be 0, and what would come of it. `*` stands for every member or element.
const POSITIVE: &[(&str, &str)] = &[
    ("max_in_flight", "every request would be turned away"),
    ("max_connections", "nobody could connect"),
    ("accounting.max_output", "an answer of unknown length would be taken for free"),
    ("abuse.hold_hours", "no signal would stay raised"),
    ("mcp.call_ms", "every call would be out of time"),
    ("mcp.ticket_seconds", "every ticket would be out of date"),
    ("evidence.checkpoint_minutes", "there is no time between checkpoints"),
    ("evidence.checkpoint_records", "there are no records between checkpoints"),
    ("record.max_body_bytes", "nothing of a body would be kept; `mode = \"off\"` records none"),
    ("limits.max_body", "no body could be read"),
    ("limits.max_text", "no text would be examined"),
    ("limits.max_json_depth", "no JSON could be read"),
    ("limits.max_json_values", "no JSON could be read"),
    ("limits.max_findings", "no finding would be told"),
    ("limits.max_held", "no tool call of a stream could be held back"),
    ("limits.max_decoded", "nothing decoded would be examined; `max_decode_depth = 0` decodes nothing"),
    ("limits.max_document_expanded", "no document could be read"),
    ("limits.max_document_parts", "no document could be read"),
    ("limits.max_input_tokens", "every request would be refused"),
    ("limits.max_input_tokens_by_model.*", "every request for it would be refused"),
    ("timeouts.header_ms", "every request would be out of time"),
    ("timeouts.body_ms", "every request would be out of time"),
    ("timeouts.connect_ms", "no upstream could be reached"),
    ("timeouts.first_byte_ms", "no upstream could answer"),
    ("timeouts.idle_ms", "no upstream could answer"),
    ("upstream.*.first_byte_ms", "it could never answer"),
    ("upstream.*.max_input_tokens", "every request would be refused"),
    ("sink.*.timeout_ms", "no delivery could be made"),
    ("client.*.quota.requests_per_minute", REFUSED),
    ("client.*.quota.tokens_per_minute", REFUSED),
    ("client.*.quota.concurrency", REFUSED),
    ("client.*.quota.tokens_per_day", REFUSED),
    ("client.*.quota.tokens_per_month", REFUSED),
    ("tenant.*.quota.requests_per_minute", REFUSED),
    ("tenant.*.quota.tokens_per_minute", REFUSED),
    ("tenant.*.quota.concurrency", REFUSED),
    ("tenant.*.quota.tokens_per_day", REFUSED),
    ("tenant.*.quota.tokens_per_month", REFUSED),
    ("policy.agents.approval_minutes", EXPIRED),
    ("policy.vault.ttl_hours", FORGOTTEN),
    ("profile.*.policy.agents.approval_minutes", EXPIRED),
    ("profile.*.policy.vault.ttl_hours", FORGOTTEN),
];
const REFUSED: &str =
    "every request would be refused; what is not limited is left out, and who may not ask is contained";
const EXPIRED: &str = "every call that waits would be denied at once";
const FORGOTTEN: &str = "every pseudonym would be forgotten at once";

impl Loaded {
    /// Refuses values that cannot be meant.
    pub(super) fn check_sense(&self) -> anyhow::Result<()> {
        let tree = super::load::tree(&self.config)?;
        for (pattern, why) in POSITIVE {
            if let Some(path) = zero(&tree, pattern) {
                return Err(self.problem(&path, format!("`{path}` is 0: {why}"), "").into());
            }
        }
        let found = share(&self.config).or_else(|| spending(&self.config)).or_else(|| levels(&self.config));
        match found {
            Some((path, why)) => Err(self.problem(&path, format!("`{path}` {why}"), "").into()),
            None => Ok(()),
        }
    }
}

type Wrong = Option<(String, String)>;

/// The first place of the pattern that is 0.
fn zero(tree: &Value, pattern: &str) -> Option<String> {
    let mut places = vec![(String::new(), tree)];
    for step in pattern.split('.') {
        let below = |path: &str, key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let next = places.into_iter().flat_map(|(path, value)| -> Vec<(String, &Value)> {
            match (step, value) {
                ("*", Value::Object(members)) => {
                    members.iter().map(|(key, value)| (below(&path, key), value)).collect()
                }
                ("*", Value::Array(list)) => {
                    list.iter().enumerate().map(|(at, value)| (below(&path, &at.to_string()), value)).collect()
                }
                _ => value.get(step).map(|value| (below(&path, step), value)).into_iter().collect(),
            }
        });
        places = next.collect();
    }
    places.into_iter().find(|(_, value)| value.as_u64() == Some(0)).map(|(path, _)| path)
}

fn share(config: &Config) -> Wrong {
    let is_share = (0.0..=1.0).contains(&config.telemetry.sample);
    (!is_share).then(|| ("telemetry.sample".to_owned(), "is a share of the requests, from 0 to 1".to_owned()))
}

/// A budget in money where nothing has a price lets nothing through.
fn spending(config: &Config) -> Wrong {
    let of = |kind: &str, at: usize, quota: &Quota| {
        let (key, spend) = match (quota.spend_per_day, quota.spend_per_month) {
            (Some(day), _) => ("spend_per_day", day),
            (None, Some(month)) => ("spend_per_month", month),
            (None, None) => return None,
        };
        let why = match (config.accounting.price.is_empty(), spend.as_nano()) {
            (true, _) => {
                "limits money, and no model has a price: add `[[accounting.price]]` for those that may be used"
            }
            (false, 0) => "is 0: every request would be refused",
            (false, _) => return None,
        };
        Some((format!("{kind}.{at}.quota.{key}"), why.to_owned()))
    };
    let mut clients = config.client.iter().enumerate().filter_map(|(at, client)| of("client", at, &client.quota));
    clients.next().or_else(|| config.tenant.iter().enumerate().find_map(|(at, tenant)| of("tenant", at, &tenant.quota)))
}

/// Thresholds that are no probability, and texts that would be denied without being flagged.
fn levels(config: &Config) -> Wrong {
    let profiles = config
        .profile
        .iter()
        .filter_map(|(name, profile)| Some((format!("profile.{name}.policy"), profile.policy.as_ref()?)));
    let candidate = config.candidate.policy.as_ref().map(|policy| ("candidate.policy".to_owned(), policy));
    let all = [("policy".to_owned(), &config.policy)].into_iter().chain(profiles).chain(candidate);
    all.into_iter().find_map(|(path, policy): (String, &Policy)| {
        let Thresholds { user, tool, document } = policy.injection;
        [("user", user), ("tool", tool), ("document", document)].into_iter().find_map(
            |(origin, Levels { flag, block })| {
                let place = |key: &str| format!("{path}.injection.{origin}.{key}");
                let wrong = [("flag", flag), ("block", block)].into_iter().find(|(_, value)| {
                    // Above 1 is never.
                    value.is_some_and(|value| !(0.0..=2.0).contains(&value))
                });
                if let Some((key, _)) = wrong {
                    return Some((place(key), "is a score from 0 to 1, or up to 2 for never".to_owned()));
                }
                let (Some(flag), Some(block)) = (flag, block) else { return None };
                let why = format!("is {flag}, above `block` ({block}): texts would be denied before they are flagged");
                (flag > block).then(|| (place("flag"), why))
            },
        )
    })
}
