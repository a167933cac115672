//! Command lines: which product they start, and what its flags set.

use bartizan_core::Span;

use super::{container, variables};
use crate::fact::{Home, Setting, Unit};
use crate::product::{self, Product, general};
use crate::syntax::shell::{self, Command, Word};
use crate::value::{self, Known, Resolved, Variables};

/// Programs that start what follows them, and how many words of their own they have besides flags.
const WRAPPERS: &[(&str, usize)] = &[
    ("sudo", 0),
    ("exec", 0),
    ("nohup", 0),
    ("env", 0),
    ("nice", 0),
    ("time", 0),
    ("timeout", 1),
    ("tini", 0),
    ("dumb-init", 0),
    ("setsid", 0),
    ("stdbuf", 0),
    ("gosu", 1),
    ("su-exec", 1),
    ("numactl", 0),
    ("python", 0),
    ("python3", 0),
    ("uv", 1),
    ("uvx", 0),
    ("poetry", 1),
    ("pipx", 1),
    ("pdm", 1),
    ("conda", 1),
    ("xvfb-run", 0),
    ("srun", 0),
    ("catchsegv", 0),
    ("ionice", 0),
    ("chrt", 1),
    ("start.sh", 0),
    ("command", 0),
    ("then", 0),
    ("do", 0),
    ("else", 0),
];
/// Flags of wrappers that take a word.
const WRAPPER_VALUES: &[&str] =
    &["-u", "-n", "-g", "--user", "--with", "-k", "-s", "--cpunodebind", "-c", "--signal", "--kill-after"];
/// How deep scripts in words of scripts are read.
const DEEPEST: usize = 4;

/// What a script does: all units that it starts, with what else it says in a unit of its own.
pub(crate) fn script(text: &str, offset: usize, units: &mut Vec<Unit>) {
    commands(&shell::parse(text, offset), text, offset, units);
}

/// A script that stands in a value of the file.
pub(crate) fn scalar(text: &str, span: Span, source: &str, units: &mut Vec<Unit>) {
    let word = Word { text: text.to_owned(), span };
    commands(&within(&word, source, 0), source, 0, units);
}

fn commands(commands: &[Command], text: &str, offset: usize, units: &mut Vec<Unit>) {
    let mut known = Variables::new();
    let mut whole = Unit::new(Home::Part, Span::new(offset, offset));
    // What a script sets is what it starts sees; a variable of a function is taken for one of the script.
    for command in commands {
        for set in &command.sets {
            let value = value::resolve(&set.value, &known);
            if value.known != Known::Elsewhere {
                known.entry(set.name.clone()).or_insert(value.text);
            }
        }
    }
    let mut reader = Reader { source: text, offset, variables: &known, units, depth: 0 };
    let started = reader.units.len();
    let mut sets = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| commands.get(at));
        if command.words.is_empty()
            || command
                .words
                .first()
                .is_some_and(|w| matches!(w.text.as_str(), "export" | "set" | "env") && command.words.len() == 1)
        {
            sets.extend(command.sets.iter());
        }
        download(before, command, &mut whole);
        reader.command(command, Home::Machine);
    }
    // The script's own variables are those of what it starts, where it starts one thing.
    let count = units.len() - started;
    let product = variables::product_of(sets.iter().map(|s| s.name.as_str()));
    let home = match (count, units.get_mut(started)) {
        (1, Some(unit)) if unit.home == Home::Machine => unit,
        _ => {
            whole.product = product;
            &mut whole
        }
    };
    for set in sets {
        variables::take(home, &set.name, Some(&set.value), set.span, &known);
    }
    if !whole.facts.is_empty() {
        units.push(whole);
    }
}

