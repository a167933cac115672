//! Packages that a command would install or run, and the list of those that it may.
//!
//! Models name packages that do not exist, and others register them (ATLAS AML.T0060): a name that nobody has looked at is
//! no package.

use std::collections::BTreeSet;

/// Where a package is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// crates.io.
    Cargo,
    /// npm.
    Npm,
    /// PyPI.
    Pypi,
    /// RubyGems.
    Gem,
    /// Go modules.
    Go,
    /// A distribution or Homebrew.
    System,
}

impl Ecosystem {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Cargo, "cargo"),
        (Self::Npm, "npm"),
        (Self::Pypi, "pypi"),
        (Self::Gem, "gem"),
        (Self::Go, "go"),
        (Self::System, "system"),
    ];
}

/// A package by name, as its ecosystem compares names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Package {
    /// Where it is from.
    pub ecosystem: Ecosystem,
    /// Its name, without version.
    pub name: String,
}

impl Package {
    /// With a name as it is written in a command: `requests[socks]>=2`, `@scope/name@1`, `serde@1`. `None` for a path, an
    /// address, or anything else that is no name.
    #[must_use]
    pub fn read(ecosystem: Ecosystem, written: &str) -> Option<Self> {
        let scoped = ecosystem == Ecosystem::Npm && written.starts_with('@');
        let (front, rest) = if scoped { written.split_at_checked(1)? } else { ("", written) };
        let end = rest.find(['@', '=', '<', '>', '~', '!', '[', ';', ' ']).unwrap_or(rest.len());
        let name = format!("{front}{}", rest.get(..end)?);
        let slashes = name.matches('/').count();
        let most = match ecosystem {
            Ecosystem::Npm => usize::from(scoped),
            Ecosystem::Go => 16,
            _ => 0,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '+');
        let whole =
            !name.is_empty() && name.chars().all(plain) && !name.starts_with(['.', '/', '-']) && !name.contains("..");
        if !whole || slashes > most || scoped && slashes != 1 || written.contains("://") || written.contains(" @ ") {
            return None;
        }
        let lower = name.to_ascii_lowercase();
        let name = match ecosystem {
            // PEP 503 compares names so.
            Ecosystem::Pypi => lower.replace(['_', '.'], "-"),
            Ecosystem::Cargo => lower.replace('_', "-"),
            Ecosystem::Go => name,
            _ => lower,
        };
        Some(Self { ecosystem, name })
    }
}

/// Packages that commands may install.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(BTreeSet<Package>);

impl Allowed {
    /// Reads a list: a line for each, `ECOSYSTEM NAME`, with `#` before remarks.
    ///
    /// # Errors
    /// The first line, from 1, that is no package, and why.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut all = BTreeSet::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let known: Vec<&str> = Ecosystem::ALL.iter().map(|(_, word)| *word).collect();
            let fault = || {
                let text = format!(
                    "`{line}` is no package: write one of {} and a name, such as `npm left-pad`",
                    known.join(", ")
                );
                (number + 1, text)
            };
            let (ecosystem, name) = line.split_once(char::is_whitespace).ok_or_else(fault)?;
            let ecosystem = Ecosystem::ALL.iter().find(|(_, word)| *word == ecosystem).ok_or_else(fault)?.0;
            all.insert(Package::read(ecosystem, name.trim()).ok_or_else(fault)?);
        }
        Ok(Self(all))
    }

    /// True where a package is on it.
    #[must_use]
    pub fn has(&self, package: &Package) -> bool {
        self.0.contains(package)
    }
}

/// What a package manager is asked for.
pub(super) enum Wanted {
    /// These packages.
    Packages(Vec<Package>),
    /// What the project's own files name.
    Locked,
    /// To build or test the project.
    Build,
    /// To start the program that its second word names.
    Starts,
    /// To show something that is there.
    Look,
    /// Something else.
    Other,
}

/// Flags that change nothing of what is installed from where.
const FLAGS: [&str; 24] = [
    "-D",
    "-S",
    "-g",
    "-U",
    "-q",
    "-y",
    "-E",
    "--dev",
    "--save",
    "--save-dev",
    "--save-exact",
    "--upgrade",
    "--quiet",
    "--yes",
    "--global",
    "--locked",
    "--frozen-lockfile",
    "--no-audit",
    "--no-fund",
    "--user",
    "-u",
    "-d",
    "--frozen",
    "--no-progress",
];

