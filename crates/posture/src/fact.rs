//! What a configuration says, in words that no product owns. Parsers make facts; rules judge them.

use bartizan_core::Span;

use crate::product::Product;
use crate::value::{Known, Resolved};

/// What a flag, variable or key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The address that is listened on.
    Bind,
    /// A key or password that callers must show.
    Key,
    /// Callers are authenticated in another way.
    AuthOn,
    /// Authentication is switched off.
    AuthOff,
    /// Connections are encrypted.
    Tls,
    /// Certificates are not verified.
    TlsOff,
    /// Code of a model's or data set's repository is run.
    RemoteCode,
    /// Values are unpickled that come from outside.
    Deserialise,
    /// Callers may load models or change the configuration.
    Management,
    /// Files of the machine can be asked for.
    FileAccess,
    /// A mode for development.
    Debug,
    /// Prompts and answers are written down or sent elsewhere.
    PromptLog,
    /// Prompts are kept out of logs.
    PromptLogOff,
    /// Origins whose pages may call.
    Cors,
    /// The server is made public through a relay.
    Share,
    /// A model by name.
    Model,
    /// The revision of the model.
    Revision,
    /// A data set by name.
    Dataset,
    /// The revision of the data set.
    DatasetRevision,
    /// A container image.
    Image,
    /// A port of the machine, with its address.
    Publish,
    /// A path of the machine in a container.
    Mount,
    /// Walls around a container are taken down.
    Privilege,
    /// What a bucket is granted to.
    Grant,
    /// Something downloaded is run unseen.
    Download,
    /// A secret of any kind.
    Secret,
    /// The rest of the configuration is in a file that is not here.
    ConfigFile,
}

/// How a value is turned into a fact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reads {
    /// The value counts as it is.
    Text,
    /// A fact where the value reads as true, or where a flag has none.
    IfTrue,
    /// A fact where the value reads as false.
    IfFalse,
    /// A fact where the value is one of these, in lower case.
    IfOneOf(&'static [&'static str]),
    /// A fact where it is empty.
    IfEmpty,
}

impl Reads {
    /// True where the value makes a fact.
    pub(crate) fn takes(self, value: &Resolved) -> bool {
        let text = value.text.trim();
        // What is set elsewhere is not known to be anything.
        let told = value.known != Known::Elsewhere;
        match self {
            Self::Text => true,
            Self::IfTrue => told && crate::value::is_true(text),
            Self::IfFalse => told && crate::value::is_false(text),
            Self::IfOneOf(words) => told && words.iter().any(|w| text.eq_ignore_ascii_case(w)),
            Self::IfEmpty => told && text.is_empty(),
        }
    }
}

/// One thing that a configuration says.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) setting: Setting,
    /// The flag, variable or key, as written.
    pub(crate) name: String,
    pub(crate) value: Resolved,
    pub(crate) at: Span,
}

/// Where something runs, which decides who reaches what it listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// A process of the machine.
    Machine,
    /// What a product reads when it is started, which may say the rest.
    Config,
    /// A container whose ports are published one by one.
    Container,
    /// A container in a pod: all of the cluster reaches it.
    Pod,
    /// A container or process that is described only in part: an image, variables, settings.
    Part,
    /// A job that listens on nothing.
    Job,
}

/// Something that is started together: a service, a container, a process, a job.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) product: Option<&'static Product>,
    pub(crate) home: Home,
    /// What stands for the whole, for findings about what is missing.
    pub(crate) at: Span,
    pub(crate) facts: Vec<Fact>,
    /// A wall that the file itself puts around it: a network policy.
    pub(crate) walled: bool,
    /// It has to do with models, whatever its product: it asks for accelerators, or holds a provider's key.
    pub(crate) models: bool,
    /// It serves a model to everybody by its words, but what it is, and so how it lets callers in, is not known.
    pub(crate) stranger: bool,
}

impl Unit {
    pub(crate) fn new(home: Home, at: Span) -> Self {
        Self { product: None, home, at, facts: Vec::new(), walled: false, models: false, stranger: false }
    }

    /// Facts about a setting.
    pub(crate) fn all(&self, setting: Setting) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |f| f.setting == setting)
    }

    pub(crate) fn has(&self, setting: Setting) -> bool {
        self.all(setting).next().is_some()
    }

    pub(crate) fn add(&mut self, setting: Setting, name: impl Into<String>, value: Resolved, at: Span) {
        self.facts.push(Fact { setting, name: name.into(), value, at });
    }
}
