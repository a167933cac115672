//! The sample detections for a SIEM speak of records as they are.

use std::collections::BTreeSet;

use bartizan_core::{Act, Event, RuleId};
use serde_json::Value;

/// Members of the JSON of a record.
fn members<T: schemars::JsonSchema>() -> BTreeSet<String> {
    let schema = schemars::schema_for!(T);
    schema.as_value()["properties"].as_object().expect("a struct").keys().cloned().collect()
}

#[test]
fn sigma_rules_name_fields_and_rules_that_exist() {
    let known: BTreeSet<RuleId> = bartizan_rules::catalogue().into_iter().map(|rule| rule.id).collect();
    let (decision, act) = (members::<Event>(), members::<Act>());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/siem/sigma");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        for document in text.split("\n---\n") {
            let rule: Value = serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            seen += 1;
            let Some(detection) = rule["detection"].as_object() else {
                let groups = rule["correlation"]["group-by"].as_array().expect("a correlation");
                assert!(groups.iter().all(|g| decision.contains(g.as_str().unwrap())), "{}", path.display());
                continue;
            };
            let fields = if rule["logsource"]["service"] == "act" { &act } else { &decision };
            for (name, selection) in detection.iter().filter(|(name, _)| *name != "condition") {
                assert!(detection["condition"].as_str().unwrap().contains(name.as_str()), "{name} is not used");
                for (field, value) in selection.as_object().expect("a selection") {
                    let field = field.split('|').next().unwrap();
                    assert!(fields.contains(field), "{}: no field `{field}`", path.display());
                    for rule in value.as_array().into_iter().flatten().filter(|_| field == "rules") {
                        let id = rule.as_str().unwrap();
                        assert!(known.iter().any(|k| k.as_str() == id), "{}: no rule `{id}`", path.display());
                    }
                }
            }
        }
    }
    assert!(seen >= 7, "{seen}");
}
