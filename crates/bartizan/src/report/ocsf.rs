//! Records as OCSF 1.6 events: a decision in which a rule fired, or that did not pass, is a Detection Finding (2004);
//! every other decision and every act is an API Activity (6003). What OCSF has no word for is in `unmapped`.
//!
//! Names and numbers of attributes: <https://schema.ocsf.io/1.6.0/classes/detection_finding> and
//! <https://schema.ocsf.io/1.6.0/classes/api_activity>. `ocsf.schema.json` beside this file says which of them are used.

use bartizan_core::{Act, Event, Record, Verdict};
use serde_json::{Map, Value, json};

/// The version of the schema.
const VERSION: &str = "1.6.0";

/// A record as one event.
pub(super) fn event(record: &Record) -> anyhow::Result<Value> {
    let time: jiff::Timestamp = record.time().parse()?;
    let common = Map::from_iter([
        ("time".to_owned(), json!(time.as_millisecond())),
        (
            "metadata".to_owned(),
            json!({
                "version": VERSION,
                "uid": record.id(),
                "sequence": record.seq(),
                "tenant_uid": record.tenant(),
                "product": {"name": "Bartizan", "vendor_name": "Bartizan", "version": env!("CARGO_PKG_VERSION")},
            }),
        ),
    ]);
    let own = match record {
        Record::Decision(event) if !event.rules.is_empty() || event.verdict != Verdict::Allow => finding(event),
        Record::Decision(event) => activity(event),
        Record::Act(act) => administration(act),
    };
    let Value::Object(mut own) = own else { anyhow::bail!("an event is an object") };
    own.extend(common);
    Ok(Value::Object(own))
}

/// How bad it is, by what policy decided: records keep no severity of single findings.
const fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 1,
        Verdict::Redact => 3,
        Verdict::Hold | Verdict::Deny => 4,
    }
}

fn finding(event: &Event) -> Value {
    let rules: Vec<&str> = event.rules.keys().map(bartizan_core::RuleId::as_str).collect();
    let title = if rules.is_empty() { "policy".to_owned() } else { rules.join(", ") };
    json!({
        "activity_id": 1,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200_401,
        "severity_id": severity(event.verdict),
        "finding_info": {"uid": event.id, "title": title, "types": rules},
        "unmapped": unmapped(event),
    })
}

fn activity(event: &Event) -> Value {
    json!({
        "activity_id": 99,
        "activity_name": event.direction.as_str(),
        "category_uid": 6,
        "class_uid": 6003,
        "type_uid": 600_399,
        "severity_id": severity(event.verdict),
        "actor": {"app_name": if event.key.is_empty() { "anonymous" } else { &event.key }},
        "api": {"operation": event.protocol.as_str(), "service": {"name": event.route}},
        "src_endpoint": {"name": if event.key.is_empty() { "anonymous" } else { &event.key }},
        "unmapped": unmapped(event),
    })
}

fn administration(act: &Act) -> Value {
    json!({
        "activity_id": 99,
        "activity_name": act.deed.as_str(),
        "category_uid": 6,
        "class_uid": 6003,
        "type_uid": 600_399,
        "severity_id": 1,
        "actor": {"app_name": act.actor},
        "api": {"operation": act.deed.as_str(), "service": {"name": "bartizan"}},
        "src_endpoint": {"name": act.actor},
        "unmapped": {"subject": act.subject, "reason": act.reason, "detail": act.detail, "hash": act.hash},
    })
}

fn unmapped(event: &Event) -> Value {
    json!({
        "exchange": event.exchange,
        "direction": event.direction,
        "model": event.model,
        "mode": event.mode,
        "verdict": event.verdict,
        "action": event.action,
        "rules": event.rules,
        "coverage": event.coverage,
        "engine": event.engine,
        "policy": event.policy,
        "pseudonyms": event.pseudonyms,
        "hash": event.hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{Deed, RuleId, TenantId};

    #[test]
    fn every_kind_of_record_is_valid() {
        let schema: Value = serde_json::from_str(include_str!("ocsf.schema.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let time = "2026-01-02T03:04:05.000006Z".to_owned();
        let plain = Event { id: "e".to_owned(), time: time.clone(), route: "main".to_owned(), ..Event::default() };
        let fired = Event { rules: [(RuleId::new("pii/email"), 1)].into(), verdict: Verdict::Redact, ..plain.clone() };
        let act = Act::new("a".to_owned(), time, TenantId::sole(), "cli:ann", Deed::Exported);
        let kinds = [
            (Record::Decision(Box::new(plain)), 6003),
            (Record::Decision(Box::new(fired)), 2004),
            (Record::Act(Box::new(act)), 6003),
        ];
        for (record, class) in kinds {
            let event = event(&record).unwrap();
            assert_eq!(event["class_uid"], class);
            let faults: Vec<String> = validator.iter_errors(&event).map(|e| e.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?} in {event}");
            // The schema is not one that everything fits.
            let members: Vec<String> = event.as_object().unwrap().keys().cloned().collect();
            for member in members.iter().filter(|m| *m != "unmapped" && *m != "activity_name") {
                let mut less = event.clone();
                less.as_object_mut().unwrap().remove(member);
                assert!(!validator.is_valid(&less), "`{member}` may be left out");
            }
        }
    }
}
