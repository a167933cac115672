//! `bartizan keys exposed`: who has a provider's key reaches the model beside the gateway.
//!
//! Files are compared with the keys of the configuration. A key is never shown, nor anything near it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use bartizan_gateway::SecretRef;
use bartizan_scan::tree::{self, Selection};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde::Serialize;

use crate::args::{ConfigArgs, ListFormat};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::{DONE, FOUND, UNREAD, terminal};

/// Shorter keys are too much like other words.
const LEAST: usize = 12;
/// Longest file that is read, bytes.
const LONGEST: u64 = 64 << 20;

pub(crate) const HELP: &str = "\
Files below the paths are compared with the key of every [[upstream]], as it is and in base64 (as in Kubernetes Secrets). A file
that the configuration itself reads a key from is passed over.

Exit codes: 0 none was seen; 1 one was; 3 none was seen, but not everything was read.

Examples:
  bartizan keys exposed /srv/apps /etc
  kubectl get secrets,configmaps -A -o yaml > all.yaml && bartizan keys exposed all.yaml";

#[derive(Debug, Args)]
pub(crate) struct ExposedArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// A key in a file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Seen {
    path: String,
    /// From 1.
    line: usize,
    upstream: String,
    encoded: bool,
}

/// What is looked for.
struct Keys {
    finder: AhoCorasick,
    /// By pattern: the upstream, and whether it is in base64.
    names: Vec<(String, bool)>,
    /// Where the configuration has its keys.
    own: BTreeSet<PathBuf>,
}

impl Keys {
    fn of(config: &Config) -> anyhow::Result<Self> {
        let (mut patterns, mut names, mut own) = (Vec::new(), Vec::new(), BTreeSet::new());
        for upstream in &config.upstream {
            let Some(reference) = &upstream.key else { continue };
            if let SecretRef::File(path) = reference {
                own.extend(path.canonicalize());
            }
            let key =
                reference.resolve().map_err(|why| Problem::new(format!("upstream `{}`: {why}", upstream.name)))?;
            if key.len() < LEAST {
                let title = format!("the key of upstream `{}` is too short to be looked for", upstream.name);
                return Err(Problem::new(title).help(format!("keys of {LEAST} characters and more are")).into());
            }
            // Up to where the encoding does not depend on what follows.
            let whole = key.as_bytes().get(..key.len() / 3 * 3).unwrap_or_default();
            patterns.extend([key.clone(), STANDARD.encode(whole)]);
            names.extend([(upstream.name.clone(), false), (upstream.name.clone(), true)]);
        }
        if patterns.is_empty() {
            return Err(Problem::new("no upstream has a key of its own")
                .help("give it one: [[upstream]] key = \"env:NAME\"")
                .into());
        }
        Ok(Self { finder: AhoCorasick::new(&patterns)?, names, own })
    }

    fn look(&self, path: &str, bytes: &[u8], seen: &mut BTreeSet<Seen>) {
        let (mut line, mut counted) = (1, 0);
        for found in self.finder.find_iter(bytes) {
            let before = bytes.get(counted..found.start()).unwrap_or_default();
            line += before.iter().filter(|byte| **byte == b'\n').count();
            counted = found.start();
            if let Some((upstream, encoded)) = self.names.get(found.pattern().as_usize()) {
                seen.insert(Seen { path: path.to_owned(), line, upstream: upstream.clone(), encoded: *encoded });
            }
        }
    }
}

/// `bartizan keys exposed`.
pub(crate) fn run(args: &ExposedArgs) -> anyhow::Result<u8> {
    let keys = Keys::of(&config::load(&args.config, &[])?.config)?;
    let (mut seen, mut unread) = (BTreeSet::new(), Vec::new());
    for root in &args.paths {
        let tree = tree::list(root, &Selection { links: true, ..Selection::default() })?;
        unread.extend(tree.left.into_iter().map(|(path, why)| format!("{path}: {why}")));
        for leaf in tree.files.values() {
            if leaf.at.canonicalize().is_ok_and(|path| keys.own.contains(&path)) {
                continue;
            }
            let name = leaf.at.display().to_string();
            match read(&leaf.at) {
                Ok(bytes) => keys.look(&name, &bytes, &mut seen),
                Err(why) => unread.push(format!("{name}: {why}")),
            }
        }
    }
    let mut out = std::io::stdout().lock();
    if args.format == ListFormat::Json {
        let answer = serde_json::json!({ "seen": seen, "unread": unread });
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    } else {
        for Seen { path, line, upstream, encoded } in &seen {
            let form = if *encoded { ", in base64" } else { "" };
            writeln!(out, "{}:{line}: the key of upstream `{upstream}`{form}", terminal::line(path))?;
        }
        for why in &unread {
            writeln!(out, "not read: {}", terminal::line(why))?;
        }
        match (seen.is_empty(), unread.is_empty()) {
            (true, true) => writeln!(out, "no provider's key was seen")?,
            (true, false) => writeln!(out, "no provider's key was seen in what was read")?,
            (false, _) => writeln!(out, "who has one of these reaches the model beside the gateway: make a new key")?,
        }
    }
    Ok(if !seen.is_empty() {
        FOUND
    } else if unread.is_empty() {
        DONE
    } else {
        UNREAD
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    // A pipe, a device or a socket may have no end.
    let about = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    Ok(bytes)
}
