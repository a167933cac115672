//! From a model back to what it was made from, over signed statements.
//!
//! The walk shows that statements are intact and fit together. It does not show that those who signed them told the
//! truth, nor that the machine on which a step ran was honest.

use std::collections::BTreeSet;

use crate::model::MODEL_SIGNATURE;
use crate::provenance::{Made, MaterialKind};
use crate::statement::{Resource, Statement};

/// Longest chain that is walked, steps.
const DEEPEST: usize = 64;
/// Most links that are walked.
const MOST: usize = 10_000;

/// A statement on record, and whether it is believed.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The file that it is in.
    pub file: String,
    /// What it says.
    pub statement: Statement,
    /// Who signed it, or why nobody trusted did.
    pub signer: Result<String, String>,
}

/// A model at the end of a chain.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// The SHA-256 that stands for all of it, hex.
    pub digest: String,
    /// The SHA-256 of each of its files, hex; empty where they are not at hand.
    pub files: Vec<String>,
}

/// One thing on the way, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Steps from the model.
    pub depth: usize,
    /// Name on record.
    pub name: String,
    /// What it is.
    pub kind: MaterialKind,
    /// Its SHA-256, hex.
    pub digest: String,
    /// What is known of it.
    pub state: State,
}

/// What is known of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A trusted statement says how it was made.
    Made {
        /// The file with the statement.
        file: String,
        /// What the step did.
        step: String,
        /// Who signed it.
        signer: String,
    },
    /// A trusted signature covers it; the chain ends here.
    Signed {
        /// The file with the signature.
        file: String,
        /// Who signed it.
        signer: String,
    },
    /// It has no past to ask for: data, code, a container.
    Hashed {
        /// A trusted statement that examined it, where there is one.
        examined: Option<String>,
    },
    /// It is at hand and not what is on record.
    Changed {
        /// How.
        why: String,
    },
    /// Nothing on record leads on from here.
    Missing {
        /// What.
        why: String,
    },
    /// A statement leads on, and nobody trusted signed it.
    Unsigned {
        /// The file with the statement.
        file: String,
        /// Why it is not believed.
        why: String,
    },
    /// A trusted statement speaks against it.
    Failed {
        /// The file with the statement.
        file: String,
        /// What it says.
        why: String,
    },
}

impl State {
    /// True where the chain holds here.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self, Self::Made { .. } | Self::Signed { .. } | Self::Hashed { .. })
    }
}

/// What is asked of things outside of statements.
pub trait Outside {
    /// Why a material is not any more what it was, where it is at hand; `None` where it is unchanged or not at hand.
    fn changed(&self, material: &Resource) -> Option<String>;
    /// What an examination on record says: an error where it found something at the gate; `None` where the statement is
    /// not an examination.
    fn examined(&self, statement: &Statement) -> Option<Result<(), String>>;
}

/// Walks from a model to its beginnings. The chain holds where every link does.
#[must_use]
pub fn walk(artifact: &Artifact, evidence: &[Evidence], outside: &dyn Outside) -> Vec<Link> {
    let mut walk = Walk { evidence, outside, links: Vec::new(), way: Vec::new(), full: false };
    walk.go(&artifact.name, MaterialKind::Model, &artifact.digest, &artifact.files);
    walk.links
}

struct Walk<'a> {
    evidence: &'a [Evidence],
    outside: &'a dyn Outside,
    links: Vec<Link>,
    /// Digests from the model to here.
    way: Vec<String>,
    /// True once the limit on links was met.
    full: bool,
}

