//! What a change of the policy would have made of decisions that are on record. No content is needed for it: records say
//! what their verdicts were made of.

use std::collections::BTreeMap;

use bartizan_core::{Direction, Event, EventQuery, EventStore, RuleId, StoreError, TenantId, Verdict};
use bartizan_policy::Table;
use schemars::JsonSchema;
use serde::Serialize;

/// Records that are read at once.
const PAGE: u32 = 1000;

/// Most decisions that are listed.
const LISTED: usize = 50;

/// Requests and replies by verdict, as it is and as it would be.
type Pairs = BTreeMap<(Verdict, Verdict), [u64; 2]>;

/// How often one verdict becomes another, or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pair {
    /// By the policy in force.
    pub live: Verdict,
    /// With the change.
    pub changed: Verdict,
    /// Requests.
    pub requests: u64,
    /// Replies.
    pub replies: u64,
}

/// A decision that would be another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Changed {
    /// Its id.
    pub event: String,
    /// When it was made.
    pub time: String,
    /// Which way the text went.
    pub direction: Direction,
    /// By the policy in force.
    pub live: Verdict,
    /// With the change.
    pub changed: Verdict,
    /// Rules that fired.
    pub rules: Vec<RuleId>,
}

/// What a change would have made of decisions that are on record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Effect {
    /// Decisions that were judged again.
    pub judged: u64,
    /// Decisions that could not be, because their records do not say what the verdict was made of.
    pub untold: u64,
    /// Decisions under a guard profile of their own, which the change is not about.
    pub others: u64,
    /// When the oldest of all these was made.
    pub since: Option<String>,
    /// There are older ones that were not looked at.
    pub cut: bool,
    /// Verdicts, as they are and as they would be.
    pub pairs: Vec<Pair>,
    /// Of those that would be another, how many each rule fired in.
    pub rules: BTreeMap<RuleId, u64>,
    /// The newest of them.
    pub changed: Vec<Changed>,
}

impl Effect {
    /// Judges the newest decisions of a tenant again, at most so many. `others` are digests of policies that the change is
    /// not about.
    ///
    /// # Errors
    /// The store fails.
    pub async fn of(
        store: &dyn EventStore,
        tenant: &TenantId,
        since: Option<String>,
        most: u32,
        (live, changed): (&Table, &Table),
        others: &[&str],
    ) -> Result<Self, StoreError> {
        let (mut effect, mut pairs) = (Self::default(), Pairs::new());
        let mut query = EventQuery { since, ..EventQuery::default() };
        let mut left = most;
        loop {
            // One more than is wanted shows whether there is more.
            query.limit = left.saturating_add(1).min(PAGE);
            let page = store.query(tenant, &query).await?;
            let whole = page.len() < query.limit as usize;
            for event in &page {
                if left == 0 {
                    effect.cut = true;
                    break;
                }
                left -= 1;
                effect.add(event, (live, changed), others, &mut pairs);
            }
            if whole || effect.cut {
                let pair =
                    |((live, changed), [requests, replies]): (_, [u64; 2])| Pair { live, changed, requests, replies };
                return Ok(Self { pairs: pairs.into_iter().map(pair).collect(), ..effect });
            }
            query.before_seq = page.last().map(|event| event.seq);
        }
    }

