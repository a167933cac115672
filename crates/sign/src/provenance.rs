//! How an artifact was made: an in-toto statement with SLSA provenance, version 1.

use std::fmt;

use serde_json::{Value, json};

use crate::statement::{Resource, Statement};

/// Type of the predicate.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// How parameters are to be read.
const BUILD_TYPE: &str = "urn:bartizan:attest:1";
/// The annotation of a material that says what it is for.
const KIND: &str = "kind";

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A model from data.
    Training,
    /// A model from a model and data.
    Tuning,
    /// A model from several models.
    Merging,
    /// A smaller form of a model.
    Quantizing,
    /// Another format of a model.
    Conversion,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Training, Self::Tuning, Self::Merging, Self::Quantizing, Self::Conversion];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Tuning => "tuning",
            Self::Merging => "merging",
            Self::Quantizing => "quantizing",
            Self::Conversion => "conversion",
        }
    }

    /// The kinds of material that such a step cannot do without.
    #[must_use]
    pub const fn needs(self) -> &'static [MaterialKind] {
        match self {
            Self::Training => &[MaterialKind::Data],
            Self::Tuning => &[MaterialKind::Model, MaterialKind::Data],
            Self::Merging | Self::Quantizing | Self::Conversion => &[MaterialKind::Model],
        }
    }
}

/// What a material is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaterialKind {
    /// A model, which has a past of its own.
    Model,
    /// Data: the beginning of a chain.
    Data,
    /// Code.
    Code,
    /// The container that the step ran in.
    Container,
    /// Anything else.
    Other,
}

impl MaterialKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Model, Self::Data, Self::Code, Self::Container, Self::Other];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Data => "data",
            Self::Code => "code",
            Self::Container => "container",
            Self::Other => "other",
        }
    }

    /// That of a material of a statement.
    #[must_use]
    pub fn of(material: &Resource) -> Self {
        let word = material.annotation(KIND).unwrap_or_default();
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Self::Other)
    }

    /// A material with this kind.
    #[must_use]
    pub fn marks(self, material: Resource) -> Resource {
        material.annotated(KIND, self.as_str())
    }
}

impl fmt::Display for MaterialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step from materials to outputs.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Program and arguments.
    pub command: Vec<String>,
    /// What came out, hashed after the step.
    pub outputs: Vec<Resource>,
    /// What went in, hashed before the step.
    pub materials: Vec<Resource>,
    /// URI of who ran it.
    pub builder: String,
    /// Identifier of this run.
    pub invocation: String,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339.
    pub finished: String,
    /// Exit code; `None` where a signal ended it.
    pub exit: Option<i32>,
    /// True where the step was run elsewhere and only its record was at hand.
    pub recorded: bool,
    /// Version of this program.
    pub version: String,
}

impl Step {
    /// The statement to sign.
    #[must_use]
    pub fn statement(&self) -> Statement {
        let predicate = json!({
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": { "step": self.kind.as_str(), "command": self.command },
                "internalParameters": { "exitCode": self.exit, "observed": !self.recorded },
                "resolvedDependencies": self.materials,
            },
            "runDetails": {
                "builder": { "id": self.builder, "version": { "bartizan": self.version } },
                "metadata": { "invocationId": self.invocation, "startedOn": self.started, "finishedOn": self.finished },
            },
        });
        Statement::new(self.outputs.clone(), PROVENANCE, predicate)
    }
}

/// What a statement says about the making of its subjects.
#[derive(Clone, Debug)]
pub struct Made {
    /// What the step did; `None` where it does not say so in our words.
    pub kind: Option<StepKind>,
    /// What went in.
    pub materials: Vec<Resource>,
    /// True where it ended well, as far as it is told.
    pub succeeded: bool,
}

impl Made {
    /// Reads it; `None` where the statement is about something else, or malformed.
    #[must_use]
    pub fn of(statement: &Statement) -> Option<Self> {
        if statement.predicate_type != PROVENANCE {
            return None;
        }
        let definition = &statement.predicate["buildDefinition"];
        let materials = match &definition["resolvedDependencies"] {
            Value::Null => Vec::new(),
            materials => serde_json::from_value(materials.clone()).ok()?,
        };
        let word = definition["externalParameters"]["step"].as_str();
        let kind = StepKind::ALL.into_iter().find(|kind| Some(kind.as_str()) == word);
        // Those of others hold only steps that ended well.
        let ours = definition["buildType"] == BUILD_TYPE;
        let succeeded = !ours || definition["internalParameters"]["exitCode"] == 0;
        Some(Self { kind, materials, succeeded })
    }
}
