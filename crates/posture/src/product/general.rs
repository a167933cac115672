//! What means the same for every product: libraries that all of them use.

use super::Row;
use crate::fact::Reads::{IfEmpty, IfFalse, IfOneOf, IfTrue};
use crate::fact::Setting::{Cors, Debug, Deserialise, PromptLog, RemoteCode, TlsOff};

/// Flags of model libraries. <https://huggingface.co/docs/transformers/main/en/models#custom-models>
pub(crate) const FLAGS: &[Row] = &[
    ("--trust-remote-code", RemoteCode, IfTrue),
    ("--trust-request-chat-template", RemoteCode, IfTrue),
    ("--insecure-skip-tls-verify", TlsOff, IfTrue),
    ("--no-verify-ssl", TlsOff, IfTrue),
    ("--no-check-certificate", TlsOff, IfTrue),
];

/// Variables of libraries: requests, Node.js, git, OpenSSL, transformers, torch, LangSmith, OpenTelemetry.
pub(crate) const VARIABLES: &[Row] = &[
    ("TRUST_REMOTE_CODE", RemoteCode, IfTrue),
    ("HF_TRUST_REMOTE_CODE", RemoteCode, IfTrue),
    ("HF_DATASETS_TRUST_REMOTE_CODE", RemoteCode, IfTrue),
    // https://nodejs.org/api/cli.html#node_tls_reject_unauthorizedvalue
    ("NODE_TLS_REJECT_UNAUTHORIZED", TlsOff, IfOneOf(&["0"])),
    ("PYTHONHTTPSVERIFY", TlsOff, IfOneOf(&["0"])),
    ("GIT_SSL_NO_VERIFY", TlsOff, IfTrue),
    ("CURL_CA_BUNDLE", TlsOff, IfEmpty),
    ("REQUESTS_CA_BUNDLE", TlsOff, IfEmpty),
    ("SSL_VERIFY", TlsOff, IfFalse),
    ("VERIFY_SSL", TlsOff, IfFalse),
    ("SSL_NO_VERIFY", TlsOff, IfTrue),
    ("WANDB_INSECURE_DISABLE_SSL", TlsOff, IfTrue),
    ("MLFLOW_TRACKING_INSECURE_TLS", TlsOff, IfTrue),
    ("AWS_S3_VERIFY_SSL", TlsOff, IfFalse),
    ("S3_VERIFY_SSL", TlsOff, IfOneOf(&["0", "false"])),
    // https://docs.pytorch.org/docs/stable/notes/serialization.html
    ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", Deserialise, IfTrue),
    ("FLASK_DEBUG", Debug, IfTrue),
    ("DEBUGPY", Debug, IfTrue),
    ("RAY_PDB", Debug, IfTrue),
    // https://docs.langchain.com/langsmith/env-var
    ("LANGCHAIN_TRACING_V2", PromptLog, IfTrue),
    ("LANGSMITH_TRACING", PromptLog, IfTrue),
    ("LANGSMITH_TRACING_V2", PromptLog, IfTrue),
    ("TRACELOOP_TRACE_CONTENT", PromptLog, IfTrue),
    // https://opentelemetry.io/docs/specs/semconv/gen-ai/
    (
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        PromptLog,
        IfOneOf(&["true", "1", "span_only", "event_only", "span_and_event"]),
    ),
];

/// Keys that mean one thing wherever they stand in a configuration or a call.
pub(crate) const KEYS: &[Row] = &[
    ("trust_remote_code", RemoteCode, IfTrue),
    ("trustRemoteCode", RemoteCode, IfTrue),
    ("trust_remote_code_model", RemoteCode, IfTrue),
    ("dataset_trust_remote_code", RemoteCode, IfTrue),
    ("allow_dangerous_deserialization", Deserialise, IfTrue),
    ("allow_dangerous_code", Deserialise, IfTrue),
    ("allow_dangerous_requests", Deserialise, IfTrue),
    ("weights_only", Deserialise, IfOneOf(&["false"])),
    ("allow_pickle", Deserialise, IfTrue),
    ("ssl_verify", TlsOff, IfOneOf(&["false", "0"])),
    ("verify_ssl", TlsOff, IfOneOf(&["false", "0"])),
    ("verify_certs", TlsOff, IfOneOf(&["false", "0"])),
    ("insecure_skip_verify", TlsOff, IfTrue),
    ("insecureSkipVerify", TlsOff, IfTrue),
    ("insecure-skip-tls-verify", TlsOff, IfTrue),
    ("tls_verify", TlsOff, IfOneOf(&["false", "0"])),
    ("allow_origins", Cors, IfOneOf(&["*"])),
    ("cors_allow_origins", Cors, IfOneOf(&["*"])),
];

/// Programs that download. What they print and a shell reads is run unseen.
pub(crate) const DOWNLOADERS: &[&str] = &["curl", "wget", "aria2c", "http"];
/// Programs that run what they read.
pub(crate) const RUNNERS: &[&str] =
    &["sh", "bash", "zsh", "dash", "ash", "python", "python3", "node", "perl", "ruby", "pwsh"];

/// Variables and packages that tell a deployment of models from any other.
pub(crate) const SIGNS: &[&str] = &[
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
    "HF_HOME",
    "HUGGINGFACE_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_API_BASE",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "COHERE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "LANGCHAIN_API_KEY",
    "LANGSMITH_API_KEY",
    "WANDB_API_KEY",
    "COMET_API_KEY",
    "NEPTUNE_API_TOKEN",
    "CLEARML_API_SECRET_KEY",
    "MLFLOW_TRACKING_URI",
    "NGC_API_KEY",
    "NVIDIA_VISIBLE_DEVICES",
    "CUDA_VISIBLE_DEVICES",
];

/// Python packages with the same meaning.
pub(crate) const PACKAGES: &[&str] = &[
    "vllm",
    "torch",
    "transformers",
    "sglang",
    "llama-cpp-python",
    "langchain",
    "langserve",
    "gradio",
    "streamlit",
    "mlflow",
    "jupyterlab",
    "notebook",
    "ray",
    "axolotl",
    "trl",
    "accelerate",
    "deepspeed",
    "litellm",
    "chromadb",
    "open-webui",
    "peft",
    "sentence-transformers",
    "datasets",
    "text-generation",
    "bitsandbytes",
    "huggingface_hub",
    "huggingface-hub",
    "openai",
];
