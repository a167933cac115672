//! A bill of materials for a model: CycloneDX 1.6 (ECMA-424) with a component `machine-learning-model`.
//!
//! Digests, sizes, formats and findings are observed: they come from the bytes. Everything else is declared by a file of
//! the model, and a property says by which. What is not known is missing, never guessed.

mod facts;

use std::path::Path;

use bartizan_artifact::rules::RULES;
use bartizan_core::{Coverage, CoverageStatus, Severity};
use bartizan_sign::{ModelManifest, hex, unhex};
use serde_json::{Value, json};

pub use facts::{Fact, Facts, Field, spdx};

use crate::File;
use crate::tree::Selection;

/// What a bill is made from.
pub struct Input<'a> {
    /// The model: a folder, or one file.
    pub root: &'a Path,
    /// Its files as they were examined, hashed.
    pub files: &'a [File],
    /// A fresh UUID.
    pub serial: &'a str,
    /// Now, RFC 3339.
    pub time: &'a str,
    /// Version of this program.
    pub version: &'a str,
}

/// A bill, and what is missing in it.
#[derive(Clone, Debug)]
pub struct Bom {
    /// The document.
    pub document: Value,
    /// Fields that nothing says, and what was not examined.
    pub missing: Vec<&'static str>,
    /// Name of the model.
    pub name: String,
    /// SHA-256 that stands for all of it, hex, where every file was hashed.
    pub digest: Option<String>,
}

/// Path of a file below the model; `.` where it is the model.
#[must_use]
pub fn name_of(root: &Path, file: &File) -> String {
    let path = file.path.strip_prefix(root).unwrap_or(&file.path);
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string().replace('\\', "/") }
}

/// Makes the bill.
#[must_use]
pub fn make(input: &Input<'_>) -> Bom {
    let facts = Facts::of(input.root);
    let here = input.root.canonicalize().unwrap_or_else(|_| input.root.to_owned());
    let here = here.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = facts.first(Field::Name).map_or(here, |fact| fact.value.clone());
    let digest = digest(input);
    let mut coverage = Coverage::default();
    for file in input.files {
        coverage.merge(&file.report.coverage);
    }
    let mut missing: Vec<&'static str> = Vec::new();
    let mut wanted =
        vec![Field::Version, Field::Supplier, Field::Licence, Field::Dataset, Field::Task, Field::Architecture];
    // That a model was made from no other cannot be told from its files; that an adapter was can.
    if Facts::is_adapter(input.root) {
        wanted.push(Field::BaseModel);
    }
    missing.extend(wanted.iter().filter(|field| facts.first(**field).is_none()).map(|field| field.as_str()));
    if digest.is_none() {
        missing.push("hashes");
    }
    if coverage.status == CoverageStatus::Partial {
        missing.push("coverage");
    }
    let model = model(input, &facts, &name, digest.as_deref(), &coverage);
    let bases: Vec<String> = (0..facts.all(Field::BaseModel).count()).map(|at| format!("base:{at}")).collect();
    let components: Vec<Value> = facts
        .all(Field::BaseModel)
        .zip(&bases)
        .map(|(fact, id)| {
            json!({ "type": "machine-learning-model", "bom-ref": id, "name": fact.value, "properties": [declared(fact)] })
        })
        .chain(facts.all(Field::Dataset).enumerate().map(|(at, fact)| {
            json!({ "type": "data", "bom-ref": format!("data:{at}"), "name": fact.value, "properties": [declared(fact)] })
        }))
        .collect();
    let refs: Vec<&str> = components.iter().filter_map(|c| c["bom-ref"].as_str()).collect();
    let complete = if missing.is_empty() { "complete" } else { "incomplete" };
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", input.serial),
        "version": 1,
        "metadata": {
            "timestamp": input.time,
            "tools": { "components": [{ "type": "application", "name": "bartizan", "version": input.version }] },
            "component": model,
        },
        "dependencies": [{ "ref": "model", "dependsOn": refs }],
        "compositions": [{ "aggregate": complete, "assemblies": ["model"] }],
    });
    if !components.is_empty() {
        document["components"] = components.into();
    }
    let vulnerabilities = vulnerabilities(input);
    if !vulnerabilities.is_empty() {
        document["vulnerabilities"] = vulnerabilities.into();
    }
    Bom { document, missing, name, digest }
}

/// The digest that model signatures use for a folder, over the same files; that of the bytes for a file.
fn digest(input: &Input<'_>) -> Option<String> {
    let own = Selection::of_model(input.root);
    let hashes: Option<Vec<_>> = input
        .files
        .iter()
        .map(|file| (name_of(input.root, file), file))
        .filter(|(name, _)| !own.leaves_out(name))
        .map(|(name, file)| Some((name, unhex::<32>(file.sha256.as_deref()?)?)))
        .collect();
    let hashes = hashes.filter(|all| !all.is_empty())?;
    Some(hex(&ModelManifest::new("", hashes, Vec::new(), false).digest()))
}

fn property(name: &str, value: impl Into<String>) -> Value {
    json!({ "name": format!("bartizan:{name}"), "value": value.into() })
}

