//! `bartizan verify --corpus`: a corpus that was cleaned, compared with its manifest.

use std::io::Write;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use bartizan_data::clean::{self, Said};
use bartizan_scan::signed::{self, Checked, Leave};
use bartizan_sign::{Bundle, Resource, SignError, Signer, Statement, hex};
use serde_json::json;

use super::args::{VerifyCorpusArgs, VerifyFormat};
use super::keys;
use super::verify::{differences, signer_record};
use crate::problem::Problem;
use crate::terminal::{self, Style, paint};
use crate::{DONE, FOUND};

/// Longest manifest that is read, bytes.
const LONGEST: usize = 256 << 20;

/// A manifest as it was read. Without a signature nobody vouches for it.
struct Read {
    statement: Statement,
    bundle: Option<Bundle>,
    bytes: Vec<u8>,
}

fn read(path: &Path) -> anyhow::Result<Read> {
    let bytes = keys::read(path, LONGEST)?;
    let about = |error: SignError| Problem::new(format!("`{}`: {error}", path.display()));
    if let Ok(statement) = Statement::parse(&bytes) {
        return Ok(Read { statement, bundle: None, bytes });
    }
    let bundle = Bundle::parse(&bytes).map_err(about)?;
    let statement = Statement::parse(&bundle.payload).map_err(about)?;
    Ok(Read { statement, bundle: Some(bundle), bytes })
}

fn said(path: &Path, statement: &Statement) -> anyhow::Result<Said> {
    let shown = path.display();
    let said = clean::said(statement).map_err(|error| Problem::new(format!("`{shown}`: {error}")))?;
    said.ok_or_else(|| {
        let help = "`bartizan scan data PATH --clean OUT --key key.pem` writes one";
        Problem::new(format!("`{shown}` is no manifest of a corpus")).help(help).into()
    })
}

/// Who signed the manifest, what it says and what became of each file, or why it is not believed.
type Compared = Result<(Option<Signer>, Said, Checked), String>;

fn compare(args: &VerifyCorpusArgs, manifest: &Path, path: &Path) -> anyhow::Result<Compared> {
    let found = read(manifest)?;
    let trust = &args.trust;
    let asked = trust.trust_root.is_some() || !trust.public_key.is_empty() || !trust.certificate_chain.is_empty();
    let (signer, statement) = match &found.bundle {
        None if asked => return Ok(Err("the manifest is not signed".to_owned())),
        None => (None, found.statement),
        Some(bundle) => match bartizan_sign::open(&keys::trust(trust)?, bundle) {
            Ok(signed) => (Some(signed.signer), signed.statement),
            Err(error @ SignError::Unverified(_)) => return Ok(Err(error.to_string())),
            Err(error) => return Err(error.into()),
        },
    };
    let said = said(manifest, &statement)?;
    let checked = signed::check(path, &said.files, &Leave::default())?;
    Ok(Ok((signer, said, checked)))
}

/// Compares a corpus with its manifest.
pub(crate) fn corpus(args: &VerifyCorpusArgs) -> anyhow::Result<u8> {
    let (Some(manifest), Some(path)) = (&args.corpus, &args.path) else {
        return Err(Problem::new("there is nothing to verify").help("give `--corpus MANIFEST PATH`").into());
    };
    let compared = compare(args, manifest, path)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        VerifyFormat::Human => draw(&mut out, &path.display().to_string(), &compared)?,
        VerifyFormat::Json => {
            let answer = match &compared {
                Err(why) => json!({ "verified": false, "reason": why }),
                Ok((signer, said, checked)) => json!({
                    "verified": checked.holds(),
                    "signer": signer.as_ref().map(signer_record),
                    "corpus": { "name": said.files.name, "sha256": said.sha256 },
                    "verdict": if said.denied { "deny" } else { "allow" },
                    "worst": said.worst,
                    "coverage": said.coverage,
                    "files": checked.rows,
                }),
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    Ok(if compared.is_ok_and(|(_, _, checked)| checked.holds()) { DONE } else { FOUND })
}

fn draw(out: &mut impl Write, path: &str, compared: &Compared) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let path = terminal::line(path);
    let (signer, said, checked) = match compared {
        Ok(compared) => compared,
        Err(why) => {
            return writeln!(out, "{}: {path}: {}", paint("not verified", Style::Bad, color), terminal::line(why));
        }
    };
    let (word, style) = match (checked.holds(), signer) {
        (true, Some(_)) => ("verified", Style::Good),
        (true, None) => ("unchanged", Style::Good),
        (false, _) => ("not verified", Style::Bad),
    };
    let signer = signer.as_ref().map_or_else(
        || "by nobody: the manifest is not signed".to_owned(),
        |signer| format!("by {}", terminal::line(&signer.to_string())),
    );
    let count = said.files.entries.len();
    let plural = if count == 1 { "" } else { "s" };
    writeln!(out, "{}: {path} ({count} file{plural} on record), signed {signer}", paint(word, style, color))?;
    differences(out, checked)?;
    if said.denied {
        let word = paint("on record", Style::Bad, color);
        writeln!(out, "  {word}: findings at the gate were left in it")?;
    }
    Ok(())
}

/// A corpus as a material, with what its manifest says. Its signature is looked at by who walks the chain.
pub(super) fn material(path: &Path) -> anyhow::Result<Resource> {
    let found = read(path)?;
    let said = said(path, &found.statement)?;
    let manifest = hex(digest(&SHA256, &found.bytes).as_ref());
    Ok(Resource::sha256(said.files.name.as_str(), said.sha256.as_str())
        .annotated("verdict", if said.denied { "deny" } else { "allow" })
        .annotated("coverage", said.coverage.as_str())
        .annotated("manifest", format!("sha256:{manifest}"))
        .annotated("manifestSigned", found.bundle.is_some()))
}
