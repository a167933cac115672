//! Rules over facts. No rule knows a product, a syntax or a flag.

use bartizan_core::{Confidence, Reason, Severity, Span};

use crate::fact::{Fact, Home, Setting, Unit};
use crate::product::Auth;
use crate::report::{Desk, show};
use crate::rules;
use crate::value::{self, Known, Resolved, SecretValue};

/// Judges all units of a file. Some things count only where models are served or trained.
pub(crate) fn judge(units: &[Unit], desk: &mut Desk) {
    let models = units.iter().any(|u| u.models || u.product.is_some_and(|p| !p.companion));
    for unit in units {
        if unit.stranger && unit.product.is_none() {
            let bytes = unit.at.end.saturating_sub(unit.at.start);
            desk.partial(
                Reason::File,
                unit.at.start,
                bytes,
                "this serves a model on every interface; which server it is, and whether it asks for a key, is not known",
            );
        }
        if models {
            exposure(unit, desk);
            credentials(unit, desk);
        }
        for fact in &unit.facts {
            if models || matches!(fact.setting, Setting::RemoteCode | Setting::Grant) {
                one(unit, fact, desk);
            }
        }
        if models {
            references(unit, desk);
        }
    }
}

fn name(unit: &Unit) -> &'static str {
    unit.product.map_or("it", |p| p.name)
}

fn advice(unit: &Unit, otherwise: &str) -> String {
    match unit.product.filter(|p| !p.close.is_empty()) {
        Some(product) => format!("{}; {}", product.close, product.doc),
        None => otherwise.to_owned(),
    }
}

/// Who reaches what a unit listens on.
struct Reach {
    at: Span,
    who: &'static str,
    /// More than the cluster that it runs in.
    wide: bool,
}

fn reach(unit: &Unit) -> Option<Reach> {
    let bound = |f: &&Fact| f.value.known != Known::Elsewhere && !value::is_loopback(&f.value.text);
    let loopback = |f: &&Fact| f.value.known != Known::Elsewhere && value::is_loopback(&f.value.text);
    let published =
        || unit.all(Setting::Publish).find(|f| f.value.known != Known::Elsewhere && !value::is_loopback(&f.value.text));
    let host = unit.all(Setting::Privilege).find(|f| f.name.contains("network of the machine"));
    match unit.home {
        Home::Part | Home::Job => None,
        Home::Machine | Home::Config => match unit.all(Setting::Bind).find(bound) {
            Some(fact) => Some(Reach { at: fact.at, who: "whoever reaches this machine", wide: true }),
            None if unit.has(Setting::Bind) => None,
            None => unit
                .product
                .filter(|p| p.open)
                // A flag or variable may still bind what a file leaves open.
                .map(|_| Reach { at: unit.at, who: "whoever reaches this machine", wide: unit.home == Home::Machine }),
        },
        // In a container loopback is the container.
        Home::Container | Home::Pod if unit.all(Setting::Bind).any(|f| loopback(&f)) => None,
        Home::Container => {
            let at = published().or(host)?.at;
            Some(Reach { at, who: "whoever reaches this machine", wide: true })
        }
        Home::Pod => match published().or(host) {
            Some(fact) => Some(Reach { at: fact.at, who: "whoever reaches a node of the cluster", wide: true }),
            None if unit.walled => None,
            None => Some(Reach { at: unit.at, who: "every pod of the cluster", wide: false }),
        },
    }
}