/// That a file of the model says so.
fn declared(fact: &Fact) -> Value {
    property(&format!("source:{}", fact.field.as_str()), format!("declared: {}", fact.source))
}

fn model(input: &Input<'_>, facts: &Facts, name: &str, digest: Option<&str>, coverage: &Coverage) -> Value {
    let first = |field| facts.first(field).map(|fact| fact.value.as_str());
    let worst = input.files.iter().filter_map(File::worst).max();
    let mut properties: Vec<Value> = vec![
        property("source:hashes", "observed"),
        property("source:components", "observed"),
        property("scan:coverage", coverage.status.as_str()),
        property("scan:worst", worst.map_or("none", Severity::as_str)),
        property("files", input.files.len().to_string()),
        property("bytes", input.files.iter().map(|f| f.size).sum::<u64>().to_string()),
    ];
    if digest.is_some() && input.root.is_dir() {
        properties.push(property("hashes:method", "OpenSSF Model Signing 1.0: SHA-256 over the SHA-256 of each file"));
    }
    let mut formats: Vec<&str> = input.files.iter().map(|file| file.report.format).collect();
    formats.sort_unstable();
    formats.dedup();
    properties.extend(formats.into_iter().map(|format| property("format", format)));
    properties.extend(facts.iter().map(declared));
    properties.extend(facts.all(Field::Library).map(|fact| property("library", fact.value.clone())));
    let mut model = json!({
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": name,
        "modelCard": { "modelParameters": parameters(facts) },
        "components": input.files.iter().map(|file| part(input.root, file)).collect::<Vec<_>>(),
        "properties": properties,
    });
    if let Some(digest) = digest {
        model["hashes"] = json!([{ "alg": "SHA-256", "content": digest }]);
    }
    if let Some(version) = first(Field::Version) {
        model["version"] = version.into();
    }
    if let Some(supplier) = first(Field::Supplier) {
        model["supplier"] = json!({ "name": supplier });
    }
    if let (Some(purl), true) = (purl(name, first(Field::Version)), from_hub(facts)) {
        model["purl"] = purl.into();
        model["externalReferences"] =
            json!([{ "type": "distribution", "url": format!("https://huggingface.co/{name}") }]);
    }
    let licences: Vec<Value> = facts
        .all(Field::Licence)
        .map(|fact| match spdx(&fact.value) {
            Some(id) => json!({ "license": { "id": id, "acknowledgement": "declared" } }),
            None => json!({ "license": { "name": fact.value, "acknowledgement": "declared" } }),
        })
        .collect();
    if !licences.is_empty() {
        model["licenses"] = licences.into();
    }
    let ancestors: Vec<Value> = facts
        .all(Field::BaseModel)
        .map(|fact| json!({ "type": "machine-learning-model", "name": fact.value, "properties": [declared(fact)] }))
        .collect();
    if !ancestors.is_empty() {
        model["pedigree"] = json!({ "ancestors": ancestors });
    }
    model
}

fn parameters(facts: &Facts) -> Value {
    let mut parameters = json!({});
    for (field, key) in
        [(Field::Task, "task"), (Field::Family, "architectureFamily"), (Field::Architecture, "modelArchitecture")]
    {
        if let Some(fact) = facts.first(field) {
            parameters[key] = fact.value.clone().into();
        }
    }
    let datasets: Vec<Value> =
        (0..facts.all(Field::Dataset).count()).map(|at| json!({ "ref": format!("data:{at}") })).collect();
    if !datasets.is_empty() {
        parameters["datasets"] = datasets.into();
    }
    parameters
}

fn from_hub(facts: &Facts) -> bool {
    facts.first(Field::Name).is_some_and(|fact| fact.source == "path")
}

/// A package URL of the hub, for names that need no escapes.
fn purl(name: &str, version: Option<&str>) -> Option<String> {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let (owner, model) = name.split_once('/')?;
    let version = version.filter(|v| plain(v))?;
    (plain(owner) && plain(model)).then(|| format!("pkg:huggingface/{owner}/{model}@{version}"))
}

