//! One server of a client: what starts it, what it is given, where it is.

use bartizan_core::{Confidence, Severity, Span};

use super::clients::Server;
use crate::fact::{Home, Setting, Unit};
use crate::infra::launch;
use crate::product;
use crate::report::{Desk, show};
use crate::rules;
use crate::syntax::shell::Word;
use crate::tree::Node;
use crate::value::{self, SecretValue, Variables};

pub(super) fn judge(server: &Server<'_>, source: &str, desk: &mut Desk) {
    secrets(server, desk);
    remote(server, desk);
    package(server, desk);
    shell(&server.words, source, desk);
    files(server, desk);
    approval(server, desk);
}

fn secrets(server: &Server<'_>, desk: &mut Desk) {
    let mut given: Vec<(&str, &str, Span)> = Vec::new();
    for key in ["env", "headers", "requestOptions.headers", "http_headers", "environment"] {
        let entries = server.node.at(key).map_or(&[][..], Node::entries);
        given.extend(entries.iter().filter_map(|(k, v)| Some((k.text()?, v.text()?, v.span))));
    }
    // `--api-key VALUE`, `--api-key=VALUE`, `-e NAME=VALUE`.
    for (at, word) in server.words.iter().enumerate() {
        let next = server.words.get(at + 1).filter(|n| !n.text.starts_with('-'));
        match word.text.split_once('=') {
            Some((name, value)) => given.push((name, value, word.span)),
            None if word.text.starts_with("--") => {
                given.extend(next.map(|n| (word.text.as_str(), n.text.as_str(), n.span)))
            }
            None => {}
        }
    }
    for (name, raw, at) in given {
        let value = value::resolve(raw, &Variables::new());
        let plain = value::names_secret(name) && value::judge_secret(&value) != SecretValue::None;
        if plain || value::password_of(&value.text).is_some() {
            report_secret(name, at, desk);
        }
    }
    for (word, span) in server.words.iter().map(|w| (w.text.as_str(), w.span)).chain(url(server)) {
        let query = word.split_once('?').map_or("", |(_, query)| query);
        let named = query.split('&').filter_map(|p| p.split_once('=')).find(|(name, value)| {
            value::names_secret(name)
                && value::judge_secret(&value::resolve(value, &Variables::new())) != SecretValue::None
        });
        if let Some((name, _)) = named {
            report_secret(name, span, desk);
        } else if value::password_of(&value::resolve(word, &Variables::new()).text).is_some()
            && !word.contains("${")
            && !word.contains('=')
        {
            report_secret("the address", span, desk);
        }
    }
}

fn report_secret(name: &str, at: Span, desk: &mut Desk) {
    desk.find(
        &rules::PLAINTEXT_CREDENTIAL,
        at,
        format!("`{}` holds a secret in plain text", show(name)),
        "take it from the environment or the client's own store: `${env:NAME}`, `${input:NAME}`, `bearer_token_env_var`",
    );
}

fn url<'s>(server: &'s Server<'_>) -> Option<(&'s str, Span)> {
    ["url", "serverUrl", "httpUrl"].iter().find_map(|key| server.node.get(key)).and_then(|n| Some((n.text()?, n.span)))
}

fn remote(server: &Server<'_>, desk: &mut Desk) {
    // Bridges such as `mcp-remote` are given the address as an argument.
    let words = server.words.iter().map(|w| (w.text.as_str(), w.span));
    for (address, at) in url(server).into_iter().chain(words) {
        if address.starts_with("http://")
            && !value::is_loopback(address)
            && !address.starts_with("http://host.docker.internal")
        {
            desk.find(
                &rules::PLAINTEXT_TRANSPORT,
                at,
                format!("server `{}` is reached without TLS", show(&server.name)),
                "use `https://`",
            );
        }
    }
}

/// What a package runner downloads and runs each time it starts.
fn package(server: &Server<'_>, desk: &mut Desk) {
    let words = &server.words;
    let texts: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
    let at = |wanted: &[&str]| texts.iter().take(4).position(|t| wanted.contains(&base(t)));
    let unpinned = |word: &Word, how: &str, desk: &mut Desk| {
        desk.find(
            &rules::UNPINNED_SERVER,
            word.span,
            format!("`{}` is fetched at its newest version each time the server starts", show(&word.text)),
            format!("name a version: {how}"),
        );
    };
    if let Some(start) = at(&["npx", "bunx", "pnpx", "dlx"]) {
        if let Some(word) = argument(words, start + 1, &["-p", "--package", "--registry", "--cache"])
            .filter(|w| !is_pinned_npm(&w.text))
        {
            unpinned(word, "`package@1.2.3`", desk);
        }
    } else if let Some(start) = at(&["uvx", "pipx"]) {
        let start = if texts.get(start + 1) == Some(&"run") { start + 2 } else { start + 1 };
        let from = words.iter().position(|w| w.text == "--from").and_then(|at| words.get(at + 1));
        let word = from.or_else(|| argument(words, start, &["--python", "-p", "--with", "--index", "--index-url"]));
        if let Some(word) = word.filter(|w| !is_pinned_python(&w.text)) {
            unpinned(word, "`package==1.2.3` or `package@1.2.3`", desk);
        }
    } else if at(&["docker", "podman"]).is_some() && texts.contains(&"run") {
        let mut unit = Unit::new(Home::Container, server.at);
        launch::container_words(words, &mut unit);
        for image in unit.all(Setting::Image) {
            let name = image.value.text.as_str();
            let tag = name.get(product::repository(name).len()..).unwrap_or_default();
            if !name.contains("@sha256:")
                && !tag.bytes().any(|b| b.is_ascii_digit())
                && image.value.known == value::Known::Literal
            {
                let word = Word { text: name.to_owned(), span: image.at };
                unpinned(&word, "`image:1.2.3@sha256:…`", desk);
            }
        }
    }
}