fn exposure(unit: &Unit, desk: &mut Desk) {
    let Some(product) = unit.product else { return };
    let reach = reach(unit);
    if let Some(reach) = &reach {
        let key = unit.all(Setting::Key).find(|f| f.value.known == Known::Elsewhere || !f.value.text.trim().is_empty());
        let closed = unit.has(Setting::AuthOn) || key.is_some() && product.auth != Auth::Never;
        let elsewhere = unit.has(Setting::ConfigFile);
        let open = match product.auth {
            Auth::Optional => !closed && !elsewhere && !unit.has(Setting::AuthOff),
            Auth::Never => !closed,
            Auth::Default | Auth::NoServer => false,
        };
        if open {
            let severity = if reach.wide { rules::MISSING_AUTHENTICATION.severity } else { Severity::Medium };
            let has = if product.auth == Auth::Never { "has no authentication of its own" } else { "asks for no key" };
            let what = format!("{} {has}, and {} can call it", product.name, reach.who);
            desk.find_as(
                &rules::MISSING_AUTHENTICATION,
                severity,
                Confidence::High,
                reach.at,
                what,
                advice(unit, "set a key"),
            );
        }
        if reach.wide && product.auth != Auth::NoServer && !unit.has(Setting::Tls) {
            let what = format!("{} is open to {} without TLS", product.name, reach.who);
            desk.find(&rules::PUBLIC_BIND, reach.at, what, "bind or publish it on 127.0.0.1 or a private address, and let a proxy with TLS and authentication face the network");
        }
    }
    // Part of a configuration tells no exposure, but an address for every interface is one.
    if unit.home == Home::Part {
        let wildcard = |f: &&Fact| f.value.known != Known::Elsewhere && value::is_wildcard(&f.value.text);
        if let Some(fact) =
            unit.all(Setting::Bind).find(wildcard).filter(|_| !unit.has(Setting::Image) && !unit.has(Setting::Tls))
        {
            let what = format!("`{}` opens {} to every interface", show(&fact.name), product.name);
            desk.find(
                &rules::PUBLIC_BIND,
                fact.at,
                what,
                "bind it to 127.0.0.1, or to an address that only a proxy reaches",
            );
        }
    }
    let local = unit.home == Home::Machine && reach.is_none();
    for fact in unit.all(Setting::AuthOff) {
        let severity = if local { Severity::Medium } else { rules::MISSING_AUTHENTICATION.severity };
        let what = format!("`{}` switches authentication of {} off", show(&fact.name), product.name);
        desk.find_as(
            &rules::MISSING_AUTHENTICATION,
            severity,
            Confidence::High,
            fact.at,
            what,
            advice(unit, "leave authentication on"),
        );
    }
}

fn credentials(unit: &Unit, desk: &mut Desk) {
    for fact in unit.all(Setting::Key).chain(unit.all(Setting::Secret)) {
        let judged = match value::judge_secret(&fact.value) {
            // A server that takes such a key takes it from everybody.
            SecretValue::None
                if fact.setting == Setting::Key
                    && fact.value.known != Known::Elsewhere
                    && value::is_default(&fact.value.text) =>
            {
                SecretValue::Default
            }
            judged => judged,
        };
        // Short passwords are plain too where the product says that it is one.
        let short = fact.setting == Setting::Key
            && fact.value.known != Known::Elsewhere
            && (2..6).contains(&fact.value.text.len())
            && !value::is_placeholder(&fact.value.text);
        let called = show(&fact.name);
        match judged {
            SecretValue::Default => desk.find(
                &rules::DEFAULT_CREDENTIAL,
                fact.at,
                format!("`{called}` has a value that everybody tries first"),
                "draw a long value, keep it in a secret store, and refer to it here",
            ),
            SecretValue::Plain => plaintext(unit, fact, &called, desk),
            SecretValue::None if short => plaintext(unit, fact, &called, desk),
            SecretValue::None => {}
        }
    }
}

fn plaintext(unit: &Unit, fact: &Fact, called: &str, desk: &mut Desk) {
    // A file of variables is where secrets are kept apart; it still must not be committed.
    let apart = unit.home == Home::Part && !unit.has(Setting::Image);
    let severity = if apart { Severity::Medium } else { rules::PLAINTEXT_SECRET.severity };
    let ends = if fact.value.known == Known::Default { " as its default" } else { "" };
    desk.find_as(
        &rules::PLAINTEXT_SECRET,
        severity,
        rules::PLAINTEXT_SECRET.confidence,
        fact.at,
        format!("`{called}` holds a secret in plain text{ends}"),
        "refer to a secret store: `${NAME}` in compose, `secretKeyRef` in Kubernetes, `os.environ/NAME` in LiteLLM, a mounted file elsewhere",
    );
}

