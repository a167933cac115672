//! The rules about configurations. Their pages are beside this file.

use bartizan_core::{Reference, Rule, rule_list};

const ACCESS: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM10"), Reference::new("ATLAS", "AML.T0049"), Reference::new("CWE", "CWE-306")];
const NETWORK: &[Reference] = &[Reference::new("CWE", "CWE-319"), Reference::new("CWE", "CWE-668")];
const SECRET: &[Reference] = &[Reference::new("ATLAS", "AML.T0055"), Reference::new("CWE", "CWE-798")];
const CODE: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM03"), Reference::new("ATLAS", "AML.T0010.003"), Reference::new("CWE", "CWE-94")];
const PICKLE: &[Reference] = &[Reference::new("OWASP-LLM", "LLM03"), Reference::new("CWE", "CWE-502")];
const MANAGEMENT: &[Reference] = &[Reference::new("ATLAS", "AML.T0018"), Reference::new("CWE", "CWE-749")];
const WALLS: &[Reference] = &[Reference::new("CWE", "CWE-250")];
const LOGS: &[Reference] = &[Reference::new("OWASP-LLM", "LLM02"), Reference::new("CWE", "CWE-532")];
const DEBUG: &[Reference] = &[Reference::new("CWE", "CWE-489")];
const CORS: &[Reference] = &[Reference::new("CWE", "CWE-942")];
const TLS: &[Reference] = &[Reference::new("CWE", "CWE-295")];
const SUPPLY: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM03"), Reference::new("ATLAS", "AML.T0010"), Reference::new("CWE", "CWE-829")];
const DATA: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM04"), Reference::new("ATLAS", "AML.T0010.002"), Reference::new("CWE", "CWE-494")];
const DOWNLOAD: &[Reference] = &[Reference::new("CWE", "CWE-494")];
const GRANT: &[Reference] = &[Reference::new("OWASP-LLM", "LLM04"), Reference::new("CWE", "CWE-732")];

rule_list! {
    /// Every rule about infrastructure.
    INFRA:
    /// A server that others reach asks nobody for a key.
    MISSING_AUTHENTICATION = "infra/missing-authentication", "missing_authentication.md", High, High, ACCESS,
        "a server can be called by whoever reaches it";
    /// A server listens on every interface without TLS.
    PUBLIC_BIND = "infra/public-bind", "public_bind.md", Medium, High, NETWORK,
        "a server is open to the network without TLS";
    /// A key has a value that manuals print.
    DEFAULT_CREDENTIAL = "infra/default-credential", "default_credential.md", High, High, SECRET,
        "a key or password has a well-known value";
    /// A secret is written into a configuration.
    PLAINTEXT_SECRET = "infra/plaintext-secret", "plaintext_secret.md", High, Medium, SECRET,
        "a configuration holds a secret in plain text";
    /// Code of a model's repository is run.
    REMOTE_CODE = "infra/remote-code", "remote_code.md", High, High, CODE,
        "code from a model or data set repository is run";
    /// Pickles from outside are read.
    UNSAFE_DESERIALIZATION = "infra/unsafe-deserialization", "unsafe_deserialization.md", High, High, PICKLE,
        "values are read in a form that can run code";
    /// Callers may load models.
    MANAGEMENT_API = "infra/management-api", "management_api.md", Medium, High, MANAGEMENT,
        "callers may load models or change the server's state";
    /// A container gets too much of the machine's files.
    BROAD_MOUNT = "infra/broad-mount", "broad_mount.md", High, High, WALLS,
        "a server gets far more of the machine's files than it needs";
    /// A container without walls.
    PRIVILEGED_CONTAINER = "infra/privileged-container", "privileged_container.md", High, High, WALLS,
        "the walls around a container are taken down";
    /// A mode for development.
    DEBUG_MODE = "infra/debug-mode", "debug_mode.md", Medium, High, DEBUG,
        "a mode for development is on";
    /// Prompts are written down or sent elsewhere.
    PROMPT_LOGGING = "infra/prompt-logging", "prompt_logging.md", Medium, Medium, LOGS,
        "prompts are written to logs or sent to another service";
    /// Every site may call.
    CORS_ANY_ORIGIN = "infra/cors-any-origin", "cors_any_origin.md", Medium, High, CORS,
        "pages of any site may call the server";
    /// A tunnel makes it public.
    PUBLIC_SHARE = "infra/public-share", "public_share.md", High, High, NETWORK,
        "a relay gives the application a public address";
    /// Certificates are not verified.
    TLS_VERIFICATION_OFF = "infra/tls-verification-off", "tls_verification_off.md", High, High, TLS,
        "certificates are not verified";
    /// An image whose content may change.
    UNPINNED_IMAGE = "infra/unpinned-image", "unpinned_image.md", Medium, High, SUPPLY,
        "a container image may change without notice";
    /// A model whose content may change.
    UNPINNED_MODEL = "infra/unpinned-model", "unpinned_model.md", Medium, High, SUPPLY,
        "a model is fetched by a name that moves";
    /// A data set whose content may change.
    UNPINNED_DATASET = "infra/unpinned-dataset", "unpinned_dataset.md", Medium, High, DATA,
        "a data set is fetched by a name that moves";
    /// Something downloaded is run unseen.
    UNVERIFIED_DOWNLOAD = "infra/unverified-download", "unverified_download.md", Medium, High, DOWNLOAD,
        "something downloaded is used without a check";
    /// A bucket is granted to everybody.
    PUBLIC_BUCKET = "infra/public-bucket", "public_bucket.md", High, High, GRANT,
        "training data or models are granted too widely";
}

