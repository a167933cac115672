//! Toxic flows: what servers can do together that none should do for one agent.

use bartizan_core::Span;

use super::clients::Server;
use crate::report::{Desk, show};
use crate::rules;

/// A server reads what is private.
const PRIVATE: u8 = 1;
/// A server reads what strangers write.
const UNTRUSTED: u8 = 2;
/// A server sends to where strangers read.
const OUTBOUND: u8 = 4;

/// Capabilities by a word of the package, image or address.
const KNOWN: &[(&str, u8)] = &[
    ("filesystem", PRIVATE),
    ("server-postgres", PRIVATE),
    ("mcp-server-sqlite", PRIVATE),
    ("server-sqlite", PRIVATE),
    ("mysql", PRIVATE),
    ("mongodb", PRIVATE),
    ("server-gdrive", PRIVATE),
    ("obsidian", PRIVATE),
    ("server-memory", PRIVATE),
    ("notion", PRIVATE | OUTBOUND),
    ("server-github", PRIVATE | UNTRUSTED | OUTBOUND),
    ("github-mcp-server", PRIVATE | UNTRUSTED | OUTBOUND),
    ("githubcopilot.com", PRIVATE | UNTRUSTED | OUTBOUND),
    ("server-gitlab", PRIVATE | UNTRUSTED | OUTBOUND),
    ("server-slack", PRIVATE | UNTRUSTED | OUTBOUND),
    ("slack-mcp-server", PRIVATE | UNTRUSTED | OUTBOUND),
    ("gmail", PRIVATE | UNTRUSTED | OUTBOUND),
    ("google-workspace", PRIVATE | UNTRUSTED | OUTBOUND),
    ("atlassian", PRIVATE | UNTRUSTED | OUTBOUND),
    ("mcp.linear.app", PRIVATE | UNTRUSTED | OUTBOUND),
    ("mcp-server-fetch", UNTRUSTED | OUTBOUND),
    ("mcp/fetch", UNTRUSTED | OUTBOUND),
    ("server-puppeteer", UNTRUSTED | OUTBOUND),
    ("playwright", UNTRUSTED | OUTBOUND),
    ("browser", UNTRUSTED | OUTBOUND),
    ("firecrawl", UNTRUSTED | OUTBOUND),
    ("brave-search", UNTRUSTED),
    ("tavily", UNTRUSTED),
    ("exa-mcp-server", UNTRUSTED),
    ("reddit", UNTRUSTED),
    ("youtube", UNTRUSTED),
    ("arxiv", UNTRUSTED),
];

fn capabilities(server: &Server<'_>) -> u8 {
    let urls = ["url", "serverUrl", "httpUrl"].iter().filter_map(|key| server.node.text_at(key));
    let words = server.words.iter().map(|w| w.text.as_str()).chain(urls);
    words.flat_map(|word| KNOWN.iter().filter(move |(name, _)| word.contains(name))).fold(0, |all, (_, own)| all | own)
}

/// One agent with all three, from more than one server: one read of a stranger's text can carry private data out.
pub(super) fn judge(servers: &[Server<'_>], desk: &mut Desk) {
    let enabled = servers.iter().filter(|s| !s.node.text_at("disabled").is_some_and(crate::value::is_true));
    let own: Vec<(&Server<'_>, u8)> = enabled.map(|s| (s, capabilities(s))).filter(|(_, c)| *c > 0).collect();
    let all = own.iter().fold(0, |all, (_, c)| all | c);
    if own.len() < 2 || all != PRIVATE | UNTRUSTED | OUTBOUND {
        return;
    }
    let name =
        |capability: u8| own.iter().find(|(_, c)| c & capability != 0).map_or_else(String::new, |(s, _)| show(&s.name));
    let at = own.last().map_or(Span::default(), |(s, _)| s.at);
    desk.find(
        &rules::TOXIC_FLOW,
        at,
        format!(
            "one agent reads private data (`{}`), reads what strangers write (`{}`), and can send out (`{}`)",
            name(PRIVATE),
            name(UNTRUSTED),
            name(OUTBOUND)
        ),
        "give these servers to different agents, or put `bartizan` between the agent and its tools so that arguments need a trusted source",
    );
}
