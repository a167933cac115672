//! What a command does: looks, changes the workspace, reaches the network, or anything worse. What is not known is worse.

use std::collections::BTreeSet;

use super::super::text::{Shape, is_host, shape};
use super::package::{self, Package};
use super::shell::{self, Simple, Word};

/// How far what a command does reaches. Later is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// It looks at what is there.
    #[default]
    Read,
    /// It changes files of the workspace, or builds and tests what is in it.
    Workspace,
    /// It reaches other machines.
    Network,
    /// It takes away, reaches out of the workspace, runs other code, or is not understood.
    Destructive,
}

impl Impact {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Workspace => "workspace",
            Self::Network => "network",
            Self::Destructive => "destructive",
        }
    }
}

/// What a command line does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The worst of its commands.
    pub impact: Impact,
    /// Addresses that it names.
    pub addresses: BTreeSet<String>,
    /// It reaches other machines that it does not name.
    pub elsewhere: bool,
    /// Packages that it would install or run.
    pub packages: BTreeSet<Package>,
}

impl Effects {
    fn worst(&mut self, impact: Impact) {
        self.impact = self.impact.max(impact);
    }
}

/// What a shell would do with a text. `roots` are the folders of the workspace, as absolute paths.
#[must_use]
pub fn of_line(text: &str, roots: &[String]) -> Effects {
    let mut effects = Effects::default();
    line(text, roots, 0, &mut effects);
    effects
}

/// What a command given as its words does.
#[must_use]
pub fn of_words(words: &[&str], roots: &[String]) -> Effects {
    let mut effects = Effects::default();
    let words: Vec<Word> = words.iter().map(|word| Word::plain(word)).collect();
    command(&words, &mut Place { left: false, roots }, 0, &mut effects);
    effects
}

/// Where commands run.
struct Place<'a> {
    /// Perhaps not in the workspace any more.
    left: bool,
    /// Folders of the workspace.
    roots: &'a [String],
}

/// How deep a shell may start a shell.
const DEPTH: usize = 8;

fn line(text: &str, roots: &[String], depth: usize, effects: &mut Effects) {
    let read = shell::read(text);
    if read.unclear || depth > DEPTH {
        effects.worst(Impact::Destructive);
    }
    let mut place = Place { left: false, roots };
    for Simple { sets, words, writes, reads } in &read.commands {
        if sets.iter().any(|name| is_dangerous_variable(name)) {
            effects.worst(Impact::Destructive);
        }
        for file in writes {
            effects.worst(written(file, &place));
        }
        for file in reads {
            effects.worst(looked_at(file));
        }
        command(words, &mut place, depth, effects);
    }
}

/// Variables by which a program runs another one than it is called.
fn is_dangerous_variable(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "PATH",
        "IFS",
        "ENV",
        "BASH_ENV",
        "SHELL",
        "PROMPT_COMMAND",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "BROWSER",
        "NODE_OPTIONS",
        "PYTHONSTARTUP",
        "PERL5OPT",
        "RUBYOPT",
    ];
    NAMES.contains(&name)
        || ["LD_", "DYLD_", "GIT_", "PYTHONPATH", "PIP_", "NPM_", "npm_", "CARGO_", "RUSTC", "BASH_FUNC"]
            .iter()
            .any(|front| name.starts_with(front))
}

/// What writing a file does.
pub(super) fn written_to(path: &str, roots: &[String]) -> Impact {
    written(&Word::plain(path), &Place { left: false, roots })
}

fn written(file: &Word, place: &Place<'_>) -> Impact {
    let path = file.text.as_str();
    if matches!(path, "/dev/null" | "/dev/stdout" | "/dev/stderr") && !file.dynamic {
        return Impact::Read;
    }
    let inside = !file.dynamic && !place.left && !leaves(path, place.roots) && !is_trusted_by_tools(path);
    if inside { Impact::Workspace } else { Impact::Destructive }
}

