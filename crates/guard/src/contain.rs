//! What an operator has cut off, as it is looked for in traffic.
//!
//! Names are compared as [`fold_name`] makes them, so that neither letter case nor look-alikes make another name of one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bartizan_core::{Act, Containment, Deed, Exchange, Kind, Opaque, Origin, Target, TenantId, Text};
use bartizan_engine::fold_name;
use bartizan_policy::Contained;

use crate::keeper::deed;

/// Most pieces of a tool's name that arrives in pieces, and most bytes of them.
const PIECES: usize = 16;
const PIECES_BYTES: usize = 1024;

/// What of one tenant is cut off. Immutable; share it in an [`Arc`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containments {
    tenant: Option<Arc<str>>,
    keys: BTreeMap<String, Arc<str>>,
    tools: BTreeMap<String, Arc<str>>,
    servers: BTreeMap<String, Arc<str>>,
    models: BTreeMap<String, Arc<str>>,
    /// Models by the beginning of their names.
    families: Vec<(String, Arc<str>)>,
}

impl Containments {
    /// Of one tenant, out of a list of any tenants' that may be over, at a time in milliseconds since 1970.
    #[must_use]
    pub fn of(tenant: &TenantId, list: &[Containment], now: i64) -> Self {
        let mut all = Self::default();
        for one in list.iter().filter(|one| one.tenant == *tenant && now < one.until) {
            all.add(one);
        }
        all
    }

    fn add(&mut self, one: &Containment) {
        let id = Arc::from(one.id.as_str());
        match one.target {
            Target::Tenant => self.tenant = Some(id),
            Target::Key => drop(self.keys.insert(one.name.clone(), id)),
            Target::Tool => drop(self.tools.insert(fold_name(&one.name), id)),
            Target::Server => drop(self.servers.insert(fold_name(&one.name), id)),
            Target::Model => {
                let name = fold_name(&one.name);
                match name.strip_suffix('*') {
                    Some(beginning) => self.families.push((beginning.to_owned(), id)),
                    None => drop(self.models.insert(name, id)),
                }
            }
        }
    }

    /// True where nothing is cut off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Who asks: the tenant as a whole, or the key.
    pub(crate) fn caller(&self, key: &str) -> BTreeSet<Contained> {
        let tenant = self.tenant.iter().map(|id| (Target::Tenant, id));
        let key = self.keys.get(key).into_iter().map(|id| (Target::Key, id));
        tenant.chain(key).map(|(target, id)| Contained { target, id: Arc::clone(id) }).collect()
    }