fn part(root: &Path, file: &File) -> Value {
    let name = name_of(root, file);
    let mut part = json!({
        "type": "file",
        "bom-ref": format!("file:{name}"),
        "name": name,
        "properties": [
            property("format", file.report.format),
            property("bytes", file.size.to_string()),
            property("scan:coverage", file.report.coverage.status.as_str()),
        ],
    });
    if let Some(sha256) = &file.sha256 {
        part["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
    }
    part
}

fn vulnerabilities(input: &Input<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for file in input.files {
        let name = name_of(input.root, file);
        for found in &file.report.found {
            let rule = RULES.iter().find(|rule| rule.id == found.finding.rule);
            let cwes: Vec<u32> = rule
                .iter()
                .flat_map(|rule| rule.references.iter())
                .filter_map(|reference| reference.id.strip_prefix("CWE-")?.parse().ok())
                .collect();
            all.push(json!({
                "bom-ref": format!("finding:{}", all.len()),
                "id": found.finding.rule,
                "source": { "name": "bartizan" },
                "ratings": [{ "severity": found.finding.severity, "method": "other" }],
                "cwes": cwes,
                "description": found.what,
                "affects": [{ "ref": format!("file:{name}") }],
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bartizan_artifact::Budget;

    use super::*;

    fn bill(root: &Path) -> Bom {
        let mut files = Vec::new();
        crate::scan(root, &Budget::default(), true, |file| files.push(file)).unwrap();
        make(&Input {
            root,
            files: &files,
            serial: "0197a3b2-0000-7000-8000-000000000001",
            time: "2026-06-01T00:00:00Z",
            version: "0.1.0",
        })
    }

    /// The official schema.
    fn faults(bom: &Bom) -> Vec<String> {
        let schema: Value = serde_json::from_str(include_str!("cyclonedx-1.6.schema.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        validator.iter_errors(&bom.document).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    const CARD: &str = "---\nlicense: [apache-2.0, \"custom\\n\"]\nbase_model: acme/base\ndatasets: [acme/rows]\n\
        pipeline_tag: text-generation\n---\n";

    fn whole(root: &Path) {
        fs::create_dir_all(root).unwrap();
        fs::write(root.join("README.md"), CARD).unwrap();
        fs::write(root.join("config.json"), r#"{"architectures":["TinyLM"],"model_type":"tiny"}"#).unwrap();
        fs::write(root.join("weights.pkl"), b"\x80\x04}\x8c\x01aK\x01s.").unwrap();
    }

    #[test]
    fn a_bill_is_valid_and_says_where_each_field_is_from() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("models--acme--tiny/snapshots/0123abcd");
        whole(&root);
        let bom = bill(&root);
        assert_eq!(faults(&bom), Vec::<String>::new());
        assert_eq!(bom.missing, Vec::<&str>::new());
        let model = &bom.document["metadata"]["component"];
        assert_eq!(model["purl"], "pkg:huggingface/acme/tiny@0123abcd");
        assert_eq!(model["licenses"][0]["license"]["id"], "Apache-2.0");
        assert_eq!(model["licenses"][1]["license"]["name"], "custom");
        assert_eq!(model["pedigree"]["ancestors"][0]["name"], "acme/base");
        assert_eq!(model["modelCard"]["modelParameters"]["datasets"][0]["ref"], "data:0");
        assert_eq!(model["components"].as_array().unwrap().len(), 3);
        assert_eq!(bom.document["compositions"][0]["aggregate"], "complete");
        let properties = model["properties"].as_array().unwrap();
        let of = |name: &str| properties.iter().find(|p| p["name"] == name).map(|p| p["value"].as_str().unwrap());
        assert_eq!(of("bartizan:source:hashes"), Some("observed"));
        assert_eq!(of("bartizan:source:licenses"), Some("declared: README.md#license"));
    }

    #[test]
    fn what_is_missing_or_found_is_said() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("adapter_config.json"), "{}").unwrap();
        fs::write(root.path().join("hostile.pkl"), b"cos\nsystem\n(S'true'\ntR.").unwrap();
        let bom = bill(root.path());
        assert_eq!(faults(&bom), Vec::<String>::new());
        assert_eq!(bom.missing, ["version", "supplier", "licenses", "datasets", "task", "architecture", "base-model"]);
        let found = &bom.document["vulnerabilities"][0];
        assert_eq!((&found["ratings"][0]["severity"], &found["cwes"][0]), (&"critical".into(), &502.into()));
        assert_eq!(found["affects"][0]["ref"], "file:hostile.pkl");
        assert_eq!(bom.document["compositions"][0]["aggregate"], "incomplete");
    }

    #[test]
    fn the_digest_is_over_the_files_that_are_signed() {
        let root = tempfile::tempdir().unwrap();
        whole(root.path());
        let selection = Selection::of_model(root.path());
        let tree = crate::tree::list(root.path(), &selection).unwrap();
        let signed = crate::tree::manifest(&tree, &selection).unwrap();
        let before = hex(&signed.digest());
        assert_eq!(bill(root.path()).digest.as_deref(), Some(before.as_str()));
        fs::write(root.path().join(".gitattributes"), "*.safetensors filter=lfs").unwrap();
        fs::write(root.path().join(".gitignore"), "x").unwrap();
        assert_eq!(bill(root.path()).digest.as_deref(), Some(before.as_str()));
        // What only looks like a signature by its name is a file of the model.
        fs::write(root.path().join("model.sig"), "{}").unwrap();
        assert_ne!(bill(root.path()).digest.as_deref(), Some(before.as_str()));
    }

    #[test]
    fn one_file_is_a_model_too() {
        let root = tempfile::tempdir().unwrap();
        whole(root.path());
        let bom = bill(&root.path().join("weights.pkl"));
        assert_eq!(faults(&bom), Vec::<String>::new());
        let model = &bom.document["metadata"]["component"];
        assert_eq!((&model["name"], &model["hashes"]), (&"weights.pkl".into(), &model["components"][0]["hashes"]));
    }
}
