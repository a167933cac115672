//! What a developer and CI run beside cargo: the gate, generated files, benchmarks, fuzzing, test components.
//!
//! It uses the standard library only, so that it builds in a second, also where nothing else does.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
#![allow(clippy::disallowed_methods, reason = "its whole work is files, processes and time")]

mod artifacts;
mod bench;
mod components;
mod console;
mod deps;
mod dist;
mod e2e;
mod faults;
mod fuzz;
mod gate;
mod generated;
mod howto;
mod packaging;
mod phones;
mod pypi;
mod repo;
mod runner;
mod shims;
mod signing;

use std::process::ExitCode;

/// A failure that is only ever shown.
type Result<T = ()> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [PHASE…]               everything that has to pass before a change lands
  components                  fetch what the end-to-end tests need; prints how to export it
  deps                        check the layers, the lint walls and banned crates
  gen [--check]               write the generated files, or check that they are current
  console                     build the console's pages anew (needs npm)
  console --walk              the main ways through the console in a real browser (needs npm and Chromium)
  train pii                   make the gazetteer and the model of names anew (needs python3, npm and rustc)
  train injection FOLDER      fit the injection model anew on labelled texts (training/injection/DATA.md; needs python3)
  train encoder MINILM        fit its second stage anew, after that (training/injection/MODEL.md; needs python3 with torch)
  fuzz TARGET [--seconds N]   fuzz one target for so much processor time; goes on where the last run ended
  fuzz --replay               run every corpus through its target
  faults [--seed N] [--seconds N]
                              the fault run and the smuggling test, with more cases than the gate plays
  bench NAME [ARG…]           startup | build | abuse | artifacts [--speed] [--peers] | a benchmark of the binary: engine, gateway, …
  signing                     sign and verify models both ways with the reference implementation (needs python3 and openssl)
  dist [--compare]            the program for others, in dist/; or build it twice and compare (long)
  packaging                   lint packaging/ and compare it with the schemas of others (needs the network and kubectl)
  howto [NAME]                follow the how-tos of docs/guide/clients.md with the real clients (needs the network)
  shims [--all]               the Python callers of `scan data` (needs python3; --all: with Ray, Spark and datasets)
  e2e [FILTER]                the heavy tests: a model large enough to be fooled, a LiteLLM proxy; `e2e redteam` attacks the
                              model alone and behind the gateway, and prints the figures
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test", phases @ ..] => gate::run(phases),
        ["components"] => components::print_export(),
        ["deps"] => deps::check(),
        ["packaging"] => packaging::check(),
        ["howto"] => howto::run(""),
        ["howto", name] => howto::run(name),
        ["dist"] => dist::build(),
        ["dist", "--compare"] => dist::compare(),
        ["gen"] => generated::write(),
        ["gen", "--check"] => generated::check().and_then(|()| console::check()),
        ["console"] => console::build(),
        ["console", "--walk"] => console::walk(),
        ["train", "pii"] => {
            repo::run(std::process::Command::new("bash").arg("training/pii/train.sh").current_dir(repo::root()))
        }
        ["train", "injection", folder] => repo::run(
            std::process::Command::new("bash").args(["training/injection/train.sh", *folder]).current_dir(repo::root()),
        ),
        ["train", "encoder", folder] => repo::run(
            std::process::Command::new("bash")
                .args(["training/injection/encoder.sh", *folder])
                .current_dir(repo::root()),
        ),
        ["fuzz", "--replay"] => fuzz::replay(),
        ["fuzz", target] => fuzz::run(target, None),
        ["fuzz", target, "--seconds", seconds] => fuzz::run(target, Some(seconds)),
        ["faults", rest @ ..] => faults::run(rest),
        ["bench", name, rest @ ..] => bench::run(name, rest),
        ["signing"] => signing::run(),
        ["shims"] => shims::run(false),
        ["shims", "--all"] => shims::run(true),
        ["e2e", filter @ ..] if filter.len() <= 1 => e2e::run(filter.first().copied()),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
