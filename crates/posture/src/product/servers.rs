//! Servers of models.

use super::{Auth, PLAIN, Product};
use crate::fact::Reads::{IfFalse, IfOneOf, IfTrue, Text};
use crate::fact::Setting::{
    AuthOff, AuthOn, Bind, ConfigFile, Cors, Debug, Deserialise, FileAccess, Key, Management, Model, PromptLog,
    RemoteCode, Revision, Secret, Share, Tls, TlsOff,
};

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "vLLM",
        doc: "https://docs.vllm.ai/en/latest/usage/security.html",
        images: &[
            "vllm/vllm-openai",
            "vllm-openai",
            "vllm",
            "vllm-openai-rocm",
            "vllm-cpu",
            "rocm/vllm",
            "vllm/vllm-openai-cpu",
        ],
        commands: &[
            &["vllm", "serve"],
            &["-m", "vllm.entrypoints.openai.api_server"],
            &["-m", "vllm.entrypoints.api_server"],
            &["-m", "vllm.entrypoints.cli.main", "serve"],
        ],
        close: "`--api-key` from a secret and `--host 127.0.0.1` behind a proxy",
        flags: &[
            ("--host", Bind, Text),
            // A socket of the file system is of this machine alone.
            ("--uds", Bind, Text),
            ("--api-key", Key, Text),
            ("--model", Model, Text),
            ("--revision", Revision, Text),
            ("--allowed-origins", Cors, Text),
            ("--ssl-certfile", Tls, Text),
            ("--ssl-keyfile", Tls, Text),
            ("--allowed-local-media-path", FileAccess, IfOneOf(&["/", "/root", "/home", "/etc"])),
            ("--enable-log-requests", PromptLog, IfTrue),
            ("--enable-log-outputs", PromptLog, IfTrue),
            ("--config", ConfigFile, Text),
            ("--hf-token", Secret, Text),
        ],
        variables: &[
            ("VLLM_API_KEY", Key, Text),
            ("VLLM_SERVER_DEV_MODE", Debug, IfTrue),
            ("VLLM_LOGGING_LEVEL", Debug, IfOneOf(&["debug"])),
            ("VLLM_DEBUG_LOG_API_SERVER_RESPONSE", PromptLog, IfTrue),
            ("VLLM_ALLOW_RUNTIME_LORA_UPDATING", Management, IfTrue),
            ("VLLM_ALLOW_INSECURE_SERIALIZATION", Deserialise, IfTrue),
        ],
        // https://docs.vllm.ai/en/latest/configuration/serve_args.html: flags without their dashes.
        shape: &[
            &["model", "tensor-parallel-size"],
            &["model", "max-model-len"],
            &["model", "gpu-memory-utilization"],
            &["model", "served-model-name"],
            &["model", "trust-remote-code"],
            &["model", "allowed-origins"],
            &["model", "api-key"],
        ],
        ..PLAIN
    },
    Product {
        name: "SGLang",
        doc: "https://docs.sglang.ai/advanced_features/server_arguments.html",
        images: &["lmsysorg/sglang", "sglang"],
        commands: &[&["-m", "sglang.launch_server"], &["sglang", "serve"]],
        open: false,
        close: "`--api-key` and `--admin-api-key` from secrets, and `--host 127.0.0.1` behind a proxy",
        flags: &[
            ("--host", Bind, Text),
            ("--api-key", Key, Text),
            ("--model-path", Model, Text),
            ("--model", Model, Text),
            ("--revision", Revision, Text),
            ("--log-requests", PromptLog, IfTrue),
            ("--ssl-certfile", Tls, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "Ollama",
        doc: "https://docs.ollama.com/faq",
        images: &["ollama/ollama", "ollama"],
        commands: &[&["ollama", "serve"]],
        auth: Auth::Never,
        open: false,
        close: "a bind to 127.0.0.1 or a private network, and a gateway that authenticates in front of it",
        variables: &[
            ("OLLAMA_HOST", Bind, Text),
            ("OLLAMA_ORIGINS", Cors, Text),
            ("OLLAMA_DEBUG", Debug, IfOneOf(&["1", "2", "true"])),
        ],
        ..PLAIN
    },
    Product {
        name: "llama.cpp",
        doc: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        images: &["ggml-org/llama.cpp", "ggerganov/llama.cpp", "llama.cpp"],
        commands: &[&["llama-server"], &["llama-cpp-server"], &["-m", "llama_cpp.server"], &["/app/llama-server"]],
        open: false,
        close: "`--api-key-file`, and `--host 127.0.0.1` behind a proxy",
        flags: &[
            ("--host", Bind, Text),
            ("--api-key", Key, Text),
            ("--api-key-file", AuthOn, Text),
            ("--hf-repo", Model, Text),
            ("-hf", Model, Text),
            ("-hfr", Model, Text),
            ("--props", Management, IfTrue),
            ("--slots", Debug, IfTrue),
            ("--ssl-cert-file", Tls, Text),
            ("--hf-token", Secret, Text),
            ("--tools", Management, IfOneOf(&["all"])),
        ],
        variables: &[
            ("LLAMA_API_KEY", Key, Text),
            ("LLAMA_ARG_HOST", Bind, Text),
            ("LLAMA_ARG_HF_REPO", Model, Text),
            ("LLAMA_ARG_ENDPOINT_PROPS", Management, IfTrue),
            ("LLAMA_ARG_ENDPOINT_SLOTS", Debug, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "llama.cpp RPC",
        doc: "https://github.com/ggml-org/llama.cpp/blob/master/tools/rpc/README.md",
        commands: &[&["rpc-server"], &["llama-rpc-server"], &["ggml-rpc-server"]],
        auth: Auth::Never,
        open: false,
        close: "`--host 127.0.0.1` or a private network of its own: the protocol is neither authenticated nor safe",
        flags: &[("--host", Bind, Text), ("-H", Bind, Text)],
        ..PLAIN
    },
    Product {
        name: "Text Generation Inference",
        doc: "https://huggingface.co/docs/text-generation-inference/reference/launcher",
        images: &["huggingface/text-generation-inference", "text-generation-inference"],
        commands: &[&["text-generation-launcher"], &["text-generation-router"]],
        close: "`--api-key` (`API_KEY`) from a secret, and a private network",
        flags: &[
            ("--hostname", Bind, Text),
            ("--api-key", Key, Text),
            ("--model-id", Model, Text),
            ("--revision", Revision, Text),
            ("--cors-allow-origin", Cors, Text),
        ],
        variables: &[
            ("API_KEY", Key, Text),
            ("MODEL_ID", Model, Text),
            ("REVISION", Revision, Text),
            ("CORS_ALLOW_ORIGIN", Cors, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "Text Embeddings Inference",
        doc: "https://huggingface.co/docs/text-embeddings-inference/cli_arguments",
        images: &["huggingface/text-embeddings-inference", "text-embeddings-inference"],
        commands: &[&["text-embeddings-router"]],
        close: "`--api-key` (`API_KEY`) from a secret, and a private network",
        flags: &[
            ("--hostname", Bind, Text),
            ("--api-key", Key, Text),
            ("--model-id", Model, Text),
            ("--revision", Revision, Text),
            ("--cors-allow-origin", Cors, Text),
            ("--hf-token", Secret, Text),
        ],
        variables: &[("API_KEY", Key, Text), ("MODEL_ID", Model, Text), ("REVISION", Revision, Text)],
        ..PLAIN
    },
    Product {
        name: "Triton Inference Server",
        doc: "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/customization_guide/deploy.html",
        images: &["nvidia/tritonserver", "tritonserver"],
        commands: &[&["tritonserver"]],
        auth: Auth::Never,
        close: "`--http-restricted-api` and `--grpc-restricted-protocol` for what is not inference, and a gateway in front",
        flags: &[
            ("--http-address", Bind, Text),
            ("--grpc-address", Bind, Text),
            ("--http-restricted-api", AuthOn, Text),
            ("--grpc-restricted-protocol", AuthOn, Text),
            ("--grpc-use-ssl", Tls, IfTrue),
            ("--model-control-mode", Management, IfOneOf(&["explicit"])),
        ],
        ..PLAIN
    },
    Product {
        name: "TorchServe",
        doc: "https://docs.pytorch.org/serve/token_authorization_api.html",
        images: &["pytorch/torchserve", "torchserve"],
        commands: &[&["torchserve"]],
        auth: Auth::Default,
        open: false,
        close: "token authorization left on, and addresses of 127.0.0.1",
        flags: &[("--disable-token-auth", AuthOff, IfTrue), ("--enable-model-api", Management, IfTrue)],
        variables: &[
            ("TS_DISABLE_TOKEN_AUTHORIZATION", AuthOff, IfTrue),
            ("TS_ENABLE_MODEL_API", Management, IfTrue),
            ("TS_INFERENCE_ADDRESS", Bind, Text),
            ("TS_MANAGEMENT_ADDRESS", Bind, Text),
        ],
        keys: &[
            ("inference_address", Bind, Text),
            ("management_address", Bind, Text),
            ("metrics_address", Bind, Text),
            ("disable_token_authorization", AuthOff, IfTrue),
            ("enable_model_api", Management, IfTrue),
            ("cors_allowed_origin", Cors, Text),
            ("certificate_file", Tls, Text),
            ("keystore", Tls, Text),
            ("allowed_urls", FileAccess, IfOneOf(&["file://.*|http(s)?://.*", ".*"])),
        ],
        shape: &[&["inference_address"], &["management_address"], &["model_store", "load_models"]],
        ..PLAIN
    },
    Product {
        name: "Ray",
        doc: "https://docs.ray.io/en/latest/ray-security/index.html",
        images: &["rayproject/ray", "rayproject/ray-ml", "rayproject/ray-llm"],
        commands: &[&["ray", "start"]],
        open: false,
        close: "`RAY_AUTH_MODE=token`, and a dashboard on 127.0.0.1",
        flags: &[("--dashboard-host", Bind, Text), ("--ray-debugger-external", Debug, IfTrue)],
        variables: &[("RAY_AUTH_MODE", AuthOn, IfOneOf(&["token", "k8s"])), ("RAY_DASHBOARD_HOST", Bind, Text)],
        ..PLAIN
    },
    Product {
        name: "LMDeploy",
        doc: "https://lmdeploy.readthedocs.io/en/latest/llm/api_server.html",
        images: &["openmmlab/lmdeploy"],
        commands: &[&["lmdeploy", "serve", "api_server"]],
        close: "`--api-keys` from a secret and `--server-name 127.0.0.1`",
        flags: &[
            ("--server-name", Bind, Text),
            ("--api-keys", Key, Text),
            ("--ssl", Tls, IfTrue),
            ("--allow-origins", Cors, Text),
            ("--revision", Revision, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "LocalAI",
        doc: "https://localai.io/advanced/",
        images: &["localai/localai", "go-skynet/local-ai", "mudler/localai"],
        commands: &[&["local-ai", "run"], &["local-ai"]],
        close: "`LOCALAI_API_KEY` from a secret",
        flags: &[("--api-keys", Key, Text), ("--address", Bind, Text), ("--cors-allow-origins", Cors, Text)],
        variables: &[
            ("LOCALAI_API_KEY", Key, Text),
            ("API_KEY", Key, Text),
            ("LOCALAI_ADDRESS", Bind, Text),
            ("LOCALAI_CORS_ALLOW_ORIGINS", Cors, Text),
            ("CORS_ALLOW_ORIGINS", Cors, Text),
            ("DEBUG", Debug, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "text-generation-webui",
        doc: "https://github.com/oobabooga/text-generation-webui/blob/main/README.md",
        images: &["text-generation-webui"],
        commands: &[],
        open: false,
        close: "`--gradio-auth-path` and `--api-key` from files, without `--listen`",
        flags: &[
            ("--listen", Bind, IfTrue),
            ("--listen-host", Bind, Text),
            ("--gradio-auth", Key, Text),
            ("--gradio-auth-path", AuthOn, Text),
            ("--api-key", Key, Text),
            ("--share", Share, IfTrue),
            ("--public-api", Share, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "Xinference",
        doc: "https://inference.readthedocs.io/en/latest/user_guide/auth_system.html",
        images: &["xprobe/xinference"],
        commands: &[&["xinference-local"], &["xinference-supervisor"]],
        open: false,
        close: "`--auth-config FILE` and a bind to 127.0.0.1",
        flags: &[("--host", Bind, Text), ("-H", Bind, Text), ("--auth-config", AuthOn, Text)],
        ..PLAIN
    },
    Product {
        name: "KServe runtime",
        doc: "https://kserve.github.io/website/docs/model-serving/generative-inference/overview",
        images: &["kserve/huggingfaceserver", "kserve/sklearnserver", "kserve/custom-model"],
        commands: &[&["-m", "huggingfaceserver"]],
        auth: Auth::NoServer,
        flags: &[
            ("--model_id", Model, Text),
            ("--model_revision", Revision, Text),
            ("--trust_remote_code", RemoteCode, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "NVIDIA NIM",
        doc: "https://docs.nvidia.com/nim/large-language-models/latest/configuration.html",
        images: &["nvcr.io/nim/"],
        auth: Auth::Never,
        close: "a private network and a gateway that authenticates",
        variables: &[
            ("NGC_API_KEY", Secret, Text),
            ("SSL_VERIFY", TlsOff, IfFalse),
            ("NIM_SSL_MODE", Tls, IfOneOf(&["tls", "mtls"])),
        ],
        ..PLAIN
    },
];
