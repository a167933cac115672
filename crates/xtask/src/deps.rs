//! The layers: which crate may use which, and what must never be linked.

use crate::{Result, repo};

/// Every crate of the workspace and its layer. A crate may use crates of lower layers only, never of its own.
const LAYERS: &[(u8, &[&str])] = &[
    (1, &["core", "lexicon", "stats"]),
    (
        2,
        &[
            "engine",
            "rules",
            "classifier",
            "policy",
            "wire",
            "artifact",
            "document",
            "mcp",
            "posture",
            "protected",
            "store",
            "sign",
            "access",
            "abuse",
            "transform",
        ],
    ),
    (3, &["guard", "client", "sinks", "report"]),
    (4, &["gateway", "scan", "data", "redteam", "privacy"]),
    (5, &["bartizan", "xtask"]),
];

/// Crates that read hostile input: no I/O, no panics, no unsafe code.
const PURE: &[&str] = &[
    "core",
    "engine",
    "rules",
    "classifier",
    "policy",
    "wire",
    "artifact",
    "document",
    "mcp",
    "posture",
    "protected",
    "report",
    "abuse",
];

/// What a pure crate must not be able to reach.
const IO: &[&str] = &["tokio", "mio", "async-std", "hyper", "axum", "sqlx", "reqwest", "rusqlite", "socket2"];

/// What nothing may link: one TLS library, and no unmaintained YAML parser.
const BANNED: &[&str] = &["ring", "openssl-sys", "native-tls", "serde_yaml"];

/// What a pure crate denies outside its tests.
const WALL: &[&str] =
    &["unwrap_used", "expect_used", "panic", "indexing_slicing", "string_slice", "todo", "unreachable"];

/// Where a name becomes a tenant: a caller is authenticated, an operator names it, or a store reads back what was one.
/// Anywhere else a name of a request could be taken for an identity. Files, or folders with `/` at the end.
const TENANT_MAKERS: &[&str] =
    &["core/src/tenant.rs", "access/src/jwt.rs", "store/src/", "gateway/src/admin/access.rs", "bartizan/src/"];

/// Checks everything and lists every fault.
pub(crate) fn check() -> Result {
    let mut faults = edge_faults(&edges(&tree(&["--depth", "1", "--prefix", "depth", "-e", "normal,build"])?), false);
    faults.extend(edge_faults(&edges(&tree(&["--depth", "1", "--prefix", "depth", "-e", "dev"])?), true));
    for name in packages(&tree(&["--prefix", "none", "-e", "normal,build,dev"])?) {
        if BANNED.contains(&name.as_str()) {
            faults.push(format!(
                "`{name}` is banned; `cargo tree --workspace --all-features -i {name}` shows who brings it"
            ));
        }
    }
    for short in PURE.iter().filter(|c| repo::root().join("crates").join(c).exists()) {
        let crate_name = format!("bartizan-{short}");
        let args =
            ["tree", "--package", &crate_name, "--all-features", "--prefix", "none", "-e", "normal", "--format", "{p}"];
        for name in packages(&repo::output(&mut repo::cargo(&args))?) {
            if IO.contains(&name.as_str()) {
                faults.push(format!("`{crate_name}` reads hostile input and must not depend on `{name}`"));
            }
        }
        let path = repo::root().join("crates").join(short).join("src/lib.rs");
        let source = std::fs::read_to_string(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
        faults.extend(missing_wall(&source).into_iter().map(|what| format!("`{}` lacks {what}", path.display())));
    }
    tenant_faults(&repo::root().join("crates"), &mut faults)?;
    if faults.is_empty() { Ok(()) } else { Err(format!("dependency rules are broken\n  {}", faults.join("\n  "))) }
}

/// Every source file below `folder`, read.
fn tenant_faults(folder: &std::path::Path, faults: &mut Vec<String>) -> Result {
    let failed = |e: std::io::Error| format!("cannot read `{}`: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "tests") {
                tenant_faults(&path, faults)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = std::fs::read_to_string(&path).map_err(failed)?;
            if makes_tenants(&path.to_string_lossy().replace('\\', "/"), &source) {
                faults.push(format!("`{}` makes a tenant of a name; see TENANT_MAKERS", path.display()));
            }
        }
    }
    Ok(())
}

/// True where a file that may not makes tenants outside its tests.
fn makes_tenants(path: &str, source: &str) -> bool {
    let live = source.split("#[cfg(test)]").next().unwrap_or_default();
    let below = path.rsplit_once("crates/").map_or(path, |(_, below)| below);
    let allowed = TENANT_MAKERS.iter().any(|maker| below.starts_with(maker));
    !allowed && !path.ends_with("/tests.rs") && live.contains(concat!("TenantId::", "authenticated"))
}

fn tree(args: &[&str]) -> Result<String> {
    let mut all = vec!["tree", "--workspace", "--all-features", "--format", "{p}"];
    all.extend(args);
    repo::output(&mut repo::cargo(&all))
}

