//! Who may read a retrieved chunk: decided before a prompt is put together. What does not say whose it is, and who may
//! read it, is read by nobody.

use std::collections::{BTreeMap, BTreeSet};

use bartizan_core::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reports a chunk that the caller may not read.
pub const OUT_OF_SCOPE: &str = "data/out-of-scope-chunk";

/// Reports a document that is there for nobody to retrieve.
pub const CANARY: &str = "data/canary-document";

/// Longest list of readers that is looked at.
const READERS: usize = 1024;

/// What may be retrieved for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// Classifications, the least first, such as `["public", "internal", "secret"]`. With a list, a chunk without one of
    /// them is dropped; without a list, classifications count for nothing.
    pub classifications: Vec<String>,
    /// The highest classification that a reader may see, by reader: `"team:legal" = "secret"`, `"*" = "internal"` for all.
    /// Who is named in no entry sees the least one only.
    pub clearance: BTreeMap<String, String>,
    /// Sources of documents that nobody has a reason to retrieve: a chunk of one is dropped, and raises an event of
    /// severity critical. `*` at the end stands for anything.
    pub canaries: Vec<String>,
    /// Callers with a key may say whom they ask for, with the headers `x-bartizan-user` and `x-bartizan-team`. Without it
    /// only the claims of a token name users and teams.
    pub trust_headers: bool,
}

impl Retrieval {
    /// What is wrong with it.
    ///
    /// # Errors
    /// A clearance for what is no reader, or for a classification that is not listed.
    pub fn check(&self) -> Result<(), String> {
        for (reader, classification) in &self.clearance {
            if !is_reader(reader) {
                return Err(format!("`{reader}` is no reader: use `*`, `user:NAME`, `team:NAME` or `key:NAME`"));
            }
            if !self.classifications.contains(classification) {
                return Err(format!("clearance of `{reader}`: `{classification}` is not among `classifications`"));
            }
        }
        Ok(())
    }

    /// Decides whether a caller may read a chunk.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, who: &Reader, chunk: &Chunk<'_>) -> Result<(), Dropped> {
        if self.canaries.iter().any(|canary| names(canary, chunk.source)) {
            return Err(Dropped::Canary);
        }
        if chunk.tenant != Some(who.tenant.as_str()) {
            return Err(Dropped::Tenant);
        }
        if !chunk.intact {
            return Err(Dropped::Digest);
        }
        let readers = chunk.readers.filter(|readers| !readers.is_empty()).ok_or(Dropped::NoReaders)?;
        // A list that is longer than what is looked at admits nobody by its end.
        if !readers.iter().take(READERS).any(|reader| reader == "*" || who.names.contains(reader)) {
            return Err(Dropped::Reader);
        }
        let level = |name: &str| self.classifications.iter().position(|known| known == name);
        if !self.classifications.is_empty() {
            let needed = chunk.classification.and_then(level).ok_or(Dropped::Classification)?;
            let cleared = |(reader, name): (&String, &String)| {
                if reader == "*" || who.names.contains(reader) { level(name) } else { None }
            };
            if needed > self.clearance.iter().filter_map(cleared).max().unwrap_or_default() {
                return Err(Dropped::Classification);
            }
        }
        Ok(())
    }
}

fn is_reader(text: &str) -> bool {
    text == "*"
        || text.split_once(':').is_some_and(|(kind, name)| matches!(kind, "user" | "team" | "key") && !name.is_empty())
}

/// True where a pattern names a source.
fn names(pattern: &str, source: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(front) => source.starts_with(front),
        None => source == pattern,
    }
}

/// Who asks, by every name that a list of readers may have for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    tenant: TenantId,
    names: BTreeSet<String>,
}

impl Reader {
    /// A caller of a tenant. Only names that were authenticated belong here; an empty one is none.
    #[must_use]
    pub fn new(tenant: TenantId, key: &str, user: Option<&str>, team: Option<&str>) -> Self {
        let named = [("key", Some(key)), ("user", user), ("team", team)];
        let names = named.into_iter().filter_map(|(kind, name)| Some((kind, name.filter(|name| !name.is_empty())?)));
        Self { tenant, names: names.map(|(kind, name)| format!("{kind}:{name}")).collect() }
    }
}

/// What a chunk says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chunk<'a> {
    /// The document that it is from.
    pub source: &'a str,
    /// Whose it is.
    pub tenant: Option<&'a str>,
    /// Who may read it: `*` for all of the tenant, `user:NAME`, `team:NAME`, `key:NAME`.
    pub readers: Option<&'a [String]>,
    /// How secret it is.
    pub classification: Option<&'a str>,
    /// False where its text is not what its digest says.
    pub intact: bool,
}

