//! The catalogue: measures, and the identifiers that need them. It is data; this module reads and checks it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::ReportError;
use crate::assess::Status;
use crate::evidence::Kind;
use crate::setting::Condition;

/// The files of the built-in catalogue, in the order of the report.
const FRAMEWORKS: &[&str] = &[
    include_str!("catalogue/owasp_llm.toml"),
    include_str!("catalogue/owasp_agentic.toml"),
    include_str!("catalogue/aisvs.toml"),
    include_str!("catalogue/atlas.toml"),
    include_str!("catalogue/nist_600_1.toml"),
    include_str!("catalogue/eu_ai_act.toml"),
    include_str!("catalogue/iso_42001.toml"),
];
const MEASURES: &str = include_str!("catalogue/measures.toml");
const OUT: &str = include_str!("catalogue/out.toml");

/// The only measure that takes a tag: an attack may be restricted to a risk or technique.
const TAGGED: &str = "red-team";

/// Something that evidence can show.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Its name.
    pub id: String,
    /// What is shown, as a sentence without its end.
    pub says: String,
    /// The kind of evidence that shows it.
    pub from: Kind,
    /// How such evidence is made.
    pub command: String,
    /// Days after which evidence is stale; none where it is read for the report.
    pub days: Option<u32>,
    /// Rules that do the work: ids, or `family/*`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Deeds of which one has to be on record.
    #[serde(default)]
    pub deeds: Vec<String>,
    /// What the evidence has to have looked for.
    pub needs: Option<String>,
    /// What has to stand in the records, by its words: `tool-calls`, `tool-texts`, `mcp`. Without it they count in part.
    #[serde(default)]
    pub records: Vec<String>,
    /// Conditions on the configuration: all lists, one of each.
    #[serde(default)]
    pub settings: Vec<Vec<Condition>>,
}

impl Measure {
    /// True where the rule is one of those that do the work.
    #[must_use]
    pub fn uses(&self, rule: &str) -> bool {
        self.rules.iter().any(|selector| selects(selector, rule))
    }
}

/// True where `family/*` or an id names the rule.
fn selects(selector: &str, rule: &str) -> bool {
    match selector.strip_suffix('*') {
        Some(family) => rule.starts_with(family),
        None => selector == rule,
    }
}

/// What a catalogue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It says what has to be done.
    Requirements,
    /// It says what may happen.
    Risks,
    /// A law or a management standard: what is shown is evidence toward it, never conformity.
    EvidenceToward,
}

impl Role {
    /// A status in words. Of a law or a management standard nothing is ever covered here: there is evidence, or there is not.
    #[must_use]
    pub const fn says(self, status: Status) -> &'static str {
        match (self, status) {
            (Self::EvidenceToward, Status::Covered) => "evidence",
            (Self::EvidenceToward, Status::Partial) => "some evidence",
            (Self::EvidenceToward, Status::None) => "no evidence",
            (_, status) => status.says(),
        }
    }
}

/// One identifier of a catalogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The identifier, as its catalogue writes it.
    pub id: String,
    /// Level of assurance, where the catalogue has levels.
    pub level: Option<u8>,
    /// What it is about, in words of this program.
    pub words: String,
    /// Measures that all have to be shown for it to be covered: `name` or `red-team:TAG`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Measures that show a part.
    #[serde(default)]
    pub helps: Vec<String>,
    /// Why it is out of scope, unless there is evidence all the same.
    pub out: Option<String>,
}

impl Control {
    /// The measures it names, those that are needed first.
    pub fn measures(&self) -> impl Iterator<Item = &str> {
        self.needs.iter().chain(&self.helps).map(String::as_str)
    }
}

/// A catalogue of requirements or risks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// Its short name; the one that rules refer to it by, where they do.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which edition.
    pub edition: String,
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub source: String,
    /// What has to be said about it.
    #[serde(default)]
    pub note: String,
    /// Its identifiers.
    pub control: Vec<Control>,
}

/// Everything that is assessed.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// What can be shown, by name.
    pub measures: BTreeMap<String, Measure>,
    /// The catalogues, in the order of the report.
    pub frameworks: Vec<Framework>,
    /// Why something is out of scope, by name.
    pub out: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Measures {
    measure: Vec<Measure>,
}

/// What records can be asked to contain, and what is said where they do not.
pub(crate) const RECORDED: [(&str, &str); 3] = [
    ("tool-calls", "no tool call is on record"),
    ("tool-texts", "no text of a tool is on record"),
    ("mcp", "no message of the Model Context Protocol is on record"),
];

/// A measure without its tag, and the tag.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(name, tag)| (name, Some(tag)))
}