/// `curl … | sh`, and `sh -c "$(curl …)"`.
pub(crate) fn download(before: Option<&Command>, command: &Command, unit: &mut Unit) {
    let program = |command: &Command| {
        let mut words = command.words.iter().map(|w| w.text.as_str());
        let first = words.find(|w| !matches!(*w, "sudo" | "env" | "-E") && !w.contains('='));
        first.map(|w| w.rsplit('/').next().unwrap_or(w).to_owned())
    };
    let runs = program(command).is_some_and(|p| general::RUNNERS.contains(&p.as_str()) || is_python(&p));
    let piped = command.piped
        && runs
        && !command.words.iter().any(|w| w.text == "-m" || w.text.ends_with(".py") && w.text != "-")
        && before.and_then(program).is_some_and(|p| general::DOWNLOADERS.contains(&p.as_str()));
    let at =
        match command.words.iter().find(|w| runs && (w.text.starts_with("$(curl ") || w.text.starts_with("$(wget "))) {
            Some(word) => word.span,
            None if piped => {
                let first = before.and_then(|c| c.words.first()).map_or(0, |w| w.span.start);
                Span::new(first, command.words.last().map_or(first, |w| w.span.end))
            }
            None => return,
        };
    unit.add(Setting::Download, "download", Resolved { text: String::new(), known: Known::Literal }, at);
}

/// Reads commands of one text.
pub(crate) struct Reader<'r> {
    pub(crate) source: &'r str,
    pub(crate) offset: usize,
    pub(crate) variables: &'r Variables,
    pub(crate) units: &'r mut Vec<Unit>,
    pub(crate) depth: usize,
}

impl Reader<'_> {
    /// Adds the unit that a command starts, if it starts one.
    fn command(&mut self, command: &Command, home: Home) {
        let Some(first) = command.words.first() else { return };
        let mut unit = Unit::new(home, first.span);
        let before = self.units.len();
        self.words(&command.words, &mut unit);
        // A script in a word made units of its own.
        if self.units.len() > before || unit.product.is_none() && unit.facts.is_empty() && !unit.stranger {
            return;
        }
        for set in &command.sets {
            variables::take(&mut unit, &set.name, Some(&set.value), set.span, self.variables);
        }
        self.units.push(unit);
    }

    fn words(&mut self, words: &[Word], unit: &mut Unit) {
        if let Some(script) = nested(words, self.source, self.offset)
            && self.depth < DEEPEST
        {
            self.depth += 1;
            let mut whole = Unit::new(Home::Part, unit.at);
            for (at, command) in script.iter().enumerate() {
                download(at.checked_sub(1).and_then(|at| script.get(at)), command, &mut whole);
            }
            if !whole.facts.is_empty() {
                self.units.push(whole);
            }
            for command in &script {
                self.command(command, unit.home);
            }
            self.depth -= 1;
            return;
        }
        if let Some(rest) = docker_run(words) {
            container_of(rest, unit, self.variables, self.source, self.offset);
            return;
        }
        start(&spread(words, self.variables), unit, self.variables);
    }
}

/// Words with those put in that an unquoted variable of the script stands for: flags, as `vllm serve $ARGS` has them.
fn spread(words: &[Word], variables: &Variables) -> Vec<Word> {
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        let name = word.text.strip_prefix('$').map(|name| {
            let inner = name.strip_prefix('{').and_then(|n| n.strip_suffix('}')).unwrap_or(name);
            inner.strip_suffix("[@]").or_else(|| inner.strip_suffix("[*]")).unwrap_or(inner)
        });
        match name.and_then(|name| variables.get(name)).filter(|value| value.trim_start().starts_with('-')) {
            Some(value) if all.len() < MOST_WORDS => {
                all.extend(value.split_whitespace().map(|w| Word { text: w.to_owned(), span: word.span }));
            }
            _ => all.push(word.clone()),
        }
    }
    all
}

/// Most words of a command before variables are not followed any more.
const MOST_WORDS: usize = 1000;