/// Names in `name v1.2.3 (…)` lines.
fn packages(tree: &str) -> Vec<String> {
    let mut names: Vec<String> = tree.lines().filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// `(from, to)` of a tree of depth one whose lines begin with their depth.
fn edges(tree: &str) -> Vec<(String, String)> {
    let mut from = String::new();
    let mut found = Vec::new();
    for line in tree.lines() {
        let word = line.split_whitespace().next().unwrap_or("");
        if let Some(name) = word.strip_prefix('0') {
            name.clone_into(&mut from);
        } else if let Some(name) = word.strip_prefix('1') {
            found.push((from.clone(), name.to_owned()));
        }
    }
    found
}

fn layer(package: &str) -> Option<u8> {
    let short = package.strip_prefix("bartizan-").unwrap_or(package);
    LAYERS.iter().find(|(_, crates)| crates.contains(&short)).map(|(layer, _)| *layer)
}

/// Tests may also use crates of their own layer: a rule's test runs the engine.
fn edge_faults(edges: &[(String, String)], dev: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (from, to) in edges {
        let Some(above) = layer(from) else {
            faults.push(format!("`{from}` is not in the layer table of crates/xtask/src/deps.rs"));
            continue;
        };
        if from == "xtask" {
            faults.push(format!("`xtask` uses the standard library only, not `{to}`"));
        }
        match layer(to) {
            Some(below) if below > above || (below == above && !dev) => {
                faults.push(format!("`{from}` (layer {above}) must not use `{to}` (layer {below})"));
            }
            None if to.starts_with("bartizan") => faults.push(format!("`{to}` is not in the layer table")),
            _ => {}
        }
    }
    faults
}

/// What of the lint wall is not in a crate's root.
fn missing_wall(source: &str) -> Vec<String> {
    let squeezed: String = source.chars().filter(|c| !c.is_whitespace()).collect();
    let mut missing = Vec::new();
    if !squeezed.contains("#![forbid(unsafe_code)]") {
        missing.push("`#![forbid(unsafe_code)]`".to_owned());
    }
    let denied = squeezed
        .split_once("#![cfg_attr(not(test),deny(")
        .and_then(|(_, rest)| rest.split_once("))]"))
        .map_or("", |(denied, _)| denied);
    let denied: Vec<&str> = denied.split(',').collect();
    missing.extend(
        WALL.iter()
            .filter(|lint| !denied.contains(&format!("clippy::{lint}").as_str()))
            .map(|lint| format!("`deny(clippy::{lint})` outside tests")),
    );
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(tree: &str, dev: bool) -> Vec<String> {
        edge_faults(&edges(tree), dev)
    }

    #[test]
    fn lower_layers_are_allowed() {
        let tree = "0bartizan-guard v0.1.0 (/x)\n1bartizan-engine v0.1.0 (/x)\n1serde v1.0.0\n\n0bartizan-gateway v0.1.0 (/x)\n1bartizan-guard v0.1.0 (/x) (*)\n";
        assert!(faults(tree, false).is_empty());
    }

    #[test]
    fn same_and_higher_layers_are_not() {
        let same = "0bartizan-rules v0.1.0 (/x)\n1bartizan-engine v0.1.0 (/x)\n";
        assert_eq!(faults(same, false).len(), 1);
        assert!(faults(same, true).is_empty());
        let higher = "0bartizan-engine v0.1.0 (/x)\n1bartizan-guard v0.1.0 (/x)\n";
        assert_eq!(faults(higher, false).len(), 1);
        assert_eq!(faults(higher, true).len(), 1);
    }

    #[test]
    fn unknown_crates_and_users_of_the_tool_are_not() {
        assert_eq!(faults("0bartizan-core v0.1.0 (/x)\n1bartizan-new v0.1.0 (/x)\n", false).len(), 1);
        assert_eq!(faults("0new v0.1.0 (/x)\n1serde v1.0.0\n", false).len(), 1);
        assert_eq!(faults("0xtask v0.1.0 (/x)\n1serde v1.0.0\n", false).len(), 1);
    }

    #[test]
    fn the_wall_is_read_whatever_its_layout() {
        let whole = format!(
            "#![forbid(unsafe_code)]\n#![cfg_attr(not(test), deny(\n    {}\n))]",
            WALL.map_join(|l| format!("clippy::{l}"))
        );
        assert!(missing_wall(&whole).is_empty());
        assert_eq!(missing_wall(&whole.replace("clippy::string_slice,", "")).len(), 1);
        assert_eq!(missing_wall(&whole.replace("forbid", "deny")).len(), 1);
        assert_eq!(missing_wall("").len(), WALL.len() + 1);
    }

    #[test]
    fn tenants_are_made_in_few_places() {
        let call = concat!("let t = TenantId::", "authenticated(name)?;");
        assert!(makes_tenants("/x/crates/gateway/src/proxy.rs", call));
        assert!(!makes_tenants("/x/crates/access/src/jwt.rs", call));
        assert!(makes_tenants("/x/crates/other/access/src/jwt.rs", call));
        assert!(!makes_tenants("/x/crates/gateway/src/proxy.rs", &format!("#[cfg(test)]\nmod tests {{ {call} }}")));
    }

    trait MapJoin {
        fn map_join(&self, f: impl Fn(&str) -> String) -> String;
    }

    impl MapJoin for [&str] {
        fn map_join(&self, f: impl Fn(&str) -> String) -> String {
            self.iter().map(|s| f(s)).collect::<Vec<_>>().join(",\n    ")
        }
    }
}