/// Rules that need one fact alone.
fn one(unit: &Unit, fact: &Fact, desk: &mut Desk) {
    let called = show(&fact.name);
    let who = name(unit);
    match fact.setting {
        Setting::RemoteCode => desk.find(
            &rules::REMOTE_CODE,
            fact.at,
            format!("`{called}` runs Python code from the repository of a model or data set"),
            "leave it off; where a model needs its own code, review it and pin it with `--revision` and `--code-revision` to a commit",
        ),
        Setting::Deserialise => desk.find(
            &rules::UNSAFE_DESERIALIZATION,
            fact.at,
            format!("`{called}` lets values be read that can run code"),
            "leave it off, and use safetensors or JSON",
        ),
        Setting::Management => desk.find(
            &rules::MANAGEMENT_API,
            fact.at,
            format!("`{called}` lets callers of {who} load models or change its state"),
            "leave it off in production, or serve it on an address of its own that only operators reach",
        ),
        Setting::FileAccess => desk.find(
            &rules::BROAD_MOUNT,
            fact.at,
            format!("`{called}` lets requests read files of a whole tree"),
            "name one folder that holds nothing else",
        ),
        Setting::Debug => desk.find(
            &rules::DEBUG_MODE,
            fact.at,
            format!("`{called}` is for development: it opens more or logs more than production needs"),
            "take it out in production",
        ),
        Setting::PromptLog if !unit.has(Setting::PromptLogOff) => desk.find(
            &rules::PROMPT_LOGGING,
            fact.at,
            format!("`{called}` writes prompts or answers down, or sends them to another service"),
            "leave it off, or mask contents (`turn_off_message_logging: true` in LiteLLM, `LANGSMITH_HIDE_INPUTS`)",
        ),
        Setting::Cors if any_origin(&fact.value) => desk.find(
            &rules::CORS_ANY_ORIGIN,
            fact.at,
            format!("`{called}` lets pages of any site call {who} from a visitor's browser"),
            "name the origins of your own pages",
        ),
        Setting::Share => desk.find(
            &rules::PUBLIC_SHARE,
            fact.at,
            format!("`{called}` gives {who} a public address through a relay"),
            "leave it off, and publish behind a proxy that authenticates",
        ),
        Setting::TlsOff => desk.find(
            &rules::TLS_VERIFICATION_OFF,
            fact.at,
            format!("`{called}` switches the verification of certificates off"),
            "give the CA's certificate instead (`REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`)",
        ),
        Setting::Privilege => desk.find(
            &rules::PRIVILEGED_CONTAINER,
            fact.at,
            format!("the container has {called}: whoever takes it over is on the machine"),
            "take it out; GPUs need `deploy.resources`, `--gpus` or a device plug-in only",
        ),
        Setting::Mount => mount(fact, desk),
        Setting::Image => image(fact, desk),
        Setting::Download => desk.find(
            &rules::UNVERIFIED_DOWNLOAD,
            fact.at,
            "something is downloaded and used without a check of what it is",
            "pin a version and verify its digest (`ADD --checksum=sha256:…`, `sha256sum -c`) before it is used",
        ),
        Setting::Grant => desk.find(
            &rules::PUBLIC_BUCKET,
            fact.at,
            format!("{called} may use what training data or models are kept in"),
            "grant one role the few actions on the one bucket that the job needs",
        ),
        _ => {}
    }
}

fn any_origin(value: &Resolved) -> bool {
    let text = value.text.trim();
    value.known != Known::Elsewhere
        && (matches!(text, "*" | "['*']" | "[\"*\"]" | ".*" | "http://*" | "https://*" | "http://*,https://*")
            || text.split(',').any(|origin| origin.trim().trim_matches(['"', '\'', '[', ']', ' ']) == "*")
            // Switches: cross-origin checks are off.
            || value::is_false(text))
}