/// True for a path that is not in the workspace.
pub(super) fn leaves(path: &str, roots: &[String]) -> bool {
    if path.is_empty() || path.starts_with('~') || path.contains('\\') || path.split('/').any(|step| step == "..") {
        return true;
    }
    let below = |root: &str| {
        path.strip_prefix(root.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.starts_with('/') && !path.starts_with("/tmp/") && !roots.iter().any(|root| root.len() > 1 && below(root))
}

/// Files that programs or agents act on by themselves: writing one is as good as running something later.
fn is_trusted_by_tools(path: &str) -> bool {
    const STEPS: [&str; 18] = [
        ".git",
        ".github",
        ".gitlab-ci.yml",
        ".gitmodules",
        ".gitattributes",
        ".husky",
        ".vscode",
        ".idea",
        ".claude",
        ".cursor",
        ".mcp.json",
        ".envrc",
        ".npmrc",
        ".pypirc",
        ".cargo",
        ".ssh",
        ".pre-commit-config.yaml",
        ".devcontainer",
    ];
    const NAMES: [&str; 6] = ["AGENTS.md", "CLAUDE.md", "GEMINI.md", ".cursorrules", ".bashrc", ".profile"];
    path.split('/').any(|step| STEPS.iter().chain(&NAMES).any(|known| step.eq_ignore_ascii_case(known)))
}

/// What reading a file does: secrets are no part of looking around.
fn looked_at(file: &Word) -> Impact {
    let path = file.text.to_ascii_lowercase();
    let secret = [
        ".ssh/",
        ".aws/",
        ".gnupg",
        ".netrc",
        "id_rsa",
        "id_ed25519",
        "credentials",
        ".kube/config",
        "/shadow",
        "/proc/",
        ".docker/config",
        ".git-credentials",
    ]
    .iter()
    .any(|part| path.contains(part))
        || path.split('/').any(|step| step == ".env" || step.starts_with(".env.") && !step.contains("example"));
    if secret { Impact::Destructive } else { Impact::Read }
}

/// Programs that only look, whatever their arguments.
const LOOK: [&str; 58] = [
    "ls",
    "cat",
    "head",
    "tail",
    "wc",
    "grep",
    "egrep",
    "fgrep",
    "pwd",
    "echo",
    "printf",
    "true",
    "false",
    "test",
    "[",
    "[[",
    "stat",
    "du",
    "df",
    "which",
    "type",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "cut",
    "tr",
    "diff",
    "cmp",
    "comm",
    "jq",
    "nl",
    "od",
    "hexdump",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "cksum",
    "uname",
    "whoami",
    "id",
    "ps",
    "nproc",
    "free",
    "uptime",
    "seq",
    "sleep",
    "column",
    "fold",
    "rev",
    "tac",
    "paste",
    "join",
    "expand",
    "strings",
    ":",
    "wait",
    "exit",
];

/// Programs that change files of the workspace, by the files that they name.
const CHANGE: [&str; 6] = ["mkdir", "touch", "cp", "mv", "tee", "ln"];

/// Programs that build, check or test what is in the workspace.
const BUILD: [&str; 36] = [
    "make",
    "ninja",
    "pytest",
    "py.test",
    "tox",
    "nox",
    "mypy",
    "ruff",
    "black",
    "isort",
    "flake8",
    "pylint",
    "pyright",
    "tsc",
    "eslint",
    "prettier",
    "jest",
    "vitest",
    "mocha",
    "rustfmt",
    "rustc",
    "gofmt",
    "golangci-lint",
    "gcc",
    "g++",
    "clang",
    "javac",
    "mvn",
    "gradle",
    "rspec",
    "rubocop",
    "ctest",
    "shellcheck",
    "phpunit",
    "swift",
    "dotnet",
];

/// Programs that start what follows them, and how many words of their own they have besides flags.
const STARTERS: [(&str, usize); 9] = [
    ("nohup", 0),
    ("time", 0),
    ("timeout", 1),
    ("nice", 0),
    ("ionice", 0),
    ("stdbuf", 0),
    ("command", 0),
    ("builtin", 0),
    ("setsid", 0),
];

fn command(words: &[Word], place: &mut Place<'_>, depth: usize, effects: &mut Effects) {
    let Some((program, given)) = words.split_first() else { return };
    if depth > DEPTH || program.dynamic {
        return effects.worst(Impact::Destructive);
    }
    let name = program.text.as_str();
    // Programs at a path of their own are what somebody has put there, but for the usual places.
    let usual = name.strip_prefix("/usr/bin/").or_else(|| name.strip_prefix("/bin/"));
    if usual.is_none() && name.contains('/') {
        return effects.worst(Impact::Destructive);
    }
    let name = usual.unwrap_or(name);
    let has = |flags: &[&str]| given.iter().any(|word| flags.contains(&word.text.as_str()));
    let texts: Vec<&str> = given.iter().map(|word| word.text.as_str()).collect();
    let plain: Vec<&Word> = given.iter().filter(|word| !word.text.starts_with('-')).collect();
    let first = plain.first().map(|word| word.text.as_str()).unwrap_or_default();
    let files = |effects: &mut Effects| plain.iter().for_each(|word| effects.worst(looked_at(word)));
    if let Some((_, own)) = STARTERS.iter().find(|(starter, _)| *starter == name) {
        let at = given.iter().position(|word| !word.text.starts_with('-')).map_or(given.len(), |at| at + own);
        return command(given.get(at..).unwrap_or_default(), place, depth + 1, effects);
    }
    if LOOK.contains(&name) {
        return files(effects);
    }
    match name {
        "cd" | "pushd" => {
            place.left |= plain.is_empty() || plain.iter().any(|word| word.dynamic || leaves(&word.text, place.roots))
        }
        "popd" => place.left = true,
        "set" | "export" | "unset" | "local" | "declare" | "readonly" => {
            let name = |word: &&Word| is_dangerous_variable(word.text.split('=').next().unwrap_or_default());
            if plain.iter().any(name) {
                effects.worst(Impact::Destructive);
            }
        }
        "for" => {}
        "env" => environment(given, place, depth, effects),
        "sh" | "bash" | "zsh" | "dash" | "ksh" => interpreted(given, place, depth, effects),
        "eval" if given.iter().all(|word| !word.dynamic) => inner(&texts.join(" "), place, depth, effects),
        "xargs" => {
            let at = given.iter().position(|word| !word.text.starts_with('-')).unwrap_or(given.len());
            let own = given
                .get(..at)
                .unwrap_or_default()
                .iter()
                .all(|w| matches!(w.text.as_str(), "-0" | "-r" | "--null" | "-t"));
            let mut started = given.get(at..).unwrap_or_default().to_vec();
            // What it gets is not known.
            started.push(Word { text: "_".to_owned(), dynamic: true });
            if own && started.len() > 1 {
                command(&started, place, depth + 1, effects);
            } else {
                effects.worst(Impact::Destructive);
            }
        }
        "find" | "fd" => {
            let acts = [
                "-delete",
                "-exec",
                "-execdir",
                "-ok",
                "-okdir",
                "-fprint",
                "-fprintf",
                "-fls",
                "-x",
                "-X",
                "--exec",
                "--exec-batch",
            ];
            if !has(&acts) {
                return files(effects);
            }
            let at = given.iter().position(|w| matches!(w.text.as_str(), "-exec" | "-execdir"));
            match at.filter(|_| !has(&["-delete", "-ok", "-okdir", "-fprint", "-fprintf", "-fls"]) && name == "find") {
                Some(at) => {
                    let end = |w: &Word| matches!(w.text.as_str(), ";" | "+");
                    let rest = given.get(at + 1..).unwrap_or_default();
                    let started = rest.split(end).next().unwrap_or_default();
                    let started: Vec<Word> = started
                        .iter()
                        .map(|w| Word { dynamic: w.dynamic || w.text.contains("{}"), ..w.clone() })
                        .collect();
                    let again = rest.iter().any(|w| w.text.starts_with("-exec"));
                    if again {
                        effects.worst(Impact::Destructive)
                    } else {
                        command(&started, place, depth + 1, effects)
                    }
                }
                None => effects.worst(Impact::Destructive),
            }
        }
        "rg" | "ag" => {
            if texts.iter().any(|t| t.starts_with("--pre") || t.starts_with("--hostname-bin")) {
                effects.worst(Impact::Destructive);
            }
            files(effects);
        }
        "sort" | "uniq" | "tree" | "file" | "date" | "yq" => {
            let writes = texts.iter().any(|t| {
                t.starts_with("-o")
                    || t.starts_with("--output")
                    || t.starts_with("--compress-program")
                    || *t == "-C"
                    || t.starts_with("--set")
                    || name == "yq" && (t.starts_with("-i") || t.starts_with("--inplace"))
                    || name == "date" && t.starts_with("-s")
            }) || name == "uniq" && plain.len() > 1;
            effects.worst(if writes { Impact::Destructive } else { Impact::Read });
            files(effects);
        }
        "sed" => effects.worst(sed(given, place)),
        "awk" | "gawk" => {
            // Programs of its own: they write, start programs and reach out by these.
            let runs = ["system", "|", ">", "getline", "@", "/inet"].iter().any(|what| first.contains(what));
            let simple = !runs
                && plain.first().is_some_and(|w| !w.dynamic)
                && !texts.iter().any(|t| t.starts_with("-f") || t.starts_with("-i") || t.starts_with("--"));
            effects.worst(if simple { Impact::Read } else { Impact::Destructive });
            files(effects);
        }
        _ if CHANGE.contains(&name) => {
            if has(&["-t"]) || texts.iter().any(|t| t.starts_with("--target-directory") || t.starts_with("--backup")) {
                return effects.worst(Impact::Destructive);
            }
            let target = if matches!(name, "cp" | "mv" | "ln") { plain.len().saturating_sub(1) } else { 0 };
            for (at, word) in plain.iter().enumerate() {
                // What is moved away is written too, and a link makes what it names a part of the workspace.
                let copied = name == "cp" && at < target;
                effects.worst(if copied { looked_at(word) } else { written(word, place) });
            }
            effects.worst(Impact::Workspace);
        }
        _ if BUILD.contains(&name) => build(given, place, effects),
        "git" => git(given, place, effects),
        "cargo" | "npm" | "pnpm" | "yarn" | "bun" | "pip" | "pip3" | "uv" | "uvx" | "npx" | "pipx" | "poetry"
        | "pdm" | "gem" | "bundle" | "go" | "apt" | "apt-get" | "brew" | "conda" | "composer" => {
            manager(name, given, place, effects)
        }
        "python" | "python3" | "node" | "deno" | "ruby" | "perl" | "php" => {
            let module = if first == "pytest"
                || matches!(
                    first,
                    "unittest" | "mypy" | "ruff" | "black" | "build" | "compileall" | "py_compile" | "json.tool"
                ) {
                first
            } else {
                ""
            };
            match texts.first().copied() {
                Some("--version" | "-V" | "-v" | "--help") if texts.len() == 1 => {}
                Some("-m") if name.starts_with("python") && !module.is_empty() => effects.worst(Impact::Workspace),
                Some("-m") if name.starts_with("python") && first == "pip" => {
                    manager("pip", given.get(2..).unwrap_or_default(), place, effects)
                }
                _ => effects.worst(Impact::Destructive),
            }
        }
        "curl" | "wget" => fetch(name, given, place, effects),
        "ping" | "dig" | "nslookup" | "host" | "traceroute" => {
            effects.worst(Impact::Network);
            effects.addresses.extend(plain.iter().filter(|w| is_host(&w.text)).map(|w| w.text.clone()));
            effects.elsewhere |= plain.iter().any(|w| w.dynamic || !is_host(&w.text));
        }
        _ => effects.worst(Impact::Destructive),
    }
}

/// `env A=b PROGRAM`: alone it shows what is set, secrets among it.
fn environment(given: &[Word], place: &mut Place<'_>, depth: usize, effects: &mut Effects) {
    let sets = |word: &&Word| word.text.contains('=') && !word.text.starts_with('-');
    let own = given.iter().take_while(sets).count();
    let names = given.iter().take(own).map(|w| w.text.split('=').next().unwrap_or_default());
    let rest = given.get(own..).unwrap_or_default();
    if rest.is_empty()
        || rest.first().is_some_and(|w| w.text.starts_with('-'))
        || names.into_iter().any(is_dangerous_variable)
    {
        return effects.worst(Impact::Destructive);
    }
    command(rest, place, depth + 1, effects);
}

/// A shell: with a text it is that text, with anything else it is not known.
fn interpreted(given: &[Word], place: &Place<'_>, depth: usize, effects: &mut Effects) {
    let flags: Vec<&Word> = given.iter().take_while(|w| w.text.starts_with('-')).collect();
    let with_text = flags.last().is_some_and(|w| w.text.ends_with('c') && !w.text.starts_with("--"));
    match given.get(flags.len()) {
        Some(text) if with_text && !text.dynamic && flags.len() <= 2 => inner(&text.text, place, depth, effects),
        _ => effects.worst(Impact::Destructive),
    }
}

/// A line that another command runs. Where it runs is where that does.
fn inner(text: &str, place: &Place<'_>, depth: usize, effects: &mut Effects) {
    let mut found = Effects::default();
    line(text, if place.left { &[] } else { place.roots }, depth + 1, &mut found);
    if place.left && found.impact > Impact::Read {
        found.impact = Impact::Destructive;
    }
    effects.worst(found.impact);
    effects.addresses.extend(found.addresses);
    effects.packages.extend(found.packages);
    effects.elsewhere |= found.elsewhere;
}

/// `sed`: `-i` writes, and commands of its script write and run.
fn sed(given: &[Word], place: &Place<'_>) -> Impact {
    let in_place = given.iter().any(|w| w.text.starts_with("-i") || w.text.starts_with("--in-place"));
    let known = |w: &&Word| {
        matches!(w.text.as_str(), "-n" | "-E" | "-r" | "-i" | "-e" | "-i.bak" | "-ne" | "-nE" | "-En" | "-Ei")
    };
    let flags = given.iter().filter(|w| w.text.starts_with('-'));
    if !flags.clone().all(|w| known(&w)) || flags.count() > 3 {
        return Impact::Destructive;
    }
    let mut plain = given.iter().filter(|w| !w.text.starts_with('-'));
    let Some(script) = plain.next().filter(|w| !w.dynamic || !w.text.contains('$')) else { return Impact::Destructive };
    if !is_plain_script(&script.text) {
        return Impact::Destructive;
    }
    plain.map(|file| if in_place { written(file, place) } else { looked_at(file) }).max().unwrap_or_default()
}

/// True for scripts of substitutions, deletions and prints alone.
fn is_plain_script(script: &str) -> bool {
    script.split(['\n', ';']).map(str::trim).filter(|one| !one.is_empty()).all(|one| {
        let one = one.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | '!' | ' '));
        let mut chars = one.chars();
        match chars.next() {
            Some('p' | 'd' | 'q' | '=') => chars.next().is_none(),
            Some('s') => {
                let Some(mark) = chars.next().filter(|c| !c.is_alphanumeric()) else { return false };
                let rest = chars.as_str();
                let flags = rest.rsplit(mark).next().unwrap_or_default();
                rest.matches(mark).count() == 2
                    && flags.chars().all(|c| matches!(c, 'g' | 'p' | 'i' | 'I') || c.is_ascii_digit())
            }
            _ => false,
        }
    })
}