/// The commands of `sh -c WORD`.
pub(crate) fn nested(words: &[Word], source: &str, offset: usize) -> Option<Vec<Command>> {
    let at = words.iter().take(6).position(|w| {
        matches!(w.text.rsplit('/').next().unwrap_or_default(), "sh" | "bash" | "zsh" | "dash" | "ash")
    })?;
    let wrapped = words.get(..at)?.iter().all(|w| {
        w.text.starts_with('-') || WRAPPERS.iter().any(|(p, _)| *p == w.text.rsplit('/').next().unwrap_or_default())
    });
    let flag = words
        .get(at + 1..)?
        .iter()
        .position(|w| w.text.starts_with('-') && !w.text.starts_with("--") && w.text.contains('c'))?;
    let script = words.get(at + 1 + flag + 1)?;
    (wrapped && flag < 3).then(|| within(script, source, offset))
}

/// The commands of a script that stands in one word, at their places as far as these can be told.
pub(crate) fn within(word: &Word, source: &str, offset: usize) -> Vec<Command> {
    let script = word.text.replace("$$", "$");
    let start = word.span.start.saturating_sub(offset);
    let raw = source.get(start..word.span.end.saturating_sub(offset)).unwrap_or_default();
    if let Some(at) = raw.find(&script) {
        return shell::parse(&script, word.span.start + at);
    }
    let mut commands = shell::parse(&script, 0);
    let mut cursor = 0;
    let mut place = |text: &str| {
        let end = raw.floor_char_boundary((cursor + 4096).min(raw.len()));
        match raw.get(cursor..end).and_then(|r| r.find(text)) {
            Some(at) if !text.is_empty() => {
                let start = cursor + at;
                cursor = start + text.len();
                Span::new(word.span.start + start, word.span.start + cursor)
            }
            _ => word.span,
        }
    };
    for command in &mut commands {
        command.sets.iter_mut().for_each(|s| s.span = place(&s.value));
        command.words.iter_mut().for_each(|w| w.span = place(&w.text));
    }
    commands
}

/// Takes the flags of what the words start. Without a known program they are those of the unit's product.
pub(crate) fn start(words: &[Word], unit: &mut Unit, variables: &Variables) {
    let mut at = 0;
    let texts: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
    let found = loop {
        let Some(rest) = texts.get(at..).filter(|rest| !rest.is_empty()) else { break None };
        if let Some((product, length)) = product::of_command(rest) {
            break Some((product, at + length));
        }
        let word = rest.first().copied().unwrap_or_default();
        let name = word.rsplit('/').next().unwrap_or(word);
        let second = rest.get(1).copied().unwrap_or_default();
        at += match WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name || is_python(name) && *wrapper == "python") {
            Some((_, own)) => 1 + own,
            None if word.starts_with('-') && at > 0 && WRAPPER_VALUES.contains(&word) && !second.starts_with('-') => 2,
            None if (word.starts_with('-') || word.contains('=')) && at > 0 => 1,
            None => break None,
        };
    };
    let script = found.is_none().then(|| texts.first().copied()).flatten();
    let rest = match found {
        Some((product, from)) => {
            if let Some(word) = words.get(from.saturating_sub(1)) {
                let first = words.first().map_or(word.span.start, |w| w.span.start);
                // Words of a list stand on lines of their own.
                unit.at = if unit.product.is_none() && word.span.end >= first && word.span.end - first < 200 {
                    Span::new(first, word.span.end)
                } else {
                    unit.at
                };
            }
            unit.product = Some(product);
            words.get(from..).unwrap_or_default()
        }
        None => {
            if unit.product.is_none() && script.is_some_and(|s| s.ends_with(".py") || s.contains("python")) {
                unit.product = webui(&texts);
            }
            words
        }
    };
    flags(rest, unit, variables, found.is_some());
    if unit.product.is_none() {
        unit.stranger |= serves(&texts);
    }
}

/// Flags that name a model and an address for every interface.
fn serves(texts: &[&str]) -> bool {
    let given = |names: &[&str]| {
        texts.iter().enumerate().find_map(|(at, text)| {
            let (name, value) = text.split_once('=').map_or((*text, None), |(name, value)| (name, Some(value)));
            names.contains(&name).then(|| value.or_else(|| texts.get(at + 1).copied()).unwrap_or_default())
        })
    };
    given(&["--host", "--listen", "--bind", "--server-name", "--ip"]).is_some_and(value::is_wildcard)
        && given(&["--model", "--model-path", "--model_path", "--model-id", "--model-name"]).is_some()
}