const AGENT_SUPPLY: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI04"),
    Reference::new("OWASP-LLM", "LLM03"),
    Reference::new("ATLAS", "AML.T0010"),
    Reference::new("AGENT-SCAN", "W012"),
    Reference::new("CWE", "CWE-494"),
];
const AGENT_RUN: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI05"),
    Reference::new("AGENT-SCAN", "E006"),
    Reference::new("AGENT-SCAN", "W012"),
    Reference::new("CWE", "CWE-494"),
];
const AGENT_SECRET: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI03"),
    Reference::new("ATLAS", "AML.T0055"),
    Reference::new("AGENT-SCAN", "W008"),
    Reference::new("CWE", "CWE-798"),
];
const AGENT_SHELL: &[Reference] = &[Reference::new("OWASP-AGENTIC", "ASI05"), Reference::new("CWE", "CWE-78")];
const AGENT_POWER: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI02"),
    Reference::new("OWASP-LLM", "LLM06"),
    Reference::new("AGENT-SCAN", "W019"),
    Reference::new("AGENT-SCAN", "W020"),
    Reference::new("CWE", "CWE-250"),
];
const AGENT_FILES: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI02"),
    Reference::new("OWASP-LLM", "LLM06"),
    Reference::new("AGENT-SCAN", "W017"),
    Reference::new("AGENT-SCAN", "W018"),
    Reference::new("CWE", "CWE-732"),
];
const AGENT_FLOW: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI01"),
    Reference::new("OWASP-LLM", "LLM01"),
    Reference::new("ATLAS", "AML.T0086"),
    Reference::new("AGENT-SCAN", "W015"),
    Reference::new("AGENT-SCAN", "W016"),
    Reference::new("AGENT-SCAN", "W017"),
];
const AGENT_TEXT: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI01"),
    Reference::new("OWASP-LLM", "LLM01"),
    Reference::new("ATLAS", "AML.T0051.001"),
    Reference::new("AGENT-SCAN", "E001"),
    Reference::new("AGENT-SCAN", "E004"),
];
const AGENT_HIDDEN: &[Reference] = &[
    Reference::new("OWASP-AGENTIC", "ASI01"),
    Reference::new("ATLAS", "AML.T0051.001"),
    Reference::new("AGENT-SCAN", "W021"),
    Reference::new("CWE", "CWE-1007"),
];
const AGENT_EGRESS: &[Reference] =
    &[Reference::new("OWASP-AGENTIC", "ASI02"), Reference::new("ATLAS", "AML.T0025"), Reference::new("CWE", "CWE-200")];

rule_list! {
    /// Every rule about configurations and instructions of agents.
    AGENT:
    /// An instruction keeps something from the person.
    COVERT_INSTRUCTION = "mcp/covert-instruction", "covert_instruction.md", High, High, AGENT_TEXT,
        "an instruction or description works against the person";
    /// Characters that nobody sees.
    HIDDEN_TEXT = "mcp/hidden-characters", "hidden_characters.md", High, High, AGENT_HIDDEN,
        "an instruction or description holds characters that people do not see";
    /// A script is downloaded and run.
    DOWNLOAD_AND_RUN = "mcp/download-and-run", "download_and_run.md", High, High, AGENT_RUN,
        "a launch command, hook or skill runs what it downloads";
    /// Everything may be done unasked.
    BROAD_PERMISSION = "mcp/broad-permission", "broad_permission.md", High, High, AGENT_POWER,
        "an agent may use far more than it needs without asking";
    /// A server gets too many files.
    BROAD_FILE_ACCESS = "mcp/broad-file-access", "broad_file_access.md", Medium, High, AGENT_FILES,
        "a tool server gets far more of the machine than it needs";
    /// A secret in a client's configuration.
    PLAINTEXT_CREDENTIAL = "mcp/plaintext-secret", "plaintext_credential.md", High, Medium, AGENT_SECRET,
        "a client's configuration holds a secret in plain text";
    /// A server without TLS.
    PLAINTEXT_TRANSPORT = "mcp/plaintext-transport", "plaintext_transport.md", High, High, NETWORK,
        "a remote tool server is reached without TLS";
    /// A package whose content may change.
    UNPINNED_SERVER = "mcp/unpinned-server", "unpinned_server.md", Medium, High, AGENT_SUPPLY,
        "a tool server is fetched by a name that moves";
    /// A shell computes what is run.
    SHELL_LAUNCH = "mcp/shell-launch", "shell_launch.md", Medium, Medium, AGENT_SHELL,
        "a shell computes what starts as a tool server";
    /// A hook sends data out.
    HOOK_EGRESS = "mcp/hook-egress", "hook_egress.md", Medium, Medium, AGENT_EGRESS,
        "a hook sends what the agent works on to another machine";
    /// Private data, strangers' text and a way out for one agent.
    TOXIC_FLOW = "mcp/toxic-flow", "toxic_flow.md", Medium, Medium, AGENT_FLOW,
        "one agent has private data, strangers' text and a way out";
}

/// Every rule of this crate.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    INFRA.iter().chain(AGENT)
}
