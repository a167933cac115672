//! `bartizan verify model`.

use std::io::Write;
use std::path::{Path, PathBuf};

use bartizan_scan::signed::{self, Checked, Leave, Row, Status};
use bartizan_sign::chain::Link;
use bartizan_sign::{ModelManifest, SignError, Signer, Trust, hex};
use serde_json::{Value, json};

use super::args::{VerifyFormat, VerifyModelArgs};
use super::{below, chain, keys};
use crate::terminal::{self, Style, paint};
use crate::{DONE, FOUND, UNREAD};

/// Most rows of a table for people.
const MOST: usize = 200;

/// Who signed and what became of each file, or why the signature does not verify.
type Compared = Result<(Signer, ModelManifest, Checked), String>;

fn compare(args: &VerifyModelArgs, signature: &Path, trust: &[Trust]) -> anyhow::Result<Compared> {
    let signed = match bartizan_sign::open(trust, &keys::bundle(signature)?) {
        Ok(signed) => signed,
        Err(error @ SignError::Unverified(_)) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let manifest = ModelManifest::from_statement(&signed.statement)?;
    let mut leave = Leave { unsigned: args.ignore_unsigned_files, links: args.allow_symlinks, ..Leave::default() };
    leave
        .paths
        .extend(args.ignore_path.iter().map(|path| path.trim_start_matches("./").trim_end_matches('/').to_owned()));
    leave.paths.extend(below(&args.path, signature));
    let checked = signed::check(&args.path, &manifest, &leave)?;
    Ok(Ok((signed.signer, manifest, checked)))
}

fn exit_code(compared: Option<&Compared>, links: Option<&[Link]>) -> u8 {
    let chain = links.is_none_or(chain::holds);
    match compared {
        Some(Err(_)) => FOUND,
        Some(Ok((_, _, checked))) if !checked.holds() => FOUND,
        _ if !chain => FOUND,
        Some(Ok((_, _, checked))) if checked.leaves_out() => UNREAD,
        _ => DONE,
    }
}

/// Compares a model with its signature, and walks back to its data.
pub(crate) fn model(args: &VerifyModelArgs) -> anyhow::Result<u8> {
    let trust = keys::trust(&args.trust)?;
    let default = args.chain.is_empty().then(|| PathBuf::from("model.sig"));
    let signature = args.signature.clone().or(default);
    let compared = signature.as_ref().map(|signature| compare(args, signature, &trust)).transpose()?;
    let links = if args.chain.is_empty() {
        None
    } else {
        let evidence = chain::evidence(&args.chain, &trust)?;
        Some(chain::walk(&args.path, &evidence, args.materials.as_deref())?)
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        VerifyFormat::Human => {
            if let Some(compared) = &compared {
                draw(&mut out, &args.path.display().to_string(), compared)?;
            }
            if let Some(links) = &links {
                chain::draw(&mut out, links)?;
            }
        }
        VerifyFormat::Json => {
            let mut answer = compared.as_ref().map_or_else(|| json!({}), record);
            if let Some(links) = &links {
                answer["chain"] = chain::record(links);
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        }
    }
    Ok(exit_code(compared.as_ref(), links.as_deref()))
}

fn draw(out: &mut impl Write, path: &str, compared: &Compared) -> std::io::Result<()> {
    let color = terminal::colored_stdout();
    let path = terminal::line(path);
    let (signer, manifest, checked) = match compared {
        Ok(signed) => signed,
        Err(why) => {
            return writeln!(out, "{}: {path}: {}", paint("not verified", Style::Bad, color), terminal::line(why));
        }
    };
    let (word, style) = if checked.holds() { ("verified", Style::Good) } else { ("not verified", Style::Bad) };
    let signer = terminal::line(&signer.to_string());
    let count = manifest.entries.len();
    let plural = if count == 1 { "" } else { "s" };
    writeln!(out, "{}: {path} ({count} signed file{plural}), signed by {signer}", paint(word, style, color))?;
    differences(out, checked)
}

/// Every file that is not as it was signed.
pub(super) fn differences(out: &mut impl Write, checked: &Checked) -> std::io::Result<()> {
    let told: Vec<&Row> = checked.rows.iter().filter(|row| row.status != Status::Ok).collect();
    for row in told.iter().take(MOST) {
        let (word, more) = match &row.status {
            Status::Ok => ("ok", String::new()),
            Status::Changed { signed, found } => {
                ("changed", format!("  signed {} found {}", short(signed), short(found)))
            }
            Status::Missing => ("missing", String::new()),
            Status::Unsigned => ("unsigned", String::new()),
            Status::Ignored => ("ignored", "  the signature leaves it out".to_owned()),
            Status::Unread { why } => ("unread", format!("  {}", terminal::line(why))),
        };
        writeln!(out, "  {word:<9} {}{more}", terminal::line(&row.path))?;
    }
    if let Some(more) = told.len().checked_sub(MOST).filter(|more| *more > 0) {
        writeln!(out, "  … and {more} more; --format json lists all")?;
    }
    Ok(())
}

/// Enough of a digest to tell two apart.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn record(compared: &Compared) -> Value {
    match compared {
        Err(why) => json!({ "verified": false, "reason": why }),
        Ok((signer, manifest, checked)) => json!({
            "verified": checked.holds(),
            "signer": signer_record(signer),
            "model": { "name": manifest.name, "sha256": hex(&manifest.root()) },
            "files": checked.rows,
        }),
    }
}

pub(super) fn signer_record(signer: &Signer) -> Value {
    match signer {
        Signer::Key { hint } => json!({ "kind": "key", "hint": hint }),
        Signer::Certificate { subject, fingerprint } => {
            json!({ "kind": "certificate", "subject": subject, "sha256": fingerprint })
        }
        Signer::Sigstore { identity, issuer, time } => {
            let time = jiff::Timestamp::from_second(*time).map(|t| t.to_string()).unwrap_or_default();
            json!({ "kind": "sigstore", "identity": identity, "identity_provider": issuer, "time": time })
        }
    }
}
