//! The command line of `sign`, `verify` and `attest`.
#![allow(rustdoc::bare_urls, reason = "these comments are help texts")]

use std::path::PathBuf;
use std::str::FromStr;

use bartizan_gateway::SecretRef;
use bartizan_sign::{MaterialKind, StepKind};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum SignCommand {
    /// Sign every file of a model, in the form of OpenSSF Model Signing 1.0.
    #[command(after_help = SIGN_HELP)]
    Model(SignModelArgs),
}

const SIGN_HELP: &str = "\
Make a key:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub

Examples:
  bartizan sign model ./llama --key key.pem
  bartizan sign model ./llama --key env:SIGNING_KEY --certificate leaf.pem --certificate-chain ca.pem -o llama.sig";

#[derive(Debug, Args)]
pub(crate) struct SignModelArgs {
    /// Folder of the model, or its one file
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Where the signature goes; inside of the model it is left out of it
    #[arg(short, long, value_name = "FILE", default_value = "model.sig")]
    pub(crate) output: PathBuf,
    /// Path below the model that is not signed
    #[arg(long, value_name = "PATH")]
    pub(crate) ignore_path: Vec<String>,
    /// Read links to files inside of the model, or of the Hugging Face cache that it belongs to
    #[arg(long)]
    pub(crate) allow_symlinks: bool,
}

/// Where a private key is. It is never a key itself, which the list of processes would show.
#[derive(Clone, Debug)]
pub(crate) enum KeyPlace {
    File(PathBuf),
    Secret(SecretRef),
}

impl FromStr for KeyPlace {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env" | "file", _)) => SecretRef::try_from(text.to_owned()).map(Self::Secret),
            _ if text.contains('\n') => Err("give the place of the key, not the key".to_owned()),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// With what is signed.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    /// Private key in PEM (P-256, P-384 or P-521): a file, or env:NAME
    #[arg(long, value_name = "KEY")]
    pub(crate) key: KeyPlace,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
}

/// The certificates of a key.
#[derive(Clone, Debug, Args)]
pub(crate) struct CertificateArgs {
    /// Certificate of the key, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Certificates that lead from it to the root, in PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) certificate_chain: Vec<PathBuf>,
}

/// A model by its subcommand, or a corpus.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = VERIFY_CORPUS_HELP)]
pub(crate) struct VerifyAnyArgs {
    #[command(subcommand)]
    pub(crate) command: Option<VerifyCommand>,
    #[command(flatten)]
    pub(crate) corpus: VerifyCorpusArgs,
}

const VERIFY_CORPUS_HELP: &str = "\
Exit codes: 0 every file is as the manifest says; 1 the manifest is not signed by whom is trusted, or a file differs, is
missing or is not in it; 2 something cannot be read. A manifest without a signature is compared where nobody is named.

Examples:
  bartizan verify --corpus clean.manifest.json ./clean --public-key key.pub
  bartizan verify model ./llama --public-key key.pub";

/// A corpus that was cleaned.
#[derive(Debug, Args)]
pub(crate) struct VerifyCorpusArgs {
    /// Compare a corpus with the manifest that `scan data --clean` wrote
    #[arg(long, value_name = "MANIFEST", required = true)]
    pub(crate) corpus: Option<PathBuf>,
    /// Folder of the corpus, or its one file
    #[arg(required = true, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// How to answer
    #[arg(long, value_enum, default_value_t = VerifyFormat::Human)]
    pub(crate) format: VerifyFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VerifyCommand {
    /// Compare a model with its signature.
    #[command(after_help = VERIFY_HELP)]
    Model(VerifyModelArgs),
    /// Check the signature of a posture report, and the files that it was made of.
    #[command(after_help = crate::report::posture::VERIFY_HELP)]
    Posture(crate::report::posture::VerifyPostureArgs),
}

const VERIFY_HELP: &str = "\
Exit codes: 0 everything is as it was signed; 1 the signature does not verify, a file differs, is missing or was not
signed, or a link of the chain is missing, unsigned or failed; 2 something cannot be read; 3 the signature holds but
leaves out files that are there.

Examples:
  bartizan verify model ./llama --public-key key.pub
  bartizan verify model ./llama --signature llama.sig --certificate-chain root.pem
  bartizan verify model ./llama --trust-root trusted_root.json --identity me@example.com \\
      --identity-provider https://accounts.example.com
  bartizan verify model ./llama-q4 --chain ./statements --materials . --public-key key.pub";

#[derive(Debug, Args)]
pub(crate) struct VerifyModelArgs {
    /// Folder of the model, or its one file
    pub(crate) path: PathBuf,
    /// The signature [default: model.sig; with --chain: none]
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Path below the model that is not looked at
    #[arg(long, value_name = "PATH")]
    pub(crate) ignore_path: Vec<String>,
    /// Pass files that are there but were not signed
    #[arg(long)]
    pub(crate) ignore_unsigned_files: bool,
    /// Read links, where the signer did so too
    #[arg(long)]
    pub(crate) allow_symlinks: bool,
    /// Walk back to the data as well, over the signed statements in these files and folders
    #[arg(long, value_name = "PATH")]
    pub(crate) chain: Vec<PathBuf>,
    /// Folder in which materials are looked up by their names on record and hashed again
    #[arg(long, value_name = "FOLDER", requires = "chain")]
    pub(crate) materials: Option<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t = VerifyFormat::Human)]
    pub(crate) format: VerifyFormat,
}