pub(super) fn wanted(manager: &str, given: &[&str]) -> Wanted {
    let (verb, rest) = given.split_first().map_or(("", [].as_slice()), |(verb, rest)| (*verb, rest));
    let rest: Vec<&str> = rest.iter().copied().filter(|t| !FLAGS.contains(t)).collect();
    let all = |ecosystem: Ecosystem, names: &[&str]| {
        let read: Option<Vec<Package>> = names.iter().map(|name| Package::read(ecosystem, name)).collect();
        read.filter(|read| !read.is_empty()).map_or(Wanted::Other, Wanted::Packages)
    };
    // The first name is what runs; what follows is for it.
    let one = |ecosystem: Ecosystem, names: &[&str]| all(ecosystem, names.get(..1).unwrap_or_default());
    if matches!(verb, "--version" | "-V" | "help" | "--help") && given.len() == 1 {
        return Wanted::Look;
    }
    match (manager, verb) {
        ("cargo", "add" | "install") => {
            let features = rest.iter().position(|t| matches!(*t, "--features" | "-F" | "--vers" | "--version"));
            match features {
                Some(at) => all(Ecosystem::Cargo, rest.get(..at).unwrap_or_default()),
                None => all(Ecosystem::Cargo, &rest),
            }
        }
        ("cargo", "build" | "check" | "test" | "fmt" | "clippy" | "doc" | "bench" | "nextest" | "run") => Wanted::Build,
        ("cargo", "tree" | "metadata") => Wanted::Look,
        ("cargo", "fetch" | "update") if rest.is_empty() => Wanted::Locked,
        ("npm" | "pnpm" | "yarn" | "bun", "install" | "i" | "add" | "ci") => {
            if rest.is_empty() {
                Wanted::Locked
            } else {
                all(Ecosystem::Npm, &rest)
            }
        }
        ("npm" | "pnpm" | "yarn" | "bun", "test" | "t" | "build" | "lint" | "typecheck") => Wanted::Build,
        ("npm" | "pnpm" | "yarn" | "bun", "run") if rest.first().is_some_and(|t| !t.starts_with('-')) => Wanted::Build,
        ("npm" | "pnpm" | "yarn", "ls" | "list" | "why") => Wanted::Look,
        ("npx", _) if !verb.is_empty() && !verb.starts_with('-') => one(Ecosystem::Npm, &[verb]),
        ("npx", "-y" | "--yes") => one(Ecosystem::Npm, &rest),
        ("uvx", _) if !verb.starts_with('-') => one(Ecosystem::Pypi, &[verb]),
        ("pipx", "run" | "install") => one(Ecosystem::Pypi, &rest),
        ("pip" | "pip3", "install") | ("uv", "add") | ("poetry" | "pdm", "add") => match rest.as_slice() {
            ["-r", file] if !file.starts_with(['/', '~']) && !file.contains("..") && !file.contains("://") => {
                Wanted::Locked
            }
            ["-e", "." | ".[dev]" | ".[test]"] | ["." | ".[dev]" | ".[test]"] => Wanted::Locked,
            names => all(Ecosystem::Pypi, names),
        },
        ("uv", "pip") => match rest.split_first() {
            Some((&"install", _)) => wanted("pip", &rest),
            _ => Wanted::Other,
        },
        ("pip" | "pip3", "list" | "show" | "freeze" | "check") => Wanted::Look,
        ("uv", "sync" | "lock")
        | ("poetry" | "pdm", "install" | "lock")
        | ("bundle", "install")
        | ("composer", "install") => {
            if rest.is_empty() {
                Wanted::Locked
            } else {
                Wanted::Other
            }
        }
        ("uv" | "poetry" | "pdm", "run")
            if matches!(rest.first().copied(), Some("pytest" | "mypy" | "ruff" | "black" | "tox")) =>
        {
            Wanted::Starts
        }
        ("bundle", "exec") if matches!(rest.first().copied(), Some("rspec" | "rubocop")) => Wanted::Starts,
        ("gem", "install") => all(Ecosystem::Gem, &rest),
        ("go", "get" | "install") if !rest.iter().all(|t| t.starts_with("./")) => all(Ecosystem::Go, &rest),
        ("go", "build" | "test" | "vet" | "fmt") => Wanted::Build,
        ("go", "version" | "list" | "doc") => Wanted::Look,
        ("go", "mod") if matches!(rest.as_slice(), ["download" | "tidy"]) => Wanted::Locked,
        ("apt" | "apt-get" | "brew" | "conda", "install") => all(Ecosystem::System, &rest),
        _ => Wanted::Other,
    }
}