fn base(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name.strip_suffix(".cmd").or_else(|| name.strip_suffix(".exe")).unwrap_or(name)
}

/// The first word that is no flag.
fn argument<'w>(words: &'w [Word], from: usize, with_value: &[&str]) -> Option<&'w Word> {
    let mut iter = words.get(from..)?.iter();
    while let Some(word) = iter.next() {
        if matches!(word.text.as_str(), "-p" | "--package") && with_value.contains(&word.text.as_str()) {
            return iter.next();
        }
        if with_value.contains(&word.text.as_str()) {
            iter.next();
        } else if !word.text.starts_with('-') {
            return Some(word);
        }
    }
    None
}

fn is_local(text: &str) -> bool {
    text.starts_with(['.', '/', '~', '$']) || text.starts_with("file:") || text.contains('\\') || text.contains("{{")
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) || text.starts_with('v') && text.bytes().any(|b| b.is_ascii_digit())
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_pinned_npm(text: &str) -> bool {
    if is_local(text) || text.split_once('#').is_some_and(|(_, commit)| is_commit(commit)) {
        return true;
    }
    let name = text.strip_prefix('@').unwrap_or(text);
    name.split_once('@').is_some_and(|(_, version)| is_version(version))
}

fn is_pinned_python(text: &str) -> bool {
    is_local(text)
        || text.split_once("==").is_some_and(|(_, v)| is_version(v))
        || text.rsplit_once('@').is_some_and(|(_, v)| is_version(v) || is_commit(v.split('#').next().unwrap_or(v)))
}

/// Scripts in words.
pub(super) fn shell(words: &[Word], source: &str, desk: &mut Desk) {
    let Some(script) = launch::nested(words, source, 0) else { return };
    let mut unit = Unit::new(Home::Part, Span::default());
    for (at, command) in script.iter().enumerate() {
        launch::download(at.checked_sub(1).and_then(|at| script.get(at)), command, &mut unit);
    }
    let at = script
        .iter()
        .flat_map(|c| &c.words)
        .map(|w| w.span)
        .reduce(|a, b| Span::new(a.start.min(b.start), a.end.max(b.end)));
    downloads(&unit, rules::DOWNLOAD_AND_RUN.severity, desk);
    let computed =
        script.iter().flat_map(|c| &c.words).any(|w| w.text.contains("$(") || w.text.contains('`') || w.text == "eval");
    if let Some(at) = at.filter(|_| computed && unit.facts.is_empty()) {
        desk.find(
            &rules::SHELL_LAUNCH,
            at,
            "a shell computes what is run from the output of other commands",
            "start one program with its arguments as a list",
        );
    }
}

/// Reports what a unit downloads and runs.
pub(super) fn downloads(unit: &Unit, severity: Severity, desk: &mut Desk) {
    for fact in unit.all(Setting::Download) {
        desk.find_as(
            &rules::DOWNLOAD_AND_RUN,
            severity,
            Confidence::High,
            fact.at,
            "a script is downloaded and run unseen",
            "install a pinned version once, verify its digest, and start that",
        );
    }
}

fn files(server: &Server<'_>, desk: &mut Desk) {
    let filesystem = server.words.iter().any(|w| {
        w.text.contains("server-filesystem")
            || w.text.contains("mcp-server-filesystem")
            || w.text.contains("mcp/filesystem")
    });
    for word in server.words.iter().filter(|_| filesystem) {
        if is_wide(&word.text) {
            wide(&word.text, word.span, desk);
        }
    }
    if server.words.iter().take(3).any(|w| matches!(base(&w.text), "docker" | "podman")) {
        let mut unit = Unit::new(Home::Container, server.at);
        launch::container_words(&server.words, &mut unit);
        for fact in unit.all(Setting::Mount).filter(|f| is_wide(&f.value.text) || f.value.text.ends_with("docker.sock"))
        {
            wide(&fact.value.text, fact.at, desk);
        }
        for fact in unit.all(Setting::Privilege) {
            wide(&fact.name, fact.at, desk);
        }
    }
}

fn wide(what: &str, at: Span, desk: &mut Desk) {
    desk.find(
        &rules::BROAD_FILE_ACCESS,
        at,
        format!("the server gets `{}`", show(what)),
        "give it the one folder that it needs, read-only where it only reads",
    );
}

fn is_wide(path: &str) -> bool {
    let path = path.trim_end_matches(['/', '\\']);
    let home = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| !rest.contains(['/', '\\']));
    matches!(
        path,
        "" | "~"
            | "$HOME"
            | "${HOME}"
            | "${env:HOME}"
            | "/home"
            | "/Users"
            | "/root"
            | "/etc"
            | "C:"
            | "c:"
            | "${userHome}"
    ) || home("/home/")
        || home("/Users/")
        || home("C:\\Users\\")
}

fn approval(server: &Server<'_>, desk: &mut Desk) {
    for key in ["alwaysAllow", "autoApprove", "autoAllow", "always_allow"] {
        let Some(list) = server.node.get(key) else { continue };
        if let Some(star) = list.items().iter().find(|i| i.text() == Some("*")) {
            super::permission::broad(star.span, "every tool of this server", desk);
        } else if list.text().is_some_and(value::is_true) {
            super::permission::broad(list.span, "every tool of this server", desk);
        }
    }
    // Gemini CLI: `trust` skips all confirmations of a server.
    if let Some(node) = server.node.get("trust").filter(|n| n.text() == Some("true")) {
        super::permission::broad(node.span, "every tool of this server", desk);
    }
}
