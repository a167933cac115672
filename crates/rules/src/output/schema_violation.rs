//! Replies that have to fit a JSON Schema.
//!
//! What is judged is the whole text of a reply, so the guard calls this with it; a stream is held until it is whole.

use std::borrow::Cow;
use std::fmt;

use bartizan_core::{Confidence, Persona, Reference, Rule, RuleId, Severity};
use jsonschema::{PatternOptions, Validator};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Memory that one pattern of a schema may take, in bytes.
const PATTERN_SIZE: usize = 1 << 18;
/// Most subschemas of a caller's schema, references followed.
const EXPANDED: usize = 10_000;
/// Deepest nesting of a caller's schema, references followed.
const DEEPEST: usize = 64;
/// Most checks of a subschema against a value that a caller's schema may cause.
const WORK: usize = 20_000_000;

/// The rule.
pub static RULE: Rule = Rule {
    id: RuleId::new("output/schema-violation"),
    summary: Cow::Borrowed("a reply that does not fit the JSON Schema of its route or of its request"),
    doc: Cow::Borrowed(include_str!("schema_violation.md")),
    severity: Severity::High,
    confidence: Confidence::High,
    persona: Persona::Regular,
    references: Cow::Borrowed(&[
        Reference::new("OWASP-LLM", "LLM05"),
        Reference::new("CWE", "CWE-20"),
        Reference::new("URL", "https://json-schema.org/draft/2020-12"),
        Reference::new("RFC", "RFC 8259"),
    ]),
    since: Cow::Borrowed("0.1.0"),
};

/// A compiled JSON Schema. References lead only to places in the schema itself; nothing is ever fetched.
#[derive(Clone)]
pub struct ReplySchema {
    validator: std::sync::Arc<Validator>,
    /// Subschemas with references followed, of a caller's schema.
    expanded: Option<usize>,
}

impl fmt::Debug for ReplySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySchema").field("expanded", &self.expanded).finish_non_exhaustive()
    }
}

/// What a schema says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It fits.
    Fits,
    /// It is not JSON, has a key twice, or does not fit.
    Violates,
    /// It would take more work than a caller may cause.
    TooCostly,
}

impl ReplySchema {
    /// The schema of an operator.
    ///
    /// # Errors
    /// What is wrong with the schema: not a schema, a reference to elsewhere, a pattern that needs backtracking.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE))
            .build(schema)
            .map_err(|error| format!("{error} (at `{}` of the schema)", error.instance_path()))?;
        Ok(Self { validator: std::sync::Arc::new(validator), expanded: None })
    }

    /// The schema of a caller, who may mean harm: it may not be recursive, and its work is bounded.
    ///
    /// # Errors
    /// As [`ReplySchema::new`], or it is recursive or too large.
    pub fn requested(schema: &Value) -> Result<Self, String> {
        let mut left = EXPANDED;
        expand(schema, schema, DEEPEST, &mut left)?;
        Ok(Self { expanded: Some(EXPANDED - left), ..Self::new(schema)? })
    }

    /// What the schema says of the whole text of a reply.
    #[must_use]
    pub fn judge(&self, text: &str) -> Fit {
        let Ok(Strict(value)) = serde_json::from_str(text) else { return Fit::Violates };
        if self.expanded.is_some_and(|schemas| schemas.saturating_mul(values(&value)) > WORK) {
            return Fit::TooCostly;
        }
        if self.validator.is_valid(&value) { Fit::Fits } else { Fit::Violates }
    }
}

/// Counts the subschemas with references followed. Every object counts, which is at least every subschema.
fn expand(value: &Value, root: &Value, depth: usize, left: &mut usize) -> Result<(), String> {
    let Some(below) = depth.checked_sub(1) else {
        return Err("the schema is recursive or too deeply nested to be checked".to_owned());
    };
    match value {
        Value::Object(members) => {
            *left = left.checked_sub(1).ok_or("the schema is too large to be checked")?;
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("$ref", Value::String(target)) => {
                        let pointer = target.strip_prefix('#').ok_or("the schema refers to another document")?;
                        let target = root.pointer(pointer).ok_or("the schema refers to a place that it has not")?;
                        expand(target, root, below, left)?;
                    }
                    ("$dynamicRef" | "$recursiveRef" | "$id" | "$anchor" | "$dynamicAnchor", Value::String(_)) => {
                        return Err(format!("the schema uses `{key}`, which is not checked"));
                    }
                    // Definitions count where they are used.
                    ("$defs" | "definitions", _) => {}
                    _ => expand(member, root, below, left)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| expand(item, root, below, left)),
        _ => Ok(()),
    }
}