    /// A model by any of the names that it goes by: with the name of its provider, path or region ahead, or the date of
    /// its snapshot behind.
    pub(crate) fn model(&self, model: &str) -> Option<Contained> {
        if self.models.is_empty() && self.families.is_empty() {
            return None;
        }
        const REGIONS: [&str; 9] = ["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "sa"];
        let model = fold_name(model);
        let last = model.rsplit_once('/').map_or(model.as_str(), |(_, last)| last);
        let bare = last.split_once('.').filter(|(region, _)| REGIONS.contains(region)).map_or(last, |(_, bare)| bare);
        let found = [model.as_str(), last, bare].into_iter().find_map(|name| {
            let family = self.families.iter().find(|(beginning, _)| name.starts_with(beginning.as_str()));
            self.models.get(name).or_else(|| self.models.get(undated(name))).or(family.map(|(_, id)| id))
        });
        found.map(|id| Contained { target: Target::Model, id: Arc::clone(id) })
    }

    /// A tool by its name, or by that of the server in it (`mcp__SERVER__TOOL`).
    pub(crate) fn tool(&self, name: &str, met: &mut BTreeSet<Contained>) {
        if self.tools.is_empty() && self.servers.is_empty() {
            return;
        }
        let name = fold_name(name);
        let inner = name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"));
        let tool = self.tools.get(&name).or_else(|| self.tools.get(inner?.1));
        let server = inner.and_then(|(server, _)| self.servers.get(server));
        met.extend(tool.map(|id| Contained { target: Target::Tool, id: Arc::clone(id) }));
        met.extend(server.map(|id| Contained { target: Target::Server, id: Arc::clone(id) }));
    }

    fn server(&self, name: &str, met: &mut BTreeSet<Contained>) {
        if !self.servers.is_empty() {
            let server = self.servers.get(&fold_name(name));
            met.extend(server.map(|id| Contained { target: Target::Server, id: Arc::clone(id) }));
        }
    }

    fn origin(&self, origin: &Origin, met: &mut BTreeSet<Contained>) {
        if let Some(tool) = &origin.tool {
            self.tool(tool, met);
        }
        if let Some(server) = &origin.server {
            self.server(server, met);
        }
    }

    /// What of an exchange is cut off: tools that are offered, called or answered for, servers, models.
    pub(crate) fn exchange(&self, exchange: &Exchange) -> BTreeSet<Contained> {
        let mut met = self.parts(&exchange.texts, &exchange.opaque);
        met.extend(self.model(&exchange.model));
        exchange.tools.iter().for_each(|tool| self.tool(&tool.name, &mut met));
        let calls = exchange.messages.iter().flat_map(|message| &message.calls);
        calls.for_each(|call| self.tool(&call.name, &mut met));
        met
    }

    /// The same of parts of an exchange.
    pub(crate) fn parts(&self, texts: &[Text], opaque: &[Opaque]) -> BTreeSet<Contained> {
        let mut met = BTreeSet::new();
        if self.is_empty() {
            return met;
        }
        for origin in origins(texts, opaque) {
            self.origin(origin, &mut met);
        }
        for text in texts {
            match role(text) {
                Some(Role::Tool) => self.tool(&text.value, &mut met),
                Some(Role::Server) => self.server(&text.value, &mut met),
                Some(Role::Model) => met.extend(self.model(&text.value)),
                None => {}
            }
        }
        met
    }
}

/// The origins of texts and parts, those that repeat once.
fn origins<'a>(texts: &'a [Text], opaque: &'a [Opaque]) -> impl Iterator<Item = &'a Origin> {
    let mut last: Option<&Origin> = None;
    let all = texts.iter().map(|text| &text.origin).chain(opaque.iter().map(|part| &part.origin));
    all.filter(move |origin| last.replace(origin) != Some(*origin))
}

/// What a leaf names.
enum Role {
    Tool,
    Server,
    Model,
}

fn role(text: &Text) -> Option<Role> {
    if text.container.is_some() {
        return None;
    }
    let is_index = |token: &&str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
    let tokens: Vec<&str> = text.pointer.split('/').skip(1).filter(|token| !is_index(token)).collect();
    match tokens.as_slice() {
        // At the top, or one below in events that carry a reply.
        ["model" | "models" | "fallbacks" | "modelVersion" | "modelId"] | ["response" | "message", "model"] => {
            Some(Role::Model)
        }
        _ if !may_name(text) => None,
        ["mcp_servers", "name"] | [.., "server_label" | "server_name"] => Some(Role::Server),
        ["tools", "type"] | [.., "name" | "tool_name" | "allowed_tools"] => Some(Role::Tool),
        _ => None,
    }
}

/// True for a leaf that may name something. A name that is odd enough counts as a text, and what a tool is called with
/// names nothing, whatever its keys are.
fn may_name(text: &Text) -> bool {
    const VALUES: [&str; 5] = ["/input/", "/args/", "/arguments/", "/properties/", "/metadata/"];
    matches!(text.kind, Kind::Name | Kind::Text) && !VALUES.iter().any(|values| text.pointer.contains(values))
}

/// The name of a model without the date of its snapshot: `-2024-08-06`, `-0613`, `@20240806`.
fn undated(model: &str) -> &str {
    let digits = model.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    match model.get(digits.len()..) {
        Some(date) if date.starts_with('-') && date.len() >= 5 => digits,
        Some(date) if date.len() >= 6 => digits.strip_suffix('@').unwrap_or(model),
        _ => model,
    }
}

/// Names of tools in a stream. Some clients put the pieces of a name together, so that none of its pieces is it.
#[derive(Debug, Default)]
pub(crate) struct NamePieces(Vec<String>);

impl NamePieces {
    /// Takes the texts of an event; answers with the names that its pieces may make with those before.
    pub(crate) fn take(&mut self, texts: &[Text]) -> Vec<String> {
        let mut names = Vec::new();
        let is_piece = |text: &&Text| may_name(text) && text.pointer.ends_with("/name");
        for text in texts.iter().filter(is_piece) {
            if text.value.is_empty() {
                continue;
            }
            let bytes: usize = self.0.iter().map(String::len).sum();
            if self.0.len() >= PIECES || bytes + text.value.len() > PIECES_BYTES {
                self.0.drain(..self.0.len().div_ceil(2));
            }
            self.0.push(text.value.clone());
            let mut name = text.value.clone();
            for piece in self.0.iter().rev().skip(1) {
                name.insert_str(0, piece);
                names.push(name.clone());
            }
        }
        names
    }
}

/// What is cut off for each tenant.
#[derive(Clone, Debug, Default)]
pub struct ByTenant {
    list: Vec<Containment>,
    tenants: BTreeMap<TenantId, Arc<Containments>>,
    none: Arc<Containments>,
}

impl ByTenant {
    /// Out of a list that may hold some that are over, at a time in milliseconds since 1970.
    #[must_use]
    pub fn new(list: Vec<Containment>, now: i64) -> Self {
        let names: BTreeSet<&TenantId> = list.iter().map(|one| &one.tenant).collect();
        let of = |tenant: &TenantId| (tenant.clone(), Arc::new(Containments::of(tenant, &list, now)));
        let tenants = names.into_iter().map(of).filter(|(_, set)| !set.is_empty()).collect();
        Self { list, tenants, none: Arc::default() }
    }