impl Walk<'_> {
    fn link(&mut self, name: &str, kind: MaterialKind, digest: &str, state: State) {
        let depth = self.way.len();
        self.links.push(Link { depth, name: name.to_owned(), kind, digest: digest.to_owned(), state });
    }

    fn missing(&mut self, name: &str, kind: MaterialKind, digest: &str, why: impl Into<String>) {
        self.link(name, kind, digest, State::Missing { why: why.into() });
    }

    fn go(&mut self, name: &str, kind: MaterialKind, digest: &str, files: &[String]) {
        if self.links.len() >= MOST {
            // Said once: a walk that was broken off must not pass for one that ended.
            if !std::mem::replace(&mut self.full, true) {
                self.missing(name, kind, digest, "the chain has more links than the limit");
            }
            return;
        }
        if self.way.iter().any(|before| before == digest) {
            return self.missing(name, kind, digest, "it is said to be made from itself");
        }
        if self.way.len() >= DEEPEST {
            return self.missing(name, kind, digest, "the chain is longer than the limit");
        }
        let evidence = self.evidence;
        let about = |e: &&Evidence| covers(&e.statement, digest, files);
        for found in evidence.iter().filter(about).filter(|e| e.signer.is_ok()) {
            if let Some(Err(why)) = self.outside.examined(&found.statement) {
                return self.link(name, kind, digest, State::Failed { file: found.file.clone(), why });
            }
        }
        let makers: Vec<(&Evidence, Made)> =
            evidence.iter().filter(about).filter_map(|e| Some((e, Made::of(&e.statement)?))).collect();
        let believed: Vec<_> =
            makers.iter().filter_map(|(e, made)| Some((*e, made, e.signer.as_ref().ok()?))).collect();
        for (found, made, signer) in &believed {
            if !made.succeeded {
                let why = "the step that made it did not end well".to_owned();
                self.link(name, kind, digest, State::Failed { file: found.file.clone(), why });
                continue;
            }
            let step = made.kind.map_or("a step", |kind| kind.as_str()).to_owned();
            self.link(name, kind, digest, State::Made { file: found.file.clone(), step, signer: (*signer).clone() });
            self.way.push(digest.to_owned());
            self.materials(made);
            self.way.pop();
        }
        if !believed.is_empty() {
            return;
        }
        if let Some((found, _)) = makers.first() {
            let why = found.signer.as_ref().err().cloned().unwrap_or_default();
            return self.link(name, kind, digest, State::Unsigned { file: found.file.clone(), why });
        }
        match kind {
            MaterialKind::Model => self.unmade(name, digest, files),
            _ => {
                let examined = evidence
                    .iter()
                    .filter(about)
                    .find(|e| e.signer.is_ok() && self.outside.examined(&e.statement).is_some())
                    .map(|e| e.file.clone());
                self.link(name, kind, digest, State::Hashed { examined });
            }
        }
    }

    /// A model that no statement says how it was made.
    fn unmade(&mut self, name: &str, digest: &str, files: &[String]) {
        let evidence = self.evidence;
        let kind = MaterialKind::Model;
        let mut signatures = evidence
            .iter()
            .filter(|e| e.statement.predicate_type == MODEL_SIGNATURE && covers(&e.statement, digest, files))
            .peekable();
        if signatures.peek().is_none() {
            return self.missing(name, kind, digest, "no statement says how it was made, and no signature covers it");
        }
        let mut refused = None;
        for found in signatures {
            match &found.signer {
                // That of the model at the end says who signed it, not where it is from.
                Ok(_) if self.way.is_empty() => refused = Some(("no statement says how it was made".to_owned(), None)),
                Ok(signer) => {
                    let state = State::Signed { file: found.file.clone(), signer: signer.clone() };
                    return self.link(name, kind, digest, state);
                }
                Err(why) => refused = Some((why.clone(), Some(found.file.clone()))),
            }
        }
        match refused {
            Some((why, Some(file))) => self.link(name, kind, digest, State::Unsigned { file, why }),
            Some((why, None)) => self.missing(name, kind, digest, why),
            None => {}
        }
    }

    fn materials(&mut self, made: &Made) {
        for needed in made.kind.map_or(&[][..], |kind| kind.needs()) {
            if !made.materials.iter().any(|m| MaterialKind::of(m) == *needed) {
                self.missing("?", *needed, "", format!("the step names no {needed}"));
            }
        }
        if made.materials.is_empty() && made.kind.is_none() {
            self.missing("?", MaterialKind::Other, "", "the step names no materials");
        }
        for material in &made.materials {
            let kind = MaterialKind::of(material);
            match material.sha256_hex() {
                Some(digest) => match self.outside.changed(material) {
                    Some(why) => self.link(&material.name, kind, digest, State::Changed { why }),
                    None => self.go(&material.name, kind, digest, &[]),
                },
                // A revision is its own hash.
                None => match material.digest.get("gitCommit") {
                    Some(commit) => self.link(&material.name, kind, commit, State::Hashed { examined: None }),
                    None => self.missing(&material.name, kind, "", "it is named without its digest"),
                },
            }
        }
    }
}