/// `python`, `python3`, `python3.11`.
pub(crate) fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// text-generation-webui and ComfyUI are started by scripts without a name of their own: their flags tell.
fn webui(texts: &[&str]) -> Option<&'static Product> {
    let has = |flag: &str| texts.contains(&flag);
    let by = |name: &str| product::all().find(|p| p.name == name);
    let flag = |flag: &str| texts.iter().any(|t| t.split('=').next() == Some(flag));
    let comfy = texts.iter().any(|t| t.ends_with("main.py"))
        && (flag("--listen") || flag("--enable-cors-header") || flag("--enable-manager"));
    if comfy {
        return by("ComfyUI");
    }
    if !texts.iter().any(|t| t.ends_with("server.py")) {
        return None;
    }
    (has("--listen") || has("--share") || has("--public-api") || has("--trust-remote-code"))
        .then(|| by("text-generation-webui"))
        .flatten()
}

fn flags(words: &[Word], unit: &mut Unit, variables: &Variables, named: bool) {
    let own = unit.product.map_or(&[][..], |p| p.flags);
    let mut iter = words.iter().peekable();
    let mut first = true;
    while let Some(word) = iter.next() {
        if !word.text.starts_with('-') || word.text.len() < 2 {
            if std::mem::take(&mut first) && named && word.text.contains('/') {
                positional(word, unit, variables);
            }
            continue;
        }
        first = false;
        let (name, given, at) = match word.text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned()), word.span),
            None => match iter.next_if(|next| !next.text.starts_with('-') || next.text.len() == 1) {
                Some(next) => (word.text.as_str(), Some(next.text.clone()), Span::new(word.span.start, next.span.end)),
                None => (word.text.as_str(), None, word.span),
            },
        };
        // A flag alone is switched on.
        let value = match &given {
            // Programs that evaluate their values take quotes off that no shell took.
            Some(raw) => value::resolve(unquoted(raw), variables),
            None => Resolved { text: "true".to_owned(), known: Known::Literal },
        };
        // A flag that needs no value has taken the next word for one.
        let alone = Resolved { text: "true".to_owned(), known: Known::Literal };
        let mut known = false;
        for (row, setting, reads) in own.iter().chain(general::FLAGS) {
            if !product::same_flag(row, name) {
                continue;
            }
            known |= matches!(setting, Setting::Key | Setting::Secret);
            let is_switch = matches!(reads, crate::fact::Reads::IfTrue);
            let strange = is_switch && !value::is_true(&value.text) && !value::is_false(&value.text);
            // A key that is not given where the flag stands comes from a variable or a prompt.
            let elsewhere = Resolved { text: String::new(), known: Known::Elsewhere };
            let value = match setting {
                Setting::Key | Setting::Secret if given.is_none() => &elsewhere,
                _ if strange => &alone,
                _ => &value,
            };
            if reads.takes(value) {
                unit.add(*setting, name, value.clone(), at);
            }
        }
        if !known && given.is_some() {
            variables::secret(unit, name, &value, at);
        }
    }
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}

/// `vllm serve MODEL`.
fn positional(word: &Word, unit: &mut Unit, variables: &Variables) {
    let takes = unit.product.is_some_and(|p| matches!(p.name, "vLLM" | "SGLang" | "LMDeploy"));
    if takes {
        unit.add(Setting::Model, "model", value::resolve(&word.text, variables), word.span);
    }
}

/// What follows `docker run`.
fn docker_run(words: &[Word]) -> Option<&[Word]> {
    let at = words
        .iter()
        .take(3)
        .position(|w| matches!(w.text.rsplit('/').next().unwrap_or_default(), "docker" | "podman" | "nerdctl"))?;
    let run = words.get(at + 1..)?.iter().take(3).position(|w| w.text == "run")?;
    words.get(at + 1 + run + 1..)
}

