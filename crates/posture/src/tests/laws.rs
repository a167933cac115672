//! Any bytes under any name: no panic, and time that grows with them only.

use bartizan_core::Family;
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "compose.yaml",
    "k8s.yml",
    "config.json",
    "a.toml",
    ".env",
    "Dockerfile",
    "run.sh",
    "x.service",
    "x.container",
    "config.properties",
    "redis.conf",
    "app.py",
    "mcp.json",
    "config.toml",
    "SKILL.md",
    "AGENTS.md",
    "unknown",
];

/// Pieces that parsers and readers care about.
const PIECES: &[&str] = &[
    "services:\n",
    "  llm:\n",
    "    image: vllm/vllm-openai",
    "command: ",
    "- ",
    "&a ",
    "*a",
    "<<: *a",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "${",
    "$(",
    ":-",
    "\\\n",
    "\n",
    " ",
    "--api-key",
    "sh -c ",
    "curl x | sh",
    "FROM ",
    "ENV A=",
    "RUN ",
    "<<EOF\n",
    "#",
    "/*",
    "=",
    ":",
    "trust_remote_code",
    "True",
    "\"\"\"",
    "f\"{x}\"",
    "(",
    ")",
    ",",
    "apiVersion: v1\nkind: Pod\n",
    "kind: ConfigMap\ndata:\n a.yaml: |\n  ",
    "run: ",
    "A=(",
    "mcpServers",
    "é",
    "\u{200b}",
    "\0",
    "---\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), name in 0..NAMES.len()) {
        for family in [Family::Infra, Family::Mcp] {
            let _ = crate::examine(family, NAMES[name], &bytes);
        }
    }

    #[test]
    fn no_syntax_panics(pieces in proptest::collection::vec(0..PIECES.len(), 0..80), name in 0..NAMES.len()) {
        let text: String = pieces.iter().map(|at| PIECES[*at]).collect();
        for family in [Family::Infra, Family::Mcp] {
            let report = crate::examine(family, NAMES[name], text.as_bytes());
            for found in &report.found {
                let span = found.finding.span();
                prop_assert!(text.get(span.start..span.end).is_some(), "{found:?}");
            }
        }
    }
}

/// What makes parsers slow where they are not linear. Sizes at which a square would take minutes.
#[test]
fn repeated_openings_are_cheap() {
    let size = 1 << 18;
    for piece in [
        "[",
        "{\"a\":",
        "${A:-",
        "$(",
        "'",
        "\"",
        "\\\n",
        "- ",
        "a: &a ",
        "<<E\n",
        "sh -c 'sh -c ",
        "f(",
        "a=",
        "/*",
        "x;",
        "[s]\nExecStart=vllm serve\n",
        "RUN \\\n",
        "- *a\n",
    ] {
        let text: String = std::iter::repeat_n(piece, size / piece.len()).collect();
        for name in NAMES {
            for family in [Family::Infra, Family::Mcp] {
                let _ = crate::examine(family, name, text.as_bytes());
            }
        }
    }
}
