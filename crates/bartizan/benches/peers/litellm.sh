#!/bin/sh
# LiteLLM's proxy for `cargo xtask bench gateway --peer`. LITELLM_PYTHON is an interpreter that has `litellm[proxy]`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
config=$(mktemp)
cat >"$config" <<YAML
model_list:
  - model_name: m
    litellm_params: { model: openai/m, api_base: $UPSTREAM, api_key: none }
YAML
# On this machine only, for the length of the run.
export LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true
exec "${LITELLM_PYTHON:?}" "$here/../../tests/sdk/litellm_proxy.py" --config "$config" --port "$PORT"