/// A build or a test. A file of settings from elsewhere is somebody else's program.
fn build(given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    let plain = |w: &Word| !w.text.starts_with('-') && leaves(&w.text, place.roots);
    let shell =
        |w: &Word| ["SHELL=", "--eval", "MAKEFLAGS=", ".SHELLFLAGS="].iter().any(|front| w.text.starts_with(front));
    let out = |w: &Word| w.dynamic || plain(w) || shell(w) || leaves_by_flag(&w.text, place.roots);
    let outside = place.left || given.iter().any(out);
    effects.worst(if outside { Impact::Destructive } else { Impact::Workspace });
}

fn git(given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    let texts: Vec<&str> = given.iter().map(|w| w.text.as_str()).collect();
    let mut own = texts.iter().skip_while(|t| matches!(**t, "--no-pager" | "-P"));
    let verb = own.next().copied().unwrap_or_default();
    let rest: Vec<&str> = own.copied().collect();
    let has = |flags: &[&str]| {
        rest.iter().any(|t| flags.iter().any(|f| t == f || f.starts_with("--") && t.starts_with(&format!("{f}="))))
    };
    let bare = |n: usize| rest.iter().filter(|t| !t.starts_with('-')).count() <= n;
    let impact = match verb {
        "status" | "log" | "show" | "blame" | "ls-files" | "rev-parse" | "describe" | "shortlog" | "cat-file"
        | "rev-list" | "merge-base" | "diff" | "reflog" | "ls-tree" | "name-rev"
            if !has(&["--output", "--ext-diff", "--textconv", "-O", "delete", "expire"]) =>
        {
            Impact::Read
        }
        "grep" if !rest.iter().any(|t| t.starts_with("-O") || t.starts_with("--open")) => Impact::Read,
        "branch" if bare(0) && !has(&["-D", "-d", "-m", "-M", "--delete", "--move", "--edit-description"]) => {
            Impact::Read
        }
        "branch" if bare(2) && !rest.iter().any(|t| t.starts_with('-')) => Impact::Workspace,
        "remote" if rest.is_empty() || rest == ["-v"] => Impact::Read,
        "tag" if rest.is_empty() || rest == ["-l"] || rest == ["--list"] => Impact::Read,
        "config" if has(&["--get", "--list", "-l"]) && bare(1) => Impact::Read,
        "stash" if matches!(rest.first().copied(), Some("list" | "show")) => Impact::Read,
        "stash" if rest.is_empty() || matches!(rest.first().copied(), Some("push" | "pop" | "apply")) => {
            Impact::Workspace
        }
        "add" | "commit" | "mv" | "tag" | "merge" | "cherry-pick" | "revert" | "switch"
            if !has(&["-d", "--delete", "-f", "--force", "-C", "--discard-changes", "--no-verify", "-n", "--exec"]) =>
        {
            Impact::Workspace
        }
        "checkout" if matches!(rest.as_slice(), ["-b", name] if !name.starts_with('-')) => Impact::Workspace,
        "fetch" | "pull" | "push"
            if bare(2)
                && !has(&[
                    "-f",
                    "--force",
                    "--force-with-lease",
                    "--delete",
                    "-d",
                    "--mirror",
                    "--prune",
                    "--upload-pack",
                    "--receive-pack",
                    "--exec",
                ])
                && !rest.iter().any(|t| t.starts_with('+') || t.starts_with(':') || t.contains("::")) =>
        {
            // Without an address it is what the repository's settings name.
            let named: Vec<&str> = rest.iter().copied().filter(|t| t.contains(':') || t.contains('/')).collect();
            effects.addresses.extend(named.iter().filter(|t| shape(t) == Shape::Url).map(|t| (*t).to_owned()));
            effects.elsewhere = true;
            Impact::Network
        }
        "clone"
            if !has(&[
                "-c",
                "--config",
                "--template",
                "--upload-pack",
                "-u",
                "--recurse-submodules",
                "--recursive",
            ]) =>
        {
            let mut named = rest.iter().filter(|t| !t.starts_with('-'));
            match named.next() {
                Some(url) if shape(url) == Shape::Url && !url.contains("::") => {
                    _ = effects.addresses.insert((*url).to_owned())
                }
                _ => return effects.worst(Impact::Destructive),
            }
            named.next().map_or(Impact::Network, |folder| Impact::Network.max(written_to(folder, place.roots)))
        }
        _ => Impact::Destructive,
    };
    let outside = place.left && impact > Impact::Read || given.iter().any(|w| w.dynamic) && impact > Impact::Workspace;
    effects.worst(if outside { Impact::Destructive } else { impact });
}

