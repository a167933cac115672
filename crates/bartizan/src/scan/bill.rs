//! What `scan model` makes of all files together: a bill of materials, and statements that are signed.

use std::io::Write;
use std::path::Path;

use bartizan_scan::bom::{self, Bom, Input};
use bartizan_scan::{File, findings};
use bartizan_sign::{Resource, Statement};
use jiff::Timestamp;

use super::args::ScanModelArgs;
use crate::args::Gate;
use crate::problem::Problem;
use crate::signing::args::ModelFormat;
use crate::signing::{Signing, put};

/// Type of the predicate of a bill (in-toto, `cyclonedx`).
const BILL: &str = "https://cyclonedx.org/bom";

/// Files that are kept until the end, where something is made of them.
pub(super) struct Bill {
    keep: bool,
    files: Vec<File>,
    signing: Option<Signing>,
    started: Timestamp,
}

impl Bill {
    pub(super) fn begin(args: &ScanModelArgs) -> anyhow::Result<Self> {
        let bill = args.format == ModelFormat::Cyclonedx;
        let keep = bill || args.bill.attest.is_some();
        let wrong = |title: &str, help: &str| Err(Problem::new(title).help(help).into());
        if keep && args.paths.len() != 1 {
            return wrong("a bill of materials or a statement is about one model", "give one path");
        }
        if keep && args.no_hash {
            return wrong("a bill of materials or a statement needs the digests of the files", "leave `--no-hash` out");
        }
        if args.bill.require_complete && !bill {
            return wrong("`--require-complete` is about a bill of materials", "add `--format cyclonedx`");
        }
        // A key that cannot be read is told before hours of hashing.
        let signing = args.bill.key.as_ref().map(|key| Signing::of(key, &args.bill.certificates)).transpose()?;
        Ok(Self { keep, files: Vec::new(), signing, started: Timestamp::now() })
    }

    pub(super) fn take(&mut self, file: File) {
        if self.keep {
            self.files.push(file);
        }
    }

    /// Writes what was asked for; false where a bill that has to be complete is not.
    pub(super) fn end(&self, args: &ScanModelArgs, gate: Gate, out: &mut impl Write) -> anyhow::Result<bool> {
        let (true, Some(root)) = (self.keep, args.paths.first()) else { return Ok(true) };
        let now = Timestamp::now();
        let bom = self.bom(root, now);
        let bill = args.format == ModelFormat::Cyclonedx;
        if bill {
            writeln!(out, "{}", serde_json::to_string_pretty(&bom.document)?)?;
        }
        if let (Some(path), Some(signing)) = (&args.bill.attest, &self.signing) {
            let gate = if let Gate::From(severity) = gate { Some(severity) } else { None };
            let (started, finished) = (self.started.to_string(), now.to_string());
            let run =
                findings::Run { version: env!("CARGO_PKG_VERSION"), started: &started, finished: &finished, gate };
            let digest = bom.digest.as_deref();
            let mut statement = findings::statement(root, &bom.name, digest, &self.files, run);
            if bill {
                let subject: Vec<Resource> = std::mem::take(&mut statement.subject);
                statement = Statement::new(subject, BILL, bom.document);
            }
            put(path, &signing.sign(&statement)?)?;
        }
        if args.bill.require_complete && !bom.missing.is_empty() {
            let mut err = std::io::stderr();
            writeln!(err, "the bill of materials is not complete; missing: {}", bom.missing.join(", "))?;
            return Ok(false);
        }
        Ok(true)
    }

    fn bom(&self, root: &Path, now: Timestamp) -> Bom {
        let (serial, time) = (uuid::Uuid::now_v7().to_string(), format!("{now:.0}"));
        bom::make(&Input { root, files: &self.files, serial: &serial, time: &time, version: env!("CARGO_PKG_VERSION") })
    }
}