/// Whom to trust.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustArgs {
    /// Public key in PEM that may have signed
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Vec<PathBuf>,
    /// Root certificates that may have issued the signer's, in PEM; links of the chain may be among them
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate_chain: Vec<PathBuf>,
    /// Trust root of a Sigstore instance (trusted_root.json); nothing is asked over the network
    #[arg(long, value_name = "FILE", requires_all = ["identity", "identity_provider"])]
    pub(crate) trust_root: Option<PathBuf>,
    /// Who has to have signed, by whichever certificate: a mail address or URI in it, or its subject
    #[arg(long, value_name = "NAME")]
    pub(crate) identity: Option<String>,
    /// Who has to have identified the signer, for Sigstore
    #[arg(long, value_name = "URL", requires = "trust_root")]
    pub(crate) identity_provider: Option<String>,
    /// When certificates have to be valid [default: now]
    #[arg(long, value_name = "TIME", requires = "certificate_chain")]
    pub(crate) at: Option<jiff::Timestamp>,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// Drawn for people: what differs.
    Human,
    /// One JSON document: every file.
    Json,
}

/// How an examination of models is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelFormat {
    /// Drawn for people.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Bill of materials, CycloneDX 1.6.
    Cyclonedx,
}

/// What `scan model` signs, and what it asks of a bill of materials.
#[derive(Clone, Debug, Args)]
pub(crate) struct BillArgs {
    /// With cyclonedx: exit with 1 where a field is missing or a file was not examined
    #[arg(long)]
    pub(crate) require_complete: bool,
    /// Write what was found, or with cyclonedx the bill, as a signed in-toto statement to this file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) attest: Option<PathBuf>,
    /// Private key in PEM that signs it: a file, or env:NAME
    #[arg(long, value_name = "KEY", requires = "attest")]
    pub(crate) key: Option<KeyPlace>,
    #[command(flatten)]
    pub(crate) certificates: CertificateArgs,
}

pub(crate) const ATTEST_HELP: &str = "\
The statement is an in-toto statement with SLSA provenance: it says what was run, on what, and what came out, by their
SHA-256. It shows that these were not changed since; it cannot show that the machine was honest.

Materials are given as [KIND=]PATH or [KIND=]sha256:HEX, with the kinds model, data, code, container and other. As
corpus=MANIFEST the data is what `scan data --clean` wrote, with the verdict of its manifest.

Examples:
  bartizan attest --step tuning --material model=base --material data=rows.jsonl --output tuned \\
      --key key.pem -o statements/tune.json -- python tune.py
  bartizan attest --step conversion --material model=tuned --output model.gguf --key key.pem \\
      -o statements/convert.json --record run.json";

#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    /// What the step does
    #[arg(long, value_parser = step())]
    pub(crate) step: StepKind,
    /// What goes in, hashed before the step
    #[arg(long, value_name = "[KIND=]WHAT")]
    pub(crate) material: Vec<Material>,
    /// File or folder that comes out, hashed after the step
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) output: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Where the statement goes
    #[arg(short = 'o', long, value_name = "FILE", default_value = "attestation.json")]
    pub(crate) statement: PathBuf,
    /// URI of who runs the step
    #[arg(long, value_name = "URI", default_value = "urn:bartizan:local")]
    pub(crate) builder: String,
    /// Digest of the container that the step runs in, as sha256:HEX
    #[arg(long, value_name = "DIGEST", env = "BARTIZAN_CONTAINER_DIGEST")]
    pub(crate) container: Option<Material>,
    /// The step was run elsewhere: its record, JSON with "command", "started", "finished" and "exit_code"
    #[arg(long, value_name = "FILE", conflicts_with = "command", required_unless_present = "command")]
    pub(crate) record: Option<PathBuf>,
    /// What to run, without a shell
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

fn step() -> impl TypedValueParser<Value = StepKind> {
    PossibleValuesParser::new(StepKind::ALL.map(StepKind::as_str))
        .map(|word| StepKind::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or(StepKind::Training))
}

/// Something that goes into a step.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    pub(crate) kind: MaterialKind,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Path(PathBuf),
    /// SHA-256, lower-case hex.
    Digest(String),
    /// The manifest of a corpus.
    Corpus(PathBuf),
}

impl FromStr for Material {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(manifest) = text.strip_prefix("corpus=").filter(|manifest| !manifest.is_empty()) {
            return Ok(Self { kind: MaterialKind::Data, what: What::Corpus(PathBuf::from(manifest)) });
        }
        let named = text
            .split_once('=')
            .and_then(|(word, rest)| Some((MaterialKind::ALL.into_iter().find(|kind| kind.as_str() == word)?, rest)));
        let (kind, what) = named.unwrap_or((MaterialKind::Other, text));
        let what = match what.strip_prefix("sha256:") {
            Some(digest) if bartizan_sign::unhex::<32>(digest).is_some() => What::Digest(digest.to_lowercase()),
            Some(_) => return Err("a digest is `sha256:` and 64 hex digits".to_owned()),
            None if what.is_empty() => return Err("a path is missing".to_owned()),
            None => What::Path(PathBuf::from(what)),
        };
        Ok(Self { kind, what })
    }
}