/// `curl` and `wget` that fetch something to look at, or into the workspace. What sends anything is worse.
fn fetch(name: &str, given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    effects.worst(Impact::Network);
    let mut words = given.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        let harmless = matches!(
            text,
            "-s" | "-S"
                | "-L"
                | "-f"
                | "-sS"
                | "-sSL"
                | "-fsSL"
                | "-sL"
                | "-fsS"
                | "-I"
                | "-i"
                | "-v"
                | "-q"
                | "-O"
                | "-sI"
                | "-LO"
                | "-sLO"
                | "-nv"
                | "--silent"
                | "--show-error"
                | "--location"
                | "--fail"
                | "--head"
                | "--compressed"
                | "--quiet"
        ) && !(name == "wget" && matches!(text, "-O" | "-i" | "-I" | "-o"));
        if harmless {
            continue;
        }
        if matches!(text, "-o" | "--output") || name == "wget" && matches!(text, "-O") {
            let to = words.next().cloned().unwrap_or_default();
            if to.text != "-" {
                effects.worst(written(&to, place));
            }
        } else if !text.starts_with('-') && !word.dynamic && shape(text) == Shape::Url {
            effects.addresses.insert(text.to_owned());
        } else {
            effects.worst(Impact::Destructive);
        }
    }
    effects.elsewhere |= effects.addresses.is_empty();
}

/// Package managers: what they install is named apart, everything else by what it does.
fn manager(name: &str, given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    let dynamic = given.iter().any(|w| w.dynamic);
    let texts: Vec<&str> = given.iter().map(|w| w.text.as_str()).collect();
    match package::wanted(name, &texts) {
        package::Wanted::Packages(packages) if !dynamic && !place.left => {
            effects.worst(Impact::Network);
            effects.packages.extend(packages);
        }
        package::Wanted::Locked if !dynamic && !place.left => {
            effects.worst(Impact::Network);
            effects.elsewhere = true;
        }
        package::Wanted::Build if !place.left && !texts.iter().any(|t| leaves_by_flag(t, place.roots)) => {
            effects.worst(Impact::Workspace)
        }
        package::Wanted::Look => {}
        _ => effects.worst(Impact::Destructive),
    }
}

/// True for arguments that would have a build run what is elsewhere.
fn leaves_by_flag(text: &str, roots: &[String]) -> bool {
    let value = text.split_once('=').map_or(text, |(_, value)| value);
    text.starts_with("--config")
        || value.starts_with(['/', '~']) && leaves(value, roots)
        || value.split('/').any(|step| step == "..")
}