    fn add(&mut self, event: &Event, (live, changed): (&Table, &Table), others: &[&str], pairs: &mut Pairs) {
        self.since = Some(event.time.clone());
        if others.contains(&event.policy.as_str()) {
            self.others += 1;
            return;
        }
        let Some(grounds) = event.grounds.as_ref().filter(|grounds| !grounds.cut) else {
            self.untold += 1;
            return;
        };
        self.judged += 1;
        let (live, changed) = (live.grounds(grounds, event.direction), changed.grounds(grounds, event.direction));
        let [requests, replies] = pairs.entry((live, changed)).or_default();
        match event.direction {
            Direction::Request => *requests += 1,
            Direction::Reply => *replies += 1,
        }
        if live == changed {
            return;
        }
        for rule in event.rules.keys() {
            *self.rules.entry(rule.clone()).or_default() += 1;
        }
        if self.changed.len() < LISTED {
            self.changed.push(Changed {
                event: event.id.clone(),
                time: event.time.clone(),
                direction: event.direction,
                live,
                changed,
                rules: event.rules.keys().cloned().collect(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Found, Grounds, Source};
    use bartizan_policy::Change;
    use bartizan_store::SqliteStore;

    fn event(number: u64, grounds: Option<Grounds>) -> Event {
        let rules = grounds.iter().flat_map(|g| &g.found).map(|found| (found.rule.clone(), 1)).collect();
        Event {
            id: format!("event-{number}"),
            time: format!("2026-01-01T00:00:{:02}Z", number % 60),
            tenant: TenantId::sole(),
            direction: if number.is_multiple_of(2) { Direction::Request } else { Direction::Reply },
            rules,
            grounds,
            ..Event::default()
        }
    }

    fn with(rule: &str, injection: f32) -> Option<Grounds> {
        let found = Found {
            rule: RuleId::parse(rule).unwrap(),
            from: Source::User,
            severity: bartizan_core::Severity::Medium,
            confidence: bartizan_core::Confidence::High,
            entity: None,
            own_fix: false,
            redact: Verdict::Redact,
            least: Verdict::Allow,
        };
        let injection = [(Source::User, injection)].into();
        Some(Grounds { found: [found].into(), injection, ..Grounds::default() })
    }

    #[tokio::test]
    async fn the_newest_are_judged_again_and_what_is_not_is_counted() {
        let store = SqliteStore::open_in_memory().await.unwrap();
        let mut events = vec![event(0, with("pii/email", 0.0)), event(1, None), event(2, Some(Grounds::default()))];
        events.push(event(3, with("pii/iban", 0.99)));
        events.push(event(4, with("pii/email", 0.0)));
        events.push(Event { policy: "other".to_owned(), ..event(5, with("pii/email", 0.0)) });
        events.push(event(6, Some(Grounds { cut: true, ..Grounds::default() })));
        events.push(Event { tenant: TenantId::authenticated("b").unwrap(), ..event(7, with("pii/email", 0.0)) });
        for event in events {
            store.append(event).await.unwrap();
        }
        let live = Table::default();
        let change: Change = serde_json::from_str(
            r#"{"rows": [{"rule": "pii/*", "verdict": "allow"}], "injection": {"user": {"block": 0.995}}}"#,
        )
        .unwrap();
        let changed = live.changed(&change);
        let of = async |most, since: Option<&str>| {
            let tenant = TenantId::sole();
            Effect::of(&store, &tenant, since.map(str::to_owned), most, (&live, &changed), &["other"]).await.unwrap()
        };
        let all = of(100, None).await;
        assert_eq!((all.judged, all.untold, all.others, all.cut), (4, 2, 1, false));
        let pair = |live, changed, requests, replies| Pair { live, changed, requests, replies };
        let (allow, redact, deny) = (Verdict::Allow, Verdict::Redact, Verdict::Deny);
        assert_eq!(all.pairs, [pair(allow, allow, 1, 0), pair(redact, allow, 2, 0), pair(deny, allow, 0, 1)]);
        let ids: Vec<_> = all.changed.iter().map(|one| one.event.as_str()).collect();
        assert_eq!(ids, ["event-4", "event-3", "event-0"], "the newest first");
        let counts: Vec<_> = all.rules.iter().map(|(rule, count)| (rule.as_str(), *count)).collect();
        assert_eq!(counts, [("pii/email", 2), ("pii/iban", 1)]);
        let newest = of(4, None).await;
        assert_eq!((newest.judged, newest.untold, newest.others, newest.cut), (2, 1, 1, true));
        assert_eq!(newest.since.as_deref(), Some("2026-01-01T00:00:03Z"));
        assert!(!of(7, None).await.cut, "there are just so many");
        assert_eq!(of(100, Some("2026-01-01T00:00:04Z")).await.judged, 1);
    }
}
