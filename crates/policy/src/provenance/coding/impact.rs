//! What a command does: looks, changes the workspace, reaches the network, or anything worse. What is not known is worse.

use std::collections::{BTreeMap, BTreeSet};

use super::super::text::{Shape, is_host, shape};
use super::flags::{self, Spec};
use super::package::{self, Package};
use super::shell::{self, Simple, UNKNOWN, Word};

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
    let loops = loops(&read.commands);
    let settled = |word: &Word| {
        let safe = |(name, quoted): &(String, bool)| loops.get(name.as_str()).is_some_and(|plain| *plain || *quoted);
        let known = word.heads.iter().all(safe);
        Word { open: word.open && !known, splits: word.splits && !known, ..word.clone() }
    };
    for Simple { sets, words, writes, reads } in &read.commands {
        let alone = words.is_empty();
        if !sets.iter().all(|set| is_harmless_setting(&set.text, alone)) {
            effects.worst(Impact::Destructive);
        }
        sets.iter().for_each(|set| effects.worst(looked_at(set)));
        for file in writes {
            effects.worst(written(file, &place));
        }
        for file in reads {
            let device = file.text.starts_with("/dev/") && file.text != "/dev/null" && file.text != "/dev/stdin";
            if device || settled(file).open {
                effects.worst(Impact::Destructive);
            }
            effects.worst(looked_at(file));
        }
        let words: Vec<Word> = words.iter().map(settled).collect();
        command(&words, &mut place, depth, effects);
    }
}

/// Variables of loops whose values never begin as flags do, and whether these are plain words.
fn loops(commands: &[Simple]) -> BTreeMap<&str, bool> {
    let mut known = BTreeMap::new();
    for Simple { words, .. } in commands {
        let [first, name, ..] = words.as_slice() else { continue };
        if first.text == "for" {
            let values = words.get(3..).unwrap_or_default();
            let safe = !values.is_empty() && values.iter().all(|v| !v.open && !v.splits && !v.text.starts_with('-'));
            let plain = safe && values.iter().all(|v| !v.dynamic && !v.text.contains(char::is_whitespace));
            let (was_safe, was_plain) = known.get(name.text.as_str()).copied().unwrap_or((true, true));
            known.insert(name.text.as_str(), (was_safe && safe, was_plain && plain));
        }
    }
    // What is set elsewhere too is not known.
    for word in commands.iter().flat_map(|one| one.sets.iter().chain(&one.words)) {
        if let Some((name, _)) = word.text.split_once('=') {
            known.remove(name);
        }
    }
    known.into_iter().filter(|(_, (safe, _))| *safe).map(|(name, (_, plain))| (name, plain)).collect()
}