/// How many values a document has.
fn values(value: &Value) -> usize {
    let mut open = vec![value];
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    count
}

/// A document in which no object has a key twice: readers disagree about which one counts.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Strict;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
                Ok(Strict(Value::Bool(value)))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Strict, E> {
                Number::from_f64(value).map(|n| Strict(Value::Number(n))).ok_or_else(|| E::custom("not a number"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
                Ok(Strict(Value::String(value.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
                let mut list = Vec::new();
                while let Some(Strict(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(Strict(Value::Array(list)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
                let mut map = Map::new();
                while let Some((key, Strict(value))) = members.next_entry::<String, Strict>()? {
                    if map.insert(key, value).is_some() {
                        return Err(de::Error::custom("a key comes twice"));
                    }
                }
                Ok(Strict(Value::Object(map)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replies_are_judged_as_a_whole() {
        let schema = ReplySchema::new(&json!({
            "type": "object", "required": ["city"], "additionalProperties": false,
            "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}, "beds": {"$ref": "#/$defs/count"}},
            "$defs": {"count": {"type": "integer", "minimum": 1}}
        }))
        .unwrap();
        for good in [r#"{"city":"Ghent"}"#, " {\"city\": \"Ghent\", \"beds\": 2}\n"] {
            assert_eq!(schema.judge(good), Fit::Fits, "{good}");
        }
        for bad in [
            "",
            "Sure! {\"city\":\"Ghent\"}",
            "```json\n{\"city\":\"Ghent\"}\n```",
            r#"{"city":"Ghent"} {"city":"Ghent"}"#,
            r#"{"city":"ghent"}"#,
            r#"{"city":"Ghent","beds":0}"#,
            r#"{"city":"Ghent","extra":1}"#,
            r#"{"city":"Ghent","city":"Gent"}"#,
            r#"{"city":"Ghent""#,
        ] {
            assert_eq!(schema.judge(bad), Fit::Violates, "{bad}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        for target in ["https://example.com/s.json", "file:///etc/passwd", "other.json"] {
            assert!(ReplySchema::new(&json!({"$ref": target})).is_err(), "{target}");
            assert!(ReplySchema::requested(&json!({"properties": {"a": {"$ref": target}}})).is_err(), "{target}");
        }
    }

    #[test]
    fn a_callers_schema_cannot_cost_much() {
        assert!(ReplySchema::requested(&json!({"$ref": "#"})).is_err());
        assert!(ReplySchema::requested(&json!({"items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}})).is_err());
        // Every definition uses the next one twice.
        let mut definitions = Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            definitions.insert(format!("d{n}"), json!({"anyOf": [next, next]}));
        }
        definitions.insert("d40".to_owned(), json!({"type": "string"}));
        let wide = json!({"$defs": definitions, "$ref": "#/$defs/d0"});
        assert!(ReplySchema::requested(&wide).is_err());
        let plain = ReplySchema::requested(&json!({"type": "array", "items": {"type": "integer"}})).unwrap();
        assert_eq!(plain.judge("[1,2,3]"), Fit::Fits);
        // Patterns that backtrack are not accepted at all.
        assert!(ReplySchema::new(&json!({"pattern": "(?=a)b"})).is_err());
    }

    #[test]
    fn deep_replies_are_refused_not_followed() {
        let schema = ReplySchema::new(&json!({"type": "array", "items": {"$ref": "#"}})).unwrap();
        assert_eq!(schema.judge(&"[".repeat(100_000)), Fit::Violates);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(schema.judge(&deep), Fit::Fits);
    }
}