impl Catalogue {
    /// The catalogue of this program.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn built_in() -> Result<&'static Self, ReportError> {
        static BUILT_IN: OnceLock<Result<Catalogue, String>> = OnceLock::new();
        BUILT_IN
            .get_or_init(|| Self::parse(MEASURES, FRAMEWORKS, OUT))
            .as_ref()
            .map_err(|why| ReportError::Catalogue(why.clone()))
    }

    /// The text of the built-in catalogue, to name it by a digest.
    #[must_use]
    pub fn text() -> String {
        [MEASURES, OUT].into_iter().chain(FRAMEWORKS.iter().copied()).collect()
    }

    fn parse(measures: &str, frameworks: &[&str], out: &str) -> Result<Self, String> {
        let list: Measures = toml::from_str(measures).map_err(|e| format!("measures: {e}"))?;
        let out = toml::from_str(out).map_err(|e| format!("out of scope: {e}"))?;
        let mut measures = BTreeMap::new();
        for measure in list.measure {
            if measures.contains_key(&measure.id) {
                return Err(format!("the measure `{}` is there twice", measure.id));
            }
            if let Some(word) = measure.records.iter().find(|word| !RECORDED.iter().any(|(known, _)| known == word)) {
                return Err(format!("the measure `{}`: records are not asked for `{word}`", measure.id));
            }
            measures.insert(measure.id.clone(), measure);
        }
        let mut all = Self { measures, frameworks: Vec::new(), out };
        for text in frameworks {
            let framework: Framework = toml::from_str(text).map_err(|e| e.to_string())?;
            all.check(&framework)?;
            all.frameworks.push(framework);
        }
        Ok(all)
    }

    fn check(&self, framework: &Framework) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for control in &framework.control {
            let wrong = |why: &str| Err(format!("{} {}: {why}", framework.id, control.id));
            if !seen.insert(&control.id) {
                return wrong("it is there twice");
            }
            if control.measures().next().is_none() && control.out.is_none() {
                return wrong("nothing shows it, and it is not out of scope");
            }
            if control.out.is_some() && !control.needs.is_empty() {
                return wrong("it is out of scope and can be covered");
            }
            if control.out.as_ref().is_some_and(|out| !self.out.contains_key(out)) {
                return wrong("the reason why it is out of scope is not known");
            }
            for name in control.measures() {
                let (measure, tag) = split(name);
                if !self.measures.contains_key(measure) || (tag.is_some() && measure != TAGGED) {
                    return wrong(&format!("there is no measure `{name}`"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_yardstick_has_all_of_its_requirements_and_levels() {
        let catalogue = Catalogue::built_in().unwrap();
        let of = |id: &str| &catalogue.frameworks.iter().find(|f| f.id == id).unwrap().control;
        // OWASP AISVS 1.0: 191 requirements in 12 chapters, 51 of level 1, 95 of level 2, 45 of level 3.
        let aisvs = of("AISVS");
        let level = |n| aisvs.iter().filter(|c| c.level == Some(n)).count();
        assert_eq!((aisvs.len(), level(1), level(2), level(3)), (191, 51, 95, 45));
        let chapters: BTreeSet<&str> = aisvs.iter().filter_map(|c| c.id.split('.').next()).collect();
        assert_eq!(chapters.len(), 12);
        // Identifiers of a section count from 1 without a gap.
        for pair in aisvs.windows(2) {
            let (section, number) = pair[1].id.rsplit_once('.').unwrap();
            let (before, last) = pair[0].id.rsplit_once('.').unwrap();
            let expected = if section == before { last.parse::<u32>().unwrap() + 1 } else { 1 };
            assert_eq!(number.parse::<u32>().unwrap(), expected, "{}", pair[1].id);
        }
        assert_eq!((of("OWASP-LLM").len(), of("OWASP-AGENTIC").len()), (10, 10));
        let risks = of("NIST-AI-600-1").iter().filter(|c| c.id.starts_with("2.")).count();
        assert_eq!(risks, 12);
    }

    #[test]
    fn every_measure_is_used_and_every_reason_too() {
        let catalogue = Catalogue::built_in().unwrap();
        let controls = || catalogue.frameworks.iter().flat_map(|f| &f.control);
        let used: BTreeSet<&str> = controls().flat_map(Control::measures).map(|name| split(name).0).collect();
        let all: BTreeSet<&str> = catalogue.measures.keys().map(String::as_str).collect();
        assert_eq!(used, all);
        let reasons: BTreeSet<&str> = controls().filter_map(|c| c.out.as_deref()).collect();
        assert_eq!(reasons, catalogue.out.keys().map(String::as_str).collect());
    }

    #[test]
    fn a_catalogue_that_contradicts_itself_is_refused() {
        let head = "id = \"X\"\nname = \"x\"\nedition = \"1\"\nrole = \"risks\"\nsource = \"s\"\n";
        let measure = "[[measure]]\nid = \"a\"\nsays = \"s\"\nfrom = \"decisions\"\ncommand = \"c\"\n";
        let parse = |controls: &str| {
            Catalogue::parse(measure, &[&format!("{head}control = [{controls}]")], "o = \"r\"").map(drop)
        };
        assert_eq!(parse("{ id = \"1\", words = \"w\", needs = [\"a\"] }"), Ok(()));
        for (controls, why) in [
            ("{ id = \"1\", words = \"w\" }", "nothing shows it"),
            ("{ id = \"1\", words = \"w\", needs = [\"b\"] }", "no measure `b`"),
            ("{ id = \"1\", words = \"w\", needs = [\"a:t\"] }", "no measure `a:t`"),
            ("{ id = \"1\", words = \"w\", out = \"p\" }", "not known"),
            ("{ id = \"1\", words = \"w\", out = \"o\", needs = [\"a\"] }", "can be covered"),
            ("{ id = \"1\", words = \"w\", out = \"o\" }, { id = \"1\", words = \"w\", out = \"o\" }", "twice"),
        ] {
            let error = parse(controls).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(Catalogue::parse(&format!("{measure}{measure}"), &[], "").is_err());
    }
}