/// Why a chunk is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// It is nobody's or another tenant's.
    Tenant,
    /// It does not say who may read it.
    NoReaders,
    /// The caller is not among its readers.
    Reader,
    /// It is more secret than the caller may see, or does not say how secret it is.
    Classification,
    /// Its text is not what was indexed.
    Digest,
    /// Nobody has a reason to retrieve it.
    Canary,
}

impl Dropped {
    /// The rule that it is reported under.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Canary => CANARY,
            _ => OUT_OF_SCOPE,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn who() -> Reader {
        Reader::new(TenantId::authenticated("acme").unwrap(), "app", Some("ann"), Some("legal"))
    }

    fn rules() -> Retrieval {
        serde_json::from_value(serde_json::json!({
            "classifications": ["public", "internal", "secret"],
            "clearance": {"*": "internal", "user:bob": "secret"},
            "canaries": ["hr/salaries-2019.xlsx", "trap/*"],
        }))
        .unwrap()
    }

    fn readers(list: &[&str]) -> Vec<String> {
        list.iter().map(|reader| (*reader).to_owned()).collect()
    }

    #[test]
    fn what_does_not_say_that_it_may_be_read_is_not() {
        let (all, legal, bob) = (readers(&["*"]), readers(&["user:eve", "team:legal"]), readers(&["user:bob"]));
        let chunk = Chunk {
            source: "a",
            tenant: Some("acme"),
            readers: Some(&all),
            classification: Some("internal"),
            intact: true,
        };
        let admit = |chunk: Chunk<'_>| rules().admit(&who(), &chunk);
        assert_eq!(admit(chunk), Ok(()));
        assert_eq!(admit(Chunk { readers: Some(&legal), ..chunk }), Ok(()));
        assert_eq!(admit(Chunk { tenant: None, ..chunk }), Err(Dropped::Tenant));
        assert_eq!(admit(Chunk { tenant: Some("Acme"), ..chunk }), Err(Dropped::Tenant));
        assert_eq!(admit(Chunk { readers: None, ..chunk }), Err(Dropped::NoReaders));
        assert_eq!(admit(Chunk { readers: Some(&[]), ..chunk }), Err(Dropped::NoReaders));
        assert_eq!(admit(Chunk { readers: Some(&bob), ..chunk }), Err(Dropped::Reader));
        assert_eq!(admit(Chunk { classification: Some("secret"), ..chunk }), Err(Dropped::Classification));
        assert_eq!(admit(Chunk { classification: Some("none"), ..chunk }), Err(Dropped::Classification));
        assert_eq!(admit(Chunk { classification: None, ..chunk }), Err(Dropped::Classification));
        assert_eq!(admit(Chunk { intact: false, ..chunk }), Err(Dropped::Digest));
        // Whoever it is.
        assert_eq!(admit(Chunk { source: "trap/x", ..chunk }), Err(Dropped::Canary));
        assert_eq!(admit(Chunk { source: "hr/salaries-2019.xlsx", tenant: None, ..chunk }), Err(Dropped::Canary));
        // An empty name is nobody's, and a name cannot be put together.
        let nobody = Reader::new(TenantId::authenticated("acme").unwrap(), "", Some(""), None);
        assert_eq!(
            rules().admit(&nobody, &Chunk { readers: Some(&readers(&["key:", "user:"])), ..chunk }),
            Err(Dropped::Reader)
        );
    }

    #[test]
    fn faults_of_the_settings_are_said() {
        assert_eq!(rules().check(), Ok(()));
        let with = |reader: &str, level: &str| Retrieval {
            clearance: [(reader.to_owned(), level.to_owned())].into(),
            ..rules()
        };
        assert!(with("legal", "secret").check().unwrap_err().contains("`legal` is no reader"));
        assert!(with("team:legal", "top").check().unwrap_err().contains("`top` is not among"));
    }

    proptest! {
        /// Whatever a chunk says, it is read by somebody of its own tenant or by nobody.
        #[test]
        fn no_tenant_reads_anothers(
            tenant in prop::option::of("acme|ACME|acme |umbrella|acme\u{200b}|"), list in prop::collection::vec("\\*|user:ann|team:legal|key:app|x", 0..4),
            level in prop::option::of("public|internal|secret"),
        ) {
            let chunk = Chunk { source: "a", tenant: tenant.as_deref(), readers: Some(&list), classification: level.as_deref(), intact: true };
            if rules().admit(&who(), &chunk).is_ok() {
                prop_assert_eq!(tenant.as_deref(), Some("acme"));
                prop_assert!(!list.is_empty() && level.as_deref() != Some("secret") && level.is_some());
            }
        }
    }
}