    /// What is cut off for a tenant. The same value as long as nothing changes.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> Arc<Containments> {
        Arc::clone(self.tenants.get(tenant).unwrap_or(&self.none))
    }

    /// Those of which the time is over.
    pub fn over(&self, now: i64) -> impl Iterator<Item = &Containment> {
        self.list.iter().filter(move |one| one.until <= now)
    }
}

/// Longest time that something is cut off for: 30 days. What is to last belongs into the configuration.
const LONGEST: i64 = 30 * 86_400_000;

/// Most characters of a name.
const NAME: usize = 256;

/// A containment from now on, for a span in milliseconds.
///
/// # Errors
/// What is wrong with it.
pub fn containment(
    tenant: &TenantId,
    (target, name): (Target, &str),
    span: i64,
    (actor, reason): (&str, &str),
) -> Result<Containment, String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
        return Err(format!("a name is 1 to {NAME} characters that can be seen"));
    }
    if target == Target::Tenant && name != tenant.as_str() {
        return Err(format!("the tenant `{tenant}` cannot cut off another one"));
    }
    if target == Target::Model && name.trim_end_matches('*').contains('*') {
        return Err("`*` stands at the end of a model only".to_owned());
    }
    if reason.trim().is_empty() {
        return Err("a reason is needed: it goes on record".to_owned());
    }
    if !(1000..=LONGEST).contains(&span) {
        return Err("the time is from a second to 30 days".to_owned());
    }
    let since = jiff::Timestamp::now().as_millisecond();
    Ok(Containment {
        id: uuid::Uuid::now_v7().to_string(),
        tenant: tenant.clone(),
        target,
        name: name.to_owned(),
        reason: reason.trim().to_owned(),
        actor: actor.to_owned(),
        since,
        until: since.saturating_add(span),
    })
}

/// The record of a containment.
#[must_use]
pub fn containing(one: &Containment) -> Act {
    let until = jiff::Timestamp::from_millisecond(one.until).unwrap_or(jiff::Timestamp::MAX);
    about(deed(Deed::Contained, &one.tenant, &one.actor), one).because(&one.reason).with("until", until)
}