fn mount(fact: &Fact, desk: &mut Desk) {
    let path = fact.value.text.trim();
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    let raw_home = path.is_empty() && fact.value.known == Known::Elsewhere;
    let socket = ["docker.sock", "containerd.sock", "crio.sock", "podman.sock"].iter().any(|s| path.ends_with(s));
    let tree = matches!(
        path,
        "/" | "/root"
            | "/home"
            | "/etc"
            | "/var"
            | "/var/run"
            | "/run"
            | "/usr"
            | "/opt"
            | "/proc"
            | "/sys"
            | "/dev"
            | "/boot"
            | "/mnt"
            | "/var/lib/docker"
            | "/var/lib/kubelet"
            | "~"
            | "/srv"
    ) || path.starts_with("/home/") && path.matches('/').count() == 2;
    let keys = [".ssh", ".aws", ".kube", ".docker", ".gnupg", ".netrc", ".config/gcloud", ".azure"]
        .iter()
        .any(|k| path.ends_with(k));
    if raw_home || !(socket || tree || keys) {
        return;
    }
    let (severity, what) = if socket {
        (
            Severity::Critical,
            format!("the container gets `{}`, which starts containers as root of the machine", show(path)),
        )
    } else {
        (rules::BROAD_MOUNT.severity, format!("the container gets `{}` of the machine", show(path)))
    };
    desk.find_as(
        &rules::BROAD_MOUNT,
        severity,
        Confidence::High,
        fact.at,
        what,
        "mount the one folder that is needed, read-only, or a named volume",
    );
}

fn image(fact: &Fact, desk: &mut Desk) {
    let image = fact.value.text.trim();
    if fact.value.known == Known::Elsewhere || image.is_empty() || image.contains("@sha256:") {
        return;
    }
    let repository = crate::product::repository(image);
    let tag = image.get(repository.len() + 1..).unwrap_or_default();
    // A tag without a number is a name that moves.
    if tag.bytes().any(|b| b.is_ascii_digit()) && !tag.starts_with("latest") {
        return;
    }
    let what = if tag.is_empty() {
        format!("image `{}` has no tag, which means `latest`", show(repository))
    } else {
        format!("image `{}` has the moving tag `{}`", show(repository), show(tag))
    };
    desk.find(&rules::UNPINNED_IMAGE, fact.at, what, "name a version and its digest: `IMAGE:VERSION@sha256:…`");
}

/// Models and data sets that are fetched by a name that moves.
fn references(unit: &Unit, desk: &mut Desk) {
    for (of, revision, rule, fix) in [
        (
            Setting::Model,
            Setting::Revision,
            &rules::UNPINNED_MODEL,
            "name a commit: `--revision COMMIT`, `revision=` or the key of the tool for it, or serve verified local files",
        ),
        (
            Setting::Dataset,
            Setting::DatasetRevision,
            &rules::UNPINNED_DATASET,
            "name a commit: `revision: COMMIT`, or use verified local files",
        ),
    ] {
        let pinned = unit.all(revision).any(|f| f.value.known == Known::Elsewhere || is_commit(&f.value.text));
        if pinned {
            continue;
        }
        for fact in unit.all(of).filter(|f| f.value.known != Known::Elsewhere) {
            if let Some(repository) = hub_name(&fact.value.text) {
                let what = format!("`{}` is fetched at whatever revision is newest", show(repository));
                desk.find(rule, fact.at, what, fix);
            }
        }
    }
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && text.bytes().any(|b| b.is_ascii_digit())
}

/// `owner/name` of a hub; `None` for paths, other stores, and names that carry their commit.
fn hub_name(text: &str) -> Option<&str> {
    const FOLDERS: &[&str] = &[
        "models",
        "model",
        "data",
        "datasets",
        "dataset",
        "checkpoints",
        "ckpt",
        "output",
        "outputs",
        "weights",
        "artifacts",
        "results",
        "mnt",
        "tmp",
        "runs",
        "saves",
        "examples",
    ];
    const FILES: &[&str] = &[
        ".json",
        ".jsonl",
        ".csv",
        ".parquet",
        ".txt",
        ".arrow",
        ".gz",
        ".gguf",
        ".bin",
        ".pt",
        ".pth",
        ".safetensors",
        ".onnx",
        ".yaml",
        ".yml",
    ];
    let text = text.trim();
    let name = text.strip_prefix("hf://").or_else(|| text.strip_prefix("https://huggingface.co/")).unwrap_or(text);
    let name = name.strip_prefix("datasets/").unwrap_or(name);
    let (base, tail) = name.split_once([':', '@']).unwrap_or((name, ""));
    let (owner, rest) = base.split_once('/')?;
    let plain = |part: &str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let named = plain(owner) && plain(rest) && !FOLDERS.contains(&owner) && !FILES.iter().any(|f| rest.ends_with(f));
    (named && !is_commit(tail)).then_some(base)
}
