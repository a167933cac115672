//! `bartizan config import`: what it writes can be used, and nothing is dropped in silence.

use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

fn bartizan(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    let done = command.output().expect("it starts");
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}

fn imported(kind: &str, source: &str, more: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("theirs.yaml"), source).expect("it is written");
    let done = bartizan(folder.path(), &[&["config", "import", kind, "theirs.yaml"], more].concat());
    if done.0 == Some(0) {
        let args = [&["config", "import", kind, "theirs.yaml", "-o", "ours.toml"], more].concat();
        assert_eq!(bartizan(folder.path(), &args).0, Some(0));
        let (code, said) = bartizan(folder.path(), &["config", "check", "--config", "ours.toml"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(bartizan(folder.path(), &args).0, Some(2), "a file that is there is kept");
    }
    done
}

const LITELLM: &str = "\
model_list:
  - model_name: gpt-4o-mini
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: os.environ/OPENAI_API_KEY
  - model_name: gpt-4o
    litellm_params:
      model: gpt-4o
      api_key: os.environ/OPENAI_API_KEY
  - model_name: claude-sonnet-4-5
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: os.environ/ANTHROPIC_API_KEY
  - model_name: local
    litellm_params:
      model: hosted_vllm/local
      api_base: http://127.0.0.1:8000/v1
guardrails:
  - guardrail_name: pii
    litellm_params:
      guardrail: presidio
      mode: [pre_call, post_call]
      default_on: true
      pii_entities_config:
        CREDIT_CARD: BLOCK
        EMAIL_ADDRESS: MASK
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
litellm_settings:
  request_timeout: 30
  callbacks: [detect_prompt_injection]
";

#[test]
fn litellm_models_keys_and_guards_are_carried_over() {
    let (code, said) = imported("litellm", LITELLM, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_snapshot!(said, @r#"
    # Imported from theirs.yaml.
    # `claude-sonnet-4-5` answers Anthropic's API only: requests are not translated.

    [[client]]
    key = "env:LITELLM_MASTER_KEY"
    name = "litellm-master-key"

    [[policy.rows]]
    from = ["user", "tool", "document", "model"]
    rule = "pii/credit-card"
    verdict = "deny"

    [[policy.rows]]
    from = ["user", "tool", "document", "model"]
    rule = "pii/email"
    verdict = "redact"

    [timeouts]
    first_byte_ms = 30000

    [[upstream]]
    dialects = ["openai"]
    key = "env:OPENAI_API_KEY"
    models = ["gpt-4o-mini", "gpt-4o"]
    name = "openai"
    url = "https://api.openai.com/v1"

    [[upstream]]
    dialects = ["anthropic"]
    key = "env:ANTHROPIC_API_KEY"
    models = ["claude-sonnet-4-5"]
    name = "anthropic"
    url = "https://api.anthropic.com"

    [[upstream]]
    dialects = ["openai"]
    models = ["local"]
    name = "hosted_vllm"
    url = "http://127.0.0.1:8000/v1"
    "#);
}

#[test]
fn litellm_keys_without_an_equal_are_listed_with_their_lines() {
    let secret = "sk-written-out-in-the-file";
    let source = format!(
        "\
model_list:
  - model_name: fast
    litellm_params:
      model: openai/gpt-4o-mini
      api_key: {secret}
      rpm: 60
  - model_name: azure-gpt
    litellm_params:
      model: azure/gpt-4o
guardrails:
  - guardrail_name: vendor
    litellm_params:
      guardrail: lakera_v2
      mode: logging_only
router_settings:
  num_retries: 2
litellm_settings:
  drop_params: true
"
    );
    let (code, said) = imported("litellm", &source, &[]);
    assert_eq!(code, Some(2));
    assert!(!said.contains(secret), "{said}");
    assert_snapshot!(said, @r#"
    error: `theirs.yaml` sets keys that cannot be carried over
      line 2: `model_list.model_name`: the model's name is passed on as it came, so that another name cannot stand for it
      line 5: `model_list.litellm_params.api_key`: a secret has to be a reference: put it into a variable and write `os.environ/NAME`
      line 6: `model_list.litellm_params.rpm`: has no equal here
      line 9: `model_list.litellm_params.model`: this provider speaks a protocol that is not passed on here
      line 13: `guardrails.litellm_params.guardrail`: another product's judgement has no equal here; the rules of this guard are on without it
      line 14: `guardrails.litellm_params.mode`: this mode has no equal here; `mode = "monitor"` records only, for everything
      line 16: `router_settings.num_retries`: has no equal here
      line 18: `litellm_settings.drop_params`: has no equal here
    help: take the key out, or leave it behind knowingly with `--skip KEY` (repeatable)
    "#);
    let skip =
        ["--skip", "model_list", "--skip", "guardrails", "--skip", "router_settings", "--skip", "litellm_settings"];
    let (code, said) = imported("litellm", &source, &skip);
    assert_eq!(code, Some(0), "{said}");
    assert_snapshot!(said, @r#"
    # Imported from theirs.yaml.
    # Left behind: model_list
    # Left behind: guardrails
    # Left behind: router_settings
    # Left behind: litellm_settings
    "#);
}

#[test]
fn llm_guard_scanners_become_rows() {
    let source = "\
app:
  name: ${APP_NAME:LLM Guard API}
auth:
  type: http_bearer
  token: ${AUTH_TOKEN:}
rate_limit:
  enabled: ${RATE_LIMIT_ENABLED:false}
  limit: 100/minute
metrics:
  exporter: ${METRICS_TYPE:prometheus}
input_scanners:
  - type: Anonymize
    params:
      use_faker: false
      entity_types: [EMAIL_ADDRESS, CREDIT_CARD]
  - type: PromptInjection
    params: {match_type: full}
  - type: InvisibleText
  - type: Secrets
    params:
      redact_mode: all
  - type: Toxicity
    params:
      threshold: 0.5
output_scanners:
  - type: Sensitive
    params: {redact: true}
  - type: NoRefusal
";
    let (code, said) = imported("llm-guard", source, &[]);
    assert_eq!(code, Some(2));
    assert_snapshot!(said, @r#"
    error: `theirs.yaml` sets keys that cannot be carried over
      line 2: `app.name`: has no equal here
      line 22: `input_scanners.Toxicity`: this scanner has no equal here
      line 28: `output_scanners.NoRefusal`: this scanner has no equal here
    help: take the key out, or leave it behind knowingly with `--skip KEY` (repeatable)
    "#);
    let skip = ["--skip", "app", "--skip", "input_scanners.Toxicity", "--skip", "output_scanners.NoRefusal"];
    let (code, said) = imported("llm-guard", source, &skip);
    assert_eq!(code, Some(0), "{said}");
    assert_snapshot!(said, @r#"
    # Imported from theirs.yaml.
    # Rules for which LLM Guard has no scanner are on too; `rules.disabled` turns rules off.
    # Left behind: app
    # Left behind: input_scanners.Toxicity
    # Left behind: output_scanners.NoRefusal

    [check_api]
    standalone = true

    [[client]]
    key = "env:AUTH_TOKEN"
    name = "llm-guard"

    [[policy.rows]]
    from = ["user"]
    rule = "pii/email"
    verdict = "redact"

    [[policy.rows]]
    from = ["user"]
    rule = "pii/credit-card"
    verdict = "redact"

    [[policy.rows]]
    from = ["user"]
    rule = "pii/*"
    verdict = "allow"
    "#);
}

#[test]
fn what_is_no_yaml_is_an_error_that_shows_nothing_of_it() {
    for broken in ["a: [", "general_settings:\n  master_key: sk-secret\n  master_key: sk-other\n", "- 1\n"] {
        let (code, said) = imported("litellm", broken, &[]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("line ") && !said.contains("sk-"), "{said}");
    }
}