/// True where a statement is about a thing: about its digest, or about every one of its files.
#[must_use]
pub fn covers(statement: &Statement, digest: &str, files: &[String]) -> bool {
    if statement.is_about(digest) {
        return true;
    }
    let named: BTreeSet<&str> = if statement.predicate_type == MODEL_SIGNATURE {
        let resources = statement.predicate["resources"].as_array();
        resources.map(|all| all.iter().filter_map(|r| r["digest"].as_str()).collect()).unwrap_or_default()
    } else {
        statement.subject.iter().filter_map(Resource::sha256_hex).collect()
    };
    // A model of one file is known by its own digest, and signed by the digest over that one.
    let alone = statement.predicate_type == MODEL_SIGNATURE && named.len() == 1 && named.contains(digest);
    alone || (!files.is_empty() && files.iter().all(|file| named.contains(file.as_str())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::provenance::{Step, StepKind};

    struct Nothing;

    impl Outside for Nothing {
        fn changed(&self, material: &Resource) -> Option<String> {
            (material.name == "changed").then(|| "it has other bytes".to_owned())
        }
        fn examined(&self, statement: &Statement) -> Option<Result<(), String>> {
            match statement.predicate_type.as_str() {
                "clean" => Some(Ok(())),
                "bad" => Some(Err("it runs code".to_owned())),
                _ => None,
            }
        }
    }

    fn step(kind: StepKind, output: &str, materials: &[(&str, MaterialKind)]) -> Step {
        Step {
            kind,
            command: vec!["run".to_owned()],
            outputs: vec![Resource::sha256("out", output)],
            materials: materials.iter().map(|(d, kind)| kind.marks(Resource::sha256(*d, *d))).collect(),
            builder: "urn:b".to_owned(),
            invocation: "1".to_owned(),
            started: String::new(),
            finished: String::new(),
            exit: Some(0),
            recorded: false,
            version: "0".to_owned(),
        }
    }

    fn on_record(file: &str, statement: Statement) -> Evidence {
        Evidence { file: file.to_owned(), statement, signer: Ok("key k".to_owned()) }
    }

    /// Data and a signed base to a tuned model, to a converted one.
    fn whole() -> Vec<Evidence> {
        vec![
            on_record(
                "tune",
                step(StepKind::Tuning, "tuned", &[("base", MaterialKind::Model), ("rows", MaterialKind::Data)])
                    .statement(),
            ),
            on_record("convert", step(StepKind::Conversion, "served", &[("tuned", MaterialKind::Model)]).statement()),
            on_record("base.sig", Statement::new(vec![Resource::sha256("base", "base")], MODEL_SIGNATURE, json!({}))),
        ]
    }

    fn go(evidence: &[Evidence]) -> Vec<Link> {
        walk(&Artifact { name: "m".to_owned(), digest: "served".to_owned(), files: Vec::new() }, evidence, &Nothing)
    }

    fn broken(evidence: &[Evidence]) -> Vec<String> {
        let links = go(evidence);
        links.iter().filter(|l| !l.state.holds()).map(|l| format!("{}: {:?}", l.name, l.state)).collect()
    }

    #[test]
    fn a_whole_chain_is_walked_to_its_beginnings() {
        let links = go(&whole());
        let names: Vec<_> = links.iter().map(|l| (l.depth, l.name.as_str())).collect();
        assert_eq!(names, [(0, "m"), (1, "tuned"), (2, "base"), (2, "rows")]);
        assert!(links.iter().all(|l| l.state.holds()), "{links:?}");
    }

    #[test]
    fn each_link_that_is_taken_away_or_not_believed_is_named() {
        for (at, name) in [(0, "tuned"), (1, "m"), (2, "base")] {
            let mut evidence = whole();
            evidence.remove(at);
            let faults = broken(&evidence);
            assert!(faults.len() == 1 && faults[0].starts_with(name) && faults[0].contains("Missing"), "{faults:?}");
            let mut evidence = whole();
            evidence[at].signer = Err("another key".to_owned());
            let faults = broken(&evidence);
            assert!(faults.len() == 1 && faults[0].starts_with(name) && faults[0].contains("Unsigned"), "{faults:?}");
        }
    }

    #[test]
    fn steps_that_failed_forgot_or_turn_in_circles_break_the_chain() {
        let convert = |materials: &[(&str, MaterialKind)]| step(StepKind::Conversion, "served", materials);
        let failed = Step { exit: Some(1), ..convert(&[("base", MaterialKind::Model)]) };
        for (step, why) in [
            (failed, "did not end well"),
            (convert(&[]), "names no model"),
            (convert(&[("served", MaterialKind::Model)]), "made from itself"),
            (convert(&[("changed", MaterialKind::Model)]), "other bytes"),
        ] {
            let mut evidence = whole();
            evidence[1].statement = step.statement();
            let faults = broken(&evidence);
            assert!(faults.len() == 1 && faults[0].contains(why), "{faults:?}");
        }
    }

    #[test]
    fn a_walk_that_is_too_long_is_broken_off_and_does_not_hold() {
        // Each of these is made from the next one twice.
        let names: Vec<String> =
            (0..30).map(|at| if at == 0 { "served".to_owned() } else { format!("m{at}") }).collect();
        let evidence: Vec<Evidence> = names
            .windows(2)
            .map(|pair| {
                let materials = [(pair[1].as_str(), MaterialKind::Model), (pair[1].as_str(), MaterialKind::Model)];
                on_record(&pair[0], step(StepKind::Merging, &pair[0], &materials).statement())
            })
            .chain([on_record("s", Statement::new(vec![Resource::sha256("m29", "m29")], MODEL_SIGNATURE, json!({})))])
            .collect();
        let links = go(&evidence);
        assert!(links.len() <= MOST + 1 && links.iter().any(|link| !link.state.holds()));
    }

    #[test]
    fn what_an_examination_found_breaks_the_chain() {
        let about = |digest: &str, kind: &str| {
            on_record("scan", Statement::new(vec![Resource::sha256("x", digest)], kind, json!({})))
        };
        for digest in ["served", "tuned", "rows"] {
            let mut evidence = whole();
            evidence.push(about(digest, "bad"));
            assert!(broken(&evidence)[0].contains("runs code"));
            evidence.last_mut().unwrap().signer = Err("not trusted".to_owned());
            assert!(broken(&evidence).is_empty());
        }
        let mut evidence = whole();
        evidence.push(about("rows", "clean"));
        assert_eq!(go(&evidence)[3].state, State::Hashed { examined: Some("scan".to_owned()) });
    }
}