/// What `docker run` with these words gives a container.
pub(crate) fn container_words(words: &[Word], unit: &mut Unit) {
    if let Some(rest) = docker_run(words) {
        container_of(rest, unit, &Variables::new(), "", 0);
    }
}

/// Flags of `docker run` that take no word.
const SWITCHES: &[&str] = &[
    "--rm",
    "--detach",
    "--interactive",
    "--tty",
    "--privileged",
    "--init",
    "--read-only",
    "--publish-all",
    "--no-healthcheck",
    "--oom-kill-disable",
    "--sig-proxy",
    "--quiet",
    "--replace",
];

fn container_of(words: &[Word], unit: &mut Unit, variables: &Variables, source: &str, offset: usize) {
    unit.home = Home::Container;
    let mut pending = Vec::new();
    let mut iter = words.iter().peekable();
    while let Some(word) = iter.next() {
        if !word.text.starts_with('-') {
            container::image(unit, &word.text, word.span, variables);
            break;
        }
        let short = word.text.starts_with('-') && !word.text.starts_with("--");
        // `-p8080:80`: a letter with its value.
        let joined = word
            .text
            .get(..2)
            .filter(|f| short && matches!(*f, "-p" | "-v" | "-e" | "-w" | "-u") && word.text.len() > 2);
        let (name, value) = match word.text.split_once('=') {
            _ if joined.is_some() => {
                (joined.unwrap_or_default(), Some((word.text.get(2..).unwrap_or_default().to_owned(), word.span)))
            }
            Some((name, value)) if !short => (name, Some((value.to_owned(), word.span))),
            _ => {
                let switch = SWITCHES.contains(&word.text.as_str())
                    || short && word.text.bytes().skip(1).all(|b| b"ditP".contains(&b));
                let next = if switch { None } else { iter.next() };
                (word.text.as_str(), next.map(|n| (n.text.clone(), n.span)))
            }
        };
        let (text, at) = value.unwrap_or((String::new(), word.span));
        match name {
            "-p" | "--publish" => container::publish(unit, &text, at, variables),
            "-v" | "--volume" => {
                if let Some(path) = container::bind_source(&text) {
                    container::mount(unit, path, at, variables);
                }
            }
            "--mount" => {
                let part = |key: &str| text.split(',').find_map(|p| p.strip_prefix(key)).map(str::to_owned);
                if let Some(path) = part("source=").or_else(|| part("src=")).filter(|p| p.starts_with('/')) {
                    container::mount(unit, &path, at, variables);
                }
            }
            "-e" | "--env" => pending.push((text, at)),
            "--privileged" => container::privilege(unit, "`--privileged`", word.span),
            "--network" | "--net" if text == "host" => container::privilege(unit, "the network of the machine", at),
            "--pid" if text == "host" => container::privilege(unit, "the processes of the machine", at),
            "--cap-add" => container::capability(unit, &text, at),
            "--security-opt" if text.contains("unconfined") => {
                container::privilege(unit, "no seccomp or AppArmor profile", at)
            }
            "--gpus" => unit.models = true,
            _ => {}
        }
    }
    let rest: Vec<Word> = iter.cloned().collect();
    command(&rest, unit, variables, source, offset);
    for (text, at) in pending {
        match text.split_once('=') {
            Some((name, value)) => variables::take(unit, name, Some(value), at, variables),
            None => variables::take(unit, &text, None, at, variables),
        }
    }
}

/// The command of a container: of the product that its image has, or that it starts itself.
pub(crate) fn command(words: &[Word], unit: &mut Unit, variables: &Variables, source: &str, offset: usize) {
    match nested(words, source, offset) {
        Some(script) => {
            let mut known = variables.clone();
            for set in script.iter().flat_map(|c| &c.sets) {
                known.entry(set.name.clone()).or_insert_with(|| set.value.clone());
            }
            for (at, part) in script.iter().enumerate() {
                download(at.checked_sub(1).and_then(|at| script.get(at)), part, unit);
                start(&spread(&part.words, &known), unit, &known);
            }
        }
        None => start(&spread(words, variables), unit, variables),
    }
}
