//! Conditions on a configuration, which is JSON here.

use serde::Deserialize;
use serde_json::Value;

/// Something that a configuration has to say. `at` is a JSON Pointer (RFC 6901) of which a part may be `*`: any member.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where.
    pub at: String,
    /// It is this value.
    is: Option<Value>,
    /// There is something: not null, false, zero or empty.
    #[serde(default)]
    filled: bool,
    /// No item of the list begins so.
    lacks: Option<String>,
    /// It is a number of at least this.
    at_least: Option<i64>,
}

impl Condition {
    /// True where the configuration says so.
    pub(crate) fn holds(&self, config: &Value) -> bool {
        let found = values(config, &self.at);
        if let Some(prefix) = &self.lacks {
            let begins = |item: &Value| item.as_str().is_some_and(|text| text.starts_with(prefix.as_str()));
            return found.iter().all(|value| value.as_array().is_none_or(|items| !items.iter().any(begins)));
        }
        found.into_iter().any(|value| {
            self.is.as_ref().is_some_and(|wanted| wanted == value)
                || (self.filled && is_filled(value))
                || self.at_least.is_some_and(|least| value.as_i64().is_some_and(|n| n >= least))
        })
    }

    /// The condition in words, for who has to change the configuration.
    pub(crate) fn words(&self) -> String {
        let at = self.at.trim_start_matches('/').replace('/', ".");
        match (&self.is, &self.lacks, self.at_least) {
            (Some(value), _, _) => format!("{at} = {value}"),
            (_, Some(prefix), _) => format!("no `{prefix}…` in {at}"),
            (_, _, Some(least)) => format!("{at} of at least {least}"),
            _ => format!("{at} set"),
        }
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// The values at a place.
fn values<'a>(config: &'a Value, at: &str) -> Vec<&'a Value> {
    let mut found = vec![config];
    for part in at.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|value| match (value, part) {
                (Value::Object(members), "*") => members.values().collect(),
                (Value::Array(items), "*") => items.iter().collect(),
                (value, part) => value.get(part).into_iter().collect::<Vec<_>>(),
            })
            .collect();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(condition: Value, config: &Value) -> bool {
        serde_json::from_value::<Condition>(condition).unwrap().holds(config)
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let config = json!({
            "mode": "enforce", "off": false, "none": null, "zero": 0, "days": 200, "disabled": ["pii/iban"],
            "tenant": [{ "quota": { "a": null, "b": 3 } }, { "quota": { "a": null } }],
        });
        let yes = [
            json!({ "at": "/mode", "is": "enforce" }),
            json!({ "at": "/zero", "is": 0 }),
            json!({ "at": "/tenant/*/quota/*", "filled": true }),
            json!({ "at": "/disabled", "lacks": "secret/" }),
            json!({ "at": "/absent", "lacks": "secret/" }),
            json!({ "at": "/days", "at_least": 184 }),
        ];
        let no = [
            json!({ "at": "/mode", "is": "monitor" }),
            json!({ "at": "/off", "filled": true }),
            json!({ "at": "/none", "filled": true }),
            json!({ "at": "/zero", "filled": true }),
            json!({ "at": "/absent", "filled": true }),
            json!({ "at": "/tenant/*/other", "filled": true }),
            json!({ "at": "/disabled", "lacks": "pii/" }),
            json!({ "at": "/zero", "at_least": 184 }),
        ];
        assert!(yes.into_iter().all(|c| holds(c, &config)));
        assert!(!no.into_iter().any(|c| holds(c, &config)));
    }
}
