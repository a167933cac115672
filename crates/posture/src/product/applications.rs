//! Gateways, front ends, notebooks and trackers.

use super::{Auth, PLAIN, Product};
use crate::fact::Reads::{IfEmpty, IfFalse, IfOneOf, IfTrue, Text};
use crate::fact::Setting::{
    AuthOff, AuthOn, Bind, ConfigFile, Cors, Debug, Deserialise, FileAccess, Key, PromptLog, PromptLogOff, RemoteCode, Secret,
    Share, Tls, TlsOff,
};

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        name: "LiteLLM",
        doc: "https://docs.litellm.ai/docs/proxy/config_settings",
        images: &["berriai/litellm", "litellm/litellm", "berriai/litellm-database", "litellm-database"],
        commands: &[&["litellm"]],
        close: "`general_settings.master_key: os.environ/LITELLM_MASTER_KEY`",
        flags: &[
            ("--host", Bind, Text),
            ("--detailed_debug", Debug, IfTrue),
            ("--debug", Debug, IfTrue),
            ("--config", ConfigFile, Text),
            ("-c", ConfigFile, Text),
            ("--ssl_certfile_path", Tls, Text),
        ],
        variables: &[
            ("LITELLM_MASTER_KEY", Key, Text),
            ("LITELLM_LOG", Debug, IfOneOf(&["debug"])),
            ("DETAILED_DEBUG", Debug, IfTrue),
            ("LITELLM_SALT_KEY", Secret, Text),
            ("UI_PASSWORD", Secret, Text),
        ],
        keys: &[
            ("general_settings.master_key", Key, Text),
            ("general_settings.enable_jwt_auth", AuthOn, IfTrue),
            ("general_settings.custom_auth", AuthOn, Text),
            ("litellm_settings.set_verbose", Debug, IfTrue),
            ("litellm_settings.ssl_verify", TlsOff, IfOneOf(&["false"])),
            ("litellm_settings.success_callback", PromptLog, IfOneOf(CALLBACKS)),
            ("litellm_settings.callbacks", PromptLog, IfOneOf(CALLBACKS)),
            ("litellm_settings.turn_off_message_logging", PromptLogOff, IfTrue),
            ("general_settings.store_prompts_in_spend_logs", PromptLog, IfTrue),
        ],
        shape: &[&["model_list"], &["litellm_settings"]],
        ..PLAIN
    },
    Product {
        name: "Open WebUI",
        doc: "https://docs.openwebui.com/getting-started/env-configuration",
        images: &["open-webui/open-webui", "open-webui"],
        commands: &[&["open-webui", "serve"]],
        auth: Auth::Default,
        close: "`WEBUI_AUTH` left on",
        variables: &[
            ("WEBUI_AUTH", AuthOff, IfFalse),
            ("WEBUI_SECRET_KEY", Key, Text),
            ("DEFAULT_USER_ROLE", AuthOff, IfOneOf(&["admin"])),
            ("CORS_ALLOW_ORIGIN", Cors, Text),
            ("GLOBAL_LOG_LEVEL", Debug, IfOneOf(&["debug"])),
            ("AIOHTTP_CLIENT_SESSION_SSL", TlsOff, IfFalse),
            ("ENABLE_RAG_WEB_LOADER_SSL_VERIFICATION", TlsOff, IfFalse),
            ("ENABLE_WEB_LOADER_SSL_VERIFICATION", TlsOff, IfFalse),
            ("RAG_EMBEDDING_MODEL_TRUST_REMOTE_CODE", RemoteCode, IfTrue),
            ("RAG_RERANKING_MODEL_TRUST_REMOTE_CODE", RemoteCode, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "Jupyter",
        doc: "https://jupyter-server.readthedocs.io/en/latest/operators/security.html",
        images: &[
            "jupyter/base-notebook", "jupyter/minimal-notebook", "jupyter/scipy-notebook", "jupyter/datascience-notebook",
            "jupyter/tensorflow-notebook", "jupyter/pytorch-notebook", "jupyter/pyspark-notebook", "jupyter/all-spark-notebook",
        ],
        commands: &[
            &["jupyter", "lab"], &["jupyter", "notebook"], &["jupyter", "server"], &["jupyter-lab"], &["jupyter-notebook"],
            &["jupyter-server"], &["start-notebook.sh"], &["start-notebook.py"],
        ],
        auth: Auth::Default,
        open: false,
        close: "the token left on, and a bind to 127.0.0.1",
        flags: &[
            ("--ip", Bind, Text),
            ("--NotebookApp.ip", Bind, Text),
            ("--ServerApp.ip", Bind, Text),
            ("--NotebookApp.token", AuthOff, IfEmpty),
            ("--ServerApp.token", AuthOff, IfEmpty),
            ("--IdentityProvider.token", AuthOff, IfEmpty),
            ("--NotebookApp.token", Key, Text),
            ("--ServerApp.password", AuthOff, IfEmpty),
            ("--NotebookApp.password", AuthOff, IfEmpty),
            ("--ServerApp.allow_origin", Cors, Text),
            ("--NotebookApp.allow_origin", Cors, Text),
            ("--ServerApp.disable_check_xsrf", AuthOff, IfTrue),
            ("--NotebookApp.disable_check_xsrf", AuthOff, IfTrue),
            ("--ServerApp.allow_unauthenticated_access", AuthOff, IfTrue),
            ("--certfile", Tls, Text),
            ("--ServerApp.certfile", Tls, Text),
        ],
        variables: &[("JUPYTER_TOKEN", Key, Text)],
        keys: &[
            ("c.NotebookApp.token", AuthOff, IfEmpty),
            ("c.ServerApp.token", AuthOff, IfEmpty),
            ("c.IdentityProvider.token", AuthOff, IfEmpty),
            ("c.NotebookApp.password", AuthOff, IfEmpty),
            ("c.ServerApp.password", AuthOff, IfEmpty),
            ("c.NotebookApp.ip", Bind, Text),
            ("c.ServerApp.ip", Bind, Text),
            ("c.ServerApp.allow_origin", Cors, Text),
            ("c.NotebookApp.allow_origin", Cors, Text),
            ("c.ServerApp.disable_check_xsrf", AuthOff, IfTrue),
            ("c.NotebookApp.disable_check_xsrf", AuthOff, IfTrue),
            ("c.ServerApp.certfile", Tls, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "MLflow",
        doc: "https://mlflow.org/docs/latest/self-hosting/security/network/",
        images: &["mlflow/mlflow", "mlflow", "bitnami/mlflow"],
        commands: &[&["mlflow", "server"], &["mlflow", "ui"], &["mlflow", "models", "serve"]],
        open: false,
        close: "`--app-name basic-auth`, and a bind to 127.0.0.1 behind a proxy with TLS",
        flags: &[
            ("--host", Bind, Text),
            ("-h", Bind, Text),
            ("--app-name", AuthOn, IfOneOf(&["basic-auth"])),
            ("--cors-allowed-origins", Cors, Text),
            ("--allowed-hosts", Cors, Text),
            ("--disable-security-middleware", AuthOff, IfTrue),
        ],
        variables: &[
            ("MLFLOW_HOST", Bind, Text),
            ("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", Cors, Text),
            ("MLFLOW_SERVER_ALLOWED_HOSTS", Cors, Text),
            ("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", AuthOff, IfTrue),
            ("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", Deserialise, IfTrue),
            ("MLFLOW_AUTH_CONFIG_PATH", AuthOn, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "Gradio",
        doc: "https://www.gradio.app/guides/sharing-your-app",
        auth: Auth::Optional,
        open: false,
        close: "`auth=` with a function, and `server_name=\"127.0.0.1\"`",
        variables: &[
            ("GRADIO_SERVER_NAME", Bind, Text),
            ("GRADIO_SHARE", Share, IfTrue),
            ("GRADIO_DEBUG", Debug, IfTrue),
            ("GRADIO_ALLOWED_PATHS", FileAccess, IfOneOf(&["/", "/root", "/home"])),
        ],
        ..PLAIN
    },
    Product {
        name: "Streamlit",
        doc: "https://docs.streamlit.io/develop/api-reference/configuration/config.toml",
        images: &["streamlit"],
        commands: &[&["streamlit", "run"]],
        auth: Auth::Never,
        close: "`--server.address 127.0.0.1` behind a proxy that authenticates",
        flags: &[
            ("--server.address", Bind, Text),
            ("--server.enableCORS", Cors, IfFalse),
            ("--server.enableXsrfProtection", AuthOff, IfFalse),
            ("--server.sslCertFile", Tls, Text),
        ],
        variables: &[
            ("STREAMLIT_SERVER_ADDRESS", Bind, Text),
            ("STREAMLIT_SERVER_ENABLE_CORS", Cors, IfFalse),
            ("STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION", AuthOff, IfFalse),
        ],
        keys: &[
            ("server.address", Bind, Text),
            ("server.enableCORS", Cors, IfFalse),
            ("server.enableXsrfProtection", AuthOff, IfFalse),
            ("server.sslCertFile", Tls, Text),
        ],
        shape: &[&["server.headless"], &["server.enableCORS"], &["server.enableXsrfProtection"], &["browser.gatherUsageStats"]],
        ..PLAIN
    },
    Product {
        name: "Langflow",
        doc: "https://docs.langflow.org/api-keys-and-authentication",
        images: &["langflowai/langflow", "langflow"],
        commands: &[&["langflow", "run"]],
        auth: Auth::Default,
        close: "`LANGFLOW_AUTO_LOGIN=false` with a superuser of your own",
        flags: &[("--host", Bind, Text)],
        variables: &[
            ("LANGFLOW_HOST", Bind, Text),
            ("LANGFLOW_AUTO_LOGIN", AuthOff, IfTrue),
            ("LANGFLOW_SKIP_AUTH_AUTO_LOGIN", AuthOff, IfTrue),
            ("LANGFLOW_SUPERUSER_PASSWORD", Secret, Text),
            ("LANGFLOW_SECRET_KEY", Secret, Text),
            ("LANGFLOW_CORS_ORIGINS", Cors, Text),
        ],
        ..PLAIN
    },
    Product {
        name: "Flowise",
        doc: "https://docs.flowiseai.com/configuration/environment-variables",
        images: &["flowiseai/flowise"],
        commands: &[&["flowise", "start"]],
        auth: Auth::Default,
        close: "accounts left on, with secrets of your own",
        variables: &[
            ("FLOWISE_PASSWORD", Secret, Text),
            ("FLOWISE_SECRETKEY_OVERWRITE", Secret, Text),
            ("CORS_ORIGINS", Cors, Text),
            ("IFRAME_ORIGINS", Cors, Text),
            ("DEBUG", Debug, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "AnythingLLM",
        doc: "https://docs.anythingllm.com/installation-docker/local-docker",
        images: &["mintplexlabs/anythingllm"],
        close: "`AUTH_TOKEN` and `JWT_SECRET` from secrets",
        variables: &[("AUTH_TOKEN", Key, Text), ("JWT_SECRET", Secret, Text)],
        ..PLAIN
    },
    Product {
        name: "n8n",
        doc: "https://docs.n8n.io/hosting/configuration/environment-variables/",
        images: &["n8nio/n8n"],
        commands: &[&["n8n", "start"]],
        auth: Auth::Default,
        variables: &[("N8N_ENCRYPTION_KEY", Secret, Text), ("N8N_SECURE_COOKIE", TlsOff, IfFalse)],
        ..PLAIN
    },
    Product {
        name: "ComfyUI",
        doc: "https://docs.comfy.org/",
        images: &["comfyui"],
        commands: &[&["comfy", "launch"]],
        auth: Auth::Never,
        open: false,
        close: "no `--listen`, and a gateway that authenticates",
        flags: &[("--listen", Bind, Text), ("--enable-cors-header", Cors, Text)],
        ..PLAIN
    },
    Product {
        name: "Airflow",
        doc: "https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html",
        images: &["apache/airflow"],
        commands: &[&["airflow", "webserver"], &["airflow", "api-server"], &["airflow", "standalone"]],
        auth: Auth::Default,
        close: "an authentication backend",
        variables: &[
            ("AIRFLOW__CORE__ENABLE_XCOM_PICKLING", Deserialise, IfTrue),
            ("AIRFLOW__WEBSERVER__EXPOSE_CONFIG", Debug, IfTrue),
            ("AIRFLOW__API__EXPOSE_CONFIG", Debug, IfTrue),
            ("AIRFLOW__WEBSERVER__SECRET_KEY", Secret, Text),
            ("AIRFLOW__API__SECRET_KEY", Secret, Text),
            ("AIRFLOW__CORE__FERNET_KEY", Secret, Text),
            ("_AIRFLOW_WWW_USER_PASSWORD", Secret, Text),
            ("AIRFLOW__API__AUTH_BACKENDS", AuthOff, IfOneOf(&["airflow.api.auth.backend.default"])),
            ("AIRFLOW__API__ACCESS_CONTROL_ALLOW_ORIGINS", Cors, Text),
            ("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", AuthOff, IfTrue),
        ],
        ..PLAIN
    },
    Product {
        name: "Langfuse",
        doc: "https://langfuse.com/self-hosting/configuration",
        images: &["langfuse/langfuse", "langfuse/langfuse-worker"],
        auth: Auth::Default,
        variables: &[("NEXTAUTH_SECRET", Secret, Text), ("SALT", Secret, Text), ("ENCRYPTION_KEY", Secret, Text)],
        ..PLAIN
    },
    Product {
        name: "TensorBoard",
        doc: "https://github.com/tensorflow/tensorboard/blob/master/README.md",
        commands: &[&["tensorboard"]],
        auth: Auth::Never,
        open: false,
        close: "no `--bind_all`; reach it over SSH or a proxy that authenticates",
        flags: &[("--host", Bind, Text), ("--bind_all", Bind, IfTrue)],
        ..PLAIN
    },
    Product {
        name: "LangServe",
        doc: "https://github.com/langchain-ai/langserve/blob/main/README.md",
        commands: &[&["langchain", "serve"], &["langchain", "app", "serve"], &["langgraph", "dev"]],
        open: false,
        close: "a dependency that authenticates, and `--host 127.0.0.1`",
        flags: &[("--host", Bind, Text), ("--tunnel", Share, IfTrue), ("--debug-port", Debug, Text)],
        variables: &[("LANGGRAPH_AUTH_TYPE", AuthOff, IfOneOf(&["noop"]))],
        ..PLAIN
    },
];

/// Callbacks of LiteLLM that send prompts to a service. <https://docs.litellm.ai/docs/proxy/logging>
const CALLBACKS: &[&str] = &[
    "langfuse", "langfuse_otel", "langsmith", "helicone", "lunary", "braintrust", "datadog", "datadog_llm_observability", "arize", "arize_phoenix",
    "galileo", "athina", "promptlayer", "opik", "sentry", "logfire", "wandb", "literalai", "supabase", "humanloop",
];
