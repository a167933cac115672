//! The command line of `bench`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Speed of the guard on generated texts.
    Engine {
        /// Seconds for each text.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// What a decision about a tool call costs on histories of four sizes.
    Agents {
        /// Decisions for each history.
        #[arg(long, default_value_t = 1000)]
        rounds: usize,
    },
    /// Hold processor time, memory and hold-back against their budgets; fails where one is not kept.
    Budgets {
        /// How many times slower than the budgets' machine this one may be before it fails: one on the same machine.
        #[arg(long, default_value_t = 1.0)]
        slack: f64,
    },
    /// What the two stages of the injection classifier cost.
    Injection(super::injection::Args),
    /// What a turn of a long conversation costs when everything before it is known.
    Conversation {
        /// Messages before it.
        #[arg(long, default_value_t = 10_000)]
        messages: usize,
    },
    /// Speed of the passes over a corpus, and attacks on corpora made from a seed.
    Data(super::data::DataArgs),
    /// Recall, false alarms and speed of the rules for sensitive data.
    Sensitive {
        /// JSON lines `{"rule", "kind": "tp"|"fp", "text"}` about secrets; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        secret_cases: Option<PathBuf>,
        /// Texts with personal data: a JSON array as presidio-research has it, or JSON lines `{"text", "spans"}`.
        #[arg(long, value_name = "FILE")]
        pii: Vec<PathBuf>,
        /// Folder of source code without secrets.
        #[arg(long, value_name = "DIR")]
        code: Option<PathBuf>,
        /// Another tool, as `NAME=COMMAND`: `{}` stands for a folder with one file a case, and it prints file names.
        #[arg(long, value_name = "NAME=COMMAND")]
        peer: Vec<String>,
    },
    /// Requests a second of the red team against a model server of this process, and its memory.
    Redteam {
        /// Trials of each wording in each way of writing, and then ten times as many.
        #[arg(long, default_value_t = 3)]
        trials: u32,
    },
    /// What the guard adds to a plain proxy of the same make.
    Gateway {
        /// Requests a round.
        #[arg(long, default_value_t = 10_000)]
        requests: usize,
        /// Shell command that starts another gateway: the model server is in `UPSTREAM`, the port to listen on in `PORT`.
        #[arg(long, value_name = "COMMAND")]
        peer: Vec<String>,
        /// Header for peers, `name: value`, with `{upstream}` for the model server.
        #[arg(long, value_name = "HEADER")]
        peer_header: Vec<String>,
    },
    /// What an exchange with Envoy waits for the gateway.
    ExtProc {
        /// Exchanges, one after the other.
        #[arg(long, default_value_t = 5000)]
        exchanges: usize,
    },
    /// What an open stream takes.
    Streams {
        /// How many.
        #[arg(long, default_value_t = 8000)]
        streams: usize,
    },
    /// What a tenant at ten times its limit does to another.
    Tenants {
        /// Length of a round.
        #[arg(long, default_value_t = 6)]
        seconds: u64,
    },
    /// What the proxy adds to a call of a tool.
    Mcp {
        /// Calls a round.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
    },
    /// The server that `bench mcp` calls.
    McpServer {
        /// What it says: `{"answers": {METHOD: [RESULT]}, "before": {METHOD: [LINE]}}`.
        #[arg(long, value_name = "FILE")]
        script: Option<PathBuf>,
        /// Over HTTP instead of standard input and output.
        #[arg(long)]
        http: bool,
    },
    /// What an index of protected text takes, costs, and takes for a repetition in texts that repeat nothing.
    Protected {
        /// Protected records: JSON lines, text files or folders; generated ones without any.
        #[arg(long, value_name = "PATH")]
        corpus: Vec<PathBuf>,
        /// Ordinary texts, the same.
        #[arg(long, value_name = "PATH")]
        text: Vec<PathBuf>,
    },
    /// A posture report over a store of many decisions.
    Posture {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        decisions: u64,
    },
    /// The plain proxy that `bench gateway` compares with.
    Passthrough {
        /// Model server, with `/v1`.
        upstream: String,
    },
}