/// The record of the end of one.
#[must_use]
pub fn releasing(one: &Containment, actor: &str, reason: &str) -> Act {
    about(deed(Deed::Released, &one.tenant, actor), one).because(reason)
}

fn about(act: Act, one: &Containment) -> Act {
    act.about(&format!("{}:{}", one.target, one.name)).with("id", &one.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(target: Target, name: &str) -> Containment {
        Containment {
            id: name.into(),
            tenant: TenantId::sole(),
            target,
            name: name.into(),
            reason: String::new(),
            actor: String::new(),
            since: 0,
            until: 10,
        }
    }

    fn set(list: &[Containment]) -> Containments {
        Containments::of(&TenantId::sole(), list, 5)
    }

    fn tool(all: &Containments, name: &str) -> bool {
        let mut met = BTreeSet::new();
        all.tool(name, &mut met);
        !met.is_empty()
    }

    #[test]
    fn no_spelling_of_a_tool_is_another_tool() {
        let all = set(&[cut(Target::Tool, "send_email"), cut(Target::Server, "Mail")]);
        for name in [
            "send_email",
            "SEND_Email",
            "ｓｅｎｄ＿ｅｍａｉｌ",
            "send\u{200b}_email",
            "s\u{435}nd_email",
            "ѕеnd_еmаil",
            "sénd_email",
            " send_email\n",
            "send_\u{e0065}email",
            "mcp__mail__read",
            "mcp__other__send_email",
            "mcp__ＭＡＩＬ__read",
        ] {
            assert!(tool(&all, name), "{name:?}");
        }
        for name in ["resend_email", "send_emails", "mail", "mcp__mailing__read", "email", ""] {
            assert!(!tool(&all, name), "{name:?}");
        }
    }

    #[test]
    fn a_model_is_met_by_its_aliases() {
        let all = set(&[cut(Target::Model, "gpt-4o"), cut(Target::Model, "anthropic.claude*")]);
        for name in [
            "gpt-4o",
            "GPT-4o",
            "gpt-4o-2024-08-06",
            "openai/gpt-4o",
            "models/gpt-4o",
            "gpt-4o@20240806",
            "us.anthropic.claude-3:0",
            "anthropic.claude-x",
            "ｇｐｔ-4o",
        ] {
            assert!(all.model(name).is_some(), "{name}");
        }
        for name in ["gpt-4o-mini", "gpt-4", "gpt-4o-mini-2024-07-18", "claude", ""] {
            assert!(all.model(name).is_none(), "{name}");
        }
    }

    #[test]
    fn what_is_over_or_anothers_is_without_effect() {
        let list = [cut(Target::Tool, "a"), cut(Target::Tenant, "default"), cut(Target::Key, "ci")];
        let other = TenantId::authenticated("other").unwrap();
        assert!(Containments::of(&other, &list, 5).is_empty());
        assert!(Containments::of(&TenantId::sole(), &list, 10).is_empty());
        let by_tenant = ByTenant::new(list.to_vec(), 5);
        assert!(by_tenant.of(&other).is_empty());
        let own = by_tenant.of(&TenantId::sole());
        assert_eq!(own.caller("ci").len(), 2);
        assert_eq!(own.caller("CI").len(), 1, "keys are ours, and told apart by every letter");
        assert_eq!((by_tenant.over(9).count(), by_tenant.over(10).count()), (0, 3));
    }

    #[test]
    fn a_name_in_pieces_is_put_together() {
        let piece = |value: &str| Text {
            pointer: "/choices/0/delta/tool_calls/0/function/name".into(),
            kind: Kind::Name,
            value: value.into(),
            ..Text::default()
        };
        let mut pieces = NamePieces::default();
        assert!(pieces.take(&[piece("other")]).is_empty());
        let _ = pieces.take(&[piece("send_")]);
        assert!(pieces.take(&[piece("email")]).contains(&"send_email".to_owned()));
        for _ in 0..100 {
            assert!(pieces.take(&[piece(&"x".repeat(200))]).len() <= PIECES);
        }
    }
}