/// True for settings that change no program but the words that are given to it. One that stands `alone` is seen by
/// programs only where its name was known to them before.
fn is_harmless_setting(set: &str, alone: bool) -> bool {
    let (name, value) = set.split_once('=').unwrap_or((set, ""));
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // Shells look into values for commands where they want numbers or prompts.
    let text = !value.contains("$(") && !value.contains("${") && !value.contains('`');
    let known = ["path", "cdpath", "fpath", "manpath", "prompt", "ps"];
    let own = !name.bytes().any(|b| b.is_ascii_uppercase()) && !name.contains("proxy") && !name.contains("_config");
    plain && text && (flags::HARMLESS.contains(&name) || alone && (name.len() == 1 || own && !known.contains(&name)))
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
    let inside = !file.dynamic
        && !place.left
        && !is_elsewhere(path, place.roots)
        && !path.split('/').any(|step| step.starts_with('-'));
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

/// True for a path that is not in the workspace, or that tools act on.
pub(super) fn is_elsewhere(path: &str, roots: &[String]) -> bool {
    leaves(path, roots) || is_trusted_by_tools(path)
}

/// Files that programs or agents act on by themselves: writing one is as good as running something later.
fn is_trusted_by_tools(path: &str) -> bool {
    const STEPS: [&str; 31] = [
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
        ".gitconfig",
        ".config",
        ".curlrc",
        ".wgetrc",
        ".netrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".bash_profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".inputrc",
        ".vimrc",
    ];
    const NAMES: [&str; 6] = ["AGENTS.md", "CLAUDE.md", "GEMINI.md", ".cursorrules", ".bashrc", ".profile"];
    path.split('/').any(|step| STEPS.iter().chain(&NAMES).any(|known| step.eq_ignore_ascii_case(known)))
}

/// What reading a file does: secrets are no part of looking around.
fn looked_at(file: &Word) -> Impact {
    const STEPS: [&str; 18] = [
        ".ssh",
        ".aws",
        ".gnupg",
        ".netrc",
        ".kube",
        ".docker",
        ".azure",
        ".git-credentials",
        ".pypirc",
        ".npmrc",
        ".pgpass",
        ".password-store",
        ".vault-token",
        ".bash_history",
        ".env",
        "id_rsa",
        "id_ed25519",
        "shadow",
    ];
    let path = file.text.to_ascii_lowercase();
    let known = |step: &str| {
        STEPS.contains(&step)
            || step.starts_with(".env.") && !step.contains("example")
            || step == "credentials" && path.contains('/')
            || step == "gcloud"
    };
    let secret = path.split(['/', '=', ':', '{', ',', '}']).any(known) || path.starts_with("/proc/");
    // A pattern may be filled in to any of these.
    let unsaid = |step: &str| {
        let dots = step.starts_with('.') || step.contains("{.") || step.contains(",.");
        dots && step.contains(['*', '?', '[', '{', UNKNOWN]) || step.contains("[.")
    };
    let may_be = file.dynamic && (path.starts_with('~') || path.split(['/', '=']).any(unsaid));
    if secret || may_be { Impact::Destructive } else { Impact::Read }
}

/// Programs that only look, whatever their arguments.
const LOOK: [&str; 54] = [
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
    "true",
    "false",
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
    let files = |effects: &mut Effects| given.iter().for_each(|word| effects.worst(looked_at(word)));
    if matches!(name, "command" | "type") && given.first().is_some_and(|w| matches!(w.text.as_str(), "-v" | "-V")) {
        return;
    }
    if LOOK.contains(&name) {
        return files(effects);
    }
    if matches!(name, "test" | "[" | "[[" | "printf") {
        if asks_for_sums(name, given) {
            effects.worst(Impact::Destructive);
        }
        return files(effects);
    }
    if let Some(spec) = flags::of(flags::START, name) {
        let Some(read) = spec.read(given, true) else { return effects.worst(Impact::Destructive) };
        return match name {
            "xargs" if !read.rest.is_empty() => {
                let mut started = read.rest.to_vec();
                started.push(Word::unknown());
                command(&started, place, depth + 1, effects);
            }
            "xargs" => effects.worst(Impact::Destructive),
            "bash" => match read.rest.first() {
                Some(text) if read.flags.last().is_some_and(|flag| flag == "c") && !text.dynamic => {
                    inner(&text.text, place, depth, effects)
                }
                _ => effects.worst(Impact::Destructive),
            },
            _ => {
                command(read.rest.get(usize::from(name == "timeout")..).unwrap_or_default(), place, depth + 1, effects)
            }
        };
    }
    if name == "find" {
        return find(given, place, depth, effects);
    }
    if let Some(spec) = flags::of(flags::LOOK, name) {
        return look(name, given, spec, effects);
    }
    if let Some(spec) = flags::of(flags::CHANGE, name) {
        return change(name, given, spec, place, effects);
    }
    match name {
        "cd" | "pushd" => {
            place.left |= given.is_empty()
                || given
                    .iter()
                    .any(|w| w.dynamic || w.open || w.text.starts_with('-') || is_elsewhere(&w.text, place.roots))
        }
        "popd" => place.left = true,
        "set" => {
            let known = |w: &Word| {
                matches!(
                    w.text.as_str(),
                    "-e" | "-u" | "-x" | "-o" | "-eu" | "-ex" | "-eux" | "-euo" | "-euxo" | "pipefail"
                )
            };
            if !given.iter().all(known) {
                effects.worst(Impact::Destructive);
            }
        }
        "export" | "unset" | "local" | "declare" | "readonly" => {
            if !given.iter().all(|w| !w.open && is_harmless_setting(&w.text, name != "export")) {
                effects.worst(Impact::Destructive);
            }
            files(effects);
        }
        "for" => {
            if !given.first().is_some_and(|w| is_harmless_setting(&w.text, true)) {
                effects.worst(Impact::Destructive);
            }
            files(effects);
        }
        "env" => environment(given, place, depth, effects),
        "sh" | "zsh" | "dash" | "ksh" => {
            let mut words = vec![Word::plain("bash")];
            words.extend_from_slice(given);
            command(&words, place, depth + 1, effects);
        }
        "sed" => effects.worst(sed(given, place)),
        "git" => git(given, place, effects),
        "cargo" | "npm" | "pnpm" | "yarn" | "bun" | "pip" | "pip3" | "uv" | "uvx" | "npx" | "pipx" | "poetry"
        | "pdm" | "gem" | "bundle" | "go" | "apt" | "apt-get" | "brew" | "conda" | "composer" => {
            manager(name, given, place, depth, effects)
        }
        "python" | "python3" | "node" | "deno" | "ruby" | "perl" | "php" => {
            let texts: Vec<&str> = given.iter().map(|word| word.text.as_str()).collect();
            let rest = given.get(2..).unwrap_or_default();
            match texts.as_slice() {
                ["--version" | "-V" | "-v" | "--help"] => {}
                ["-m", "pip", ..] if name.starts_with("python") => manager("pip", rest, place, depth, effects),
                ["-m", "json.tool", ..] if name.starts_with("python") => {
                    look("json.tool", rest, flags::JSON, effects);
                }
                ["-m", module @ ("pytest" | "mypy" | "ruff" | "black"), ..] if name.starts_with("python") => {
                    build(module, rest, place, effects)
                }
                ["-m", module, ..] if name.starts_with("python") => {
                    build(&format!("python {module}"), rest, place, effects)
                }
                _ => effects.worst(Impact::Destructive),
            }
        }
        "curl" | "wget" => fetch(name, given, place, effects),
        "ping" | "dig" | "nslookup" | "host" | "traceroute" => {
            let read = flags::of(flags::ASK, name).and_then(|spec| spec.read(given, false));
            let Some(read) = read.filter(|_| given.iter().all(|w| !w.dynamic)) else {
                return effects.worst(Impact::Destructive);
            };
            effects.worst(Impact::Network);
            effects.addresses.extend(read.plain.iter().filter(|w| is_host(&w.text)).map(|w| w.text.clone()));
            effects.elsewhere |= read.plain.iter().any(|w| !is_host(&w.text));
        }
        _ if flags::of(flags::BUILD, name).is_some() => build(name, given, place, effects),
        _ => effects.worst(Impact::Destructive),
    }
}

/// True for tests that count: names in what they count are looked up as sums, which may run commands. `printf` sets too.
fn asks_for_sums(name: &str, given: &[Word]) -> bool {
    let sets = |word: &Word| matches!(word.text.as_str(), "-v" | "-R");
    if name == "printf" {
        return given.first().is_none_or(|word| word.open || word.text.starts_with("-v"));
    }
    let counts = |word: &Word| matches!(word.text.as_str(), "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge");
    let number = |word: &Word| !word.dynamic && word.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let sums = name == "[["
        && given.iter().any(counts)
        && !given.iter().all(|w| number(w) || counts(w) || matches!(w.text.as_str(), "]]" | "!"));
    let pair = given.windows(2).any(|pair| pair.iter().all(|w| w.open));
    sums || pair || given.iter().any(|w| sets(w) || w.splits)
}

/// A program that looks.
fn look(name: &str, given: &[Word], spec: Spec, effects: &mut Effects) {
    let Some(read) = spec.read(given, false) else { return effects.worst(Impact::Destructive) };
    given.iter().for_each(|word| effects.worst(looked_at(word)));
    let known = match name {
        // What it is given may be the time to set, or a second file to write.
        "date" => read.plain.iter().all(|w| w.text.starts_with('+')),
        "uniq" | "json.tool" => read.plain.len() <= 1 && read.plain.iter().all(|w| !w.splits),
        // Programs of its own: they write, start programs and reach out by these.
        "awk" | "gawk" => read.plain.first().is_some_and(|w| {
            let runs = ["system", "|", ">", "getline", "@", "/inet"].iter().any(|what| w.text.contains(what));
            !w.dynamic && !runs
        }),
        _ => true,
    };
    effects.worst(if known { Impact::Read } else { Impact::Destructive });
}

/// `find`, with the programs that it starts.
fn find(given: &[Word], place: &mut Place<'_>, depth: usize, effects: &mut Effects) {
    let mut own = Vec::new();
    let mut words = given.iter();
    while let Some(word) = words.next() {
        if !matches!(word.text.as_str(), "-exec" | "-execdir") {
            own.push(word.clone());
            continue;
        }
        let mut started: Vec<Word> =
            words.by_ref().take_while(|w| !matches!(w.text.as_str(), ";" | "+")).cloned().collect();
        started.iter_mut().for_each(|w| w.dynamic |= w.text.contains("{}"));
        command(&started, place, depth + 1, effects);
    }
    match flags::of(flags::LOOK, "find") {
        Some(spec) => look("find", &own, spec, effects),
        None => effects.worst(Impact::Destructive),
    }
}

/// A program that changes the files which it names.
fn change(name: &str, given: &[Word], spec: Spec, place: &Place<'_>, effects: &mut Effects) {
    let Some(read) = spec.read(given, false) else { return effects.worst(Impact::Destructive) };
    effects.worst(Impact::Workspace);
    let last = read.plain.len().saturating_sub(1);
    let target = if matches!(name, "cp" | "mv" | "ln") { last } else { 0 };
    for (at, word) in read.plain.iter().enumerate() {
        // What is moved away is written too, and a link makes what it names a part of the workspace.
        let copied = name == "cp" && at < target;
        effects.worst(if copied { looked_at(word) } else { written(word, place) });
        // In a folder it keeps its name.
        let kept = word.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if copied && (kept == "." && word.text != "." || is_trusted_by_tools(kept) || word.open) {
            effects.worst(Impact::Destructive);
        }
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
        || !names.into_iter().all(|name| flags::HARMLESS.contains(&name))
    {
        return effects.worst(Impact::Destructive);
    }
    command(rest, place, depth + 1, effects);
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
    let Some(read) = flags::SED.read(given, false) else { return Impact::Destructive };
    let in_place = read.has(&["-i", "-i.bak", "-ni", "-Ei", "-ri", "--in-place"]);
    let mut plain = read.plain.iter().copied();
    let mut scripts: Vec<&Word> = read.values.iter().map(|(_, script)| script).collect();
    if scripts.is_empty() {
        // Where no ending stands behind `-i`, some take it from an empty word.
        scripts.extend(plain.by_ref().find(|word| !word.text.is_empty() || word.dynamic));
    }
    if scripts.is_empty() || !scripts.iter().all(|script| !script.dynamic && is_plain_script(&script.text)) {
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

/// A build or a test of what is in the workspace.
fn build(name: &str, given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    effects.worst(if is_build(name, given, place) { Impact::Workspace } else { Impact::Destructive });
}

fn is_build(name: &str, given: &[Word], place: &Place<'_>) -> bool {
    let Some(read) = flags::of(flags::BUILD, name).and_then(|spec| spec.read(given, false)) else { return false };
    let inside = |word: &Word| {
        let path = word.text.as_str();
        !word.dynamic
            && !path.starts_with('@')
            && !path.split(':').any(|part| is_elsewhere(part, place.roots) && !part.is_empty())
    };
    let verb = read.plain.first().map(|w| w.text.as_str()).unwrap_or_default();
    let known = match name {
        "make" => read.plain.iter().all(|w| !w.text.contains('=')),
        "mvn" => read.plain.iter().all(|w| !w.text.contains([':', '='])),
        "swift" => matches!(verb, "build" | "test"),
        "dotnet" => matches!(verb, "build" | "test" | "format"),
        "golangci-lint" => verb == "run",
        "ruff" => matches!(verb, "check" | "format"),
        _ => true,
    };
    let free = |flag: &str| matches!(flag, "-run" | "-bench" | "k" | "E" | "-t" | "--testNamePattern" | "--grep");
    known
        && !place.left
        && read.plain.iter().all(|w| inside(w))
        && read.values.iter().all(|(flag, value)| !value.dynamic && (free(flag) || inside(value)))
}

fn git(given: &[Word], place: &Place<'_>, effects: &mut Effects) {
    let skipped = given.iter().take_while(|w| matches!(w.text.as_str(), "--no-pager" | "-P")).count();
    let Some((verb, rest)) = given.get(skipped..).and_then(<[Word]>::split_first) else {
        return effects.worst(Impact::Destructive);
    };
    if verb.text == "--version" && rest.is_empty() {
        return;
    }
    let spec = match verb.text.as_str() {
        "status" | "log" | "show" | "blame" | "ls-files" | "rev-parse" | "describe" | "shortlog" | "cat-file"
        | "rev-list" | "merge-base" | "diff" | "reflog" | "ls-tree" | "name-rev" => Some(flags::HISTORY_SPEC),
        "remote" => Some(Spec::new("v", "", "")),
        other => flags::of(flags::GIT, other),
    };
    let Some(read) = spec.filter(|_| !verb.dynamic).and_then(|spec| spec.read(rest, false)) else {
        return effects.worst(Impact::Destructive);
    };
    let plain: Vec<&str> = read.plain.iter().map(|w| w.text.as_str()).collect();
    let looks = || rest.iter().map(looked_at).max().unwrap_or_default();
    let impact = match verb.text.as_str() {
        "reflog" if !matches!(plain.as_slice(), [] | ["show", ..]) => Impact::Destructive,
        "grep" => looks(),
        "branch" if plain.is_empty() || read.has(&["--list"]) => Impact::Read,
        "branch" if plain.len() <= 2 && rest.len() == plain.len() => Impact::Workspace,
        "remote" if plain.is_empty() || matches!(plain.as_slice(), ["get-url", _]) => Impact::Read,
        "tag" if plain.is_empty() && read.values.is_empty() => Impact::Read,
        "config" if read.has(&["--get", "--list", "l"]) && plain.len() <= 1 => Impact::Read,
        "stash" => match plain.first().copied() {
            Some("list" | "show") => Impact::Read,
            None | Some("push" | "pop" | "apply") => Impact::Workspace,
            _ => Impact::Destructive,
        },
        "mv" => read.plain.iter().map(|word| written(word, place)).max().unwrap_or_default(),
        "commit" => looks().max(Impact::Workspace),
        "add" | "tag" | "merge" | "cherry-pick" | "revert" | "switch" => Impact::Workspace,
        "checkout" if read.has(&["b"]) && plain.len() <= 2 => Impact::Workspace,
        "fetch" | "pull" | "push"
            if plain.len() <= 2 && !plain.iter().any(|t| t.starts_with(['+', ':']) || t.contains("::")) =>
        {
            // Without an address it is what the repository's settings name.
            effects.addresses.extend(plain.iter().filter(|t| shape(t) == Shape::Url).map(|t| (*t).to_owned()));
            effects.elsewhere = true;
            Impact::Network
        }
        "clone" => match plain.as_slice() {
            [url, folder @ ..] if shape(url) == Shape::Url && !url.contains("::") => {
                _ = effects.addresses.insert((*url).to_owned());
                folder.iter().map(|folder| written_to(folder, place.roots)).fold(Impact::Network, Impact::max)
            }
            _ => Impact::Destructive,
        },
        "branch" | "remote" | "config" | "checkout" | "fetch" | "pull" | "push" => Impact::Destructive,
        _ => looks(),
    };
    let outside = place.left && impact > Impact::Read || rest.iter().any(|w| w.dynamic) && impact > Impact::Workspace;
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
fn manager(name: &str, given: &[Word], place: &mut Place<'_>, depth: usize, effects: &mut Effects) {
    let dynamic = given.iter().any(|w| w.dynamic);
    let texts: Vec<&str> = given.iter().map(|w| w.text.as_str()).collect();
    let rest = given.get(1..).unwrap_or_default();
    match package::wanted(name, &texts) {
        package::Wanted::Packages(packages) if !dynamic && !place.left => {
            effects.worst(Impact::Network);
            effects.packages.extend(packages);
        }
        package::Wanted::Locked if !dynamic && !place.left => {
            effects.worst(Impact::Network);
            effects.elsewhere = true;
        }
        package::Wanted::Starts => command(rest, place, depth + 1, effects),
        package::Wanted::Build => match name {
            "cargo" => {
                let end = rest.iter().position(|w| w.text == "--").unwrap_or(rest.len());
                let behind = match texts.first().copied() {
                    Some("clippy") => "cargo clippy",
                    Some("fmt") => "cargo fmt",
                    Some("run") => "cargo run",
                    _ => "cargo test",
                };
                build(name, rest.get(..end).unwrap_or_default(), place, effects);
                build(behind, rest.get(end + 1..).unwrap_or_default(), place, effects);
            }
            "go" => build(name, rest, place, effects),
            _ => {
                let words: Vec<Word> = rest.iter().filter(|w| w.text != "--" || w.dynamic).cloned().collect();
                build("npm run", &words, place, effects);
            }
        },
        package::Wanted::Look => {
            let version = given.len() == 1 && !dynamic;
            match flags::of(flags::SHOW, name).filter(|_| !version) {
                Some(spec) => look(name, rest, spec, effects),
                None if version => {}
                None => effects.worst(Impact::Destructive),
            }
        }
        _ => effects.worst(Impact::Destructive),
    }
}
