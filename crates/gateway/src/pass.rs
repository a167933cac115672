//! Routes that nobody reads: refused, unless the operator lets one pass by name.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use bartizan_core::{Coverage, Direction, Part, Reason};
use bartizan_guard::{Noted, ReplyFacts, Request as Record};
use bartizan_wire::ErrorKind;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};

use crate::body::read;
use crate::contain::refuse_contained;
use crate::failure::{Failure, json};
use crate::head::{check_rest, is_plain_type, reply_headers};
use crate::proxy::{Relayed, admit, begin, body_failure, contained, event_header, protocol_of, reply_failure};
use crate::settings::{Dialect, Passthrough};
use crate::shared::{Live, Shared, append, know};
use crate::stack::GUARDED;
use crate::trace::Journey;
use crate::upstream::{Carrier, Outgoing, UpstreamError};

/// A path that no route reads.
pub(crate) async fn unread(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let protocol = protocol_of(&request);
    let journey = begin(&shared, protocol, &request);
    contained(&shared, protocol, &journey, async {
        let live = shared.live();
        let path = request.uri().path();
        let rule = live.settings.passthrough.iter().position(|rule| rule.fits(request.method().as_str(), path));
        match rule.and_then(|at| live.settings.passthrough.get(at)) {
            Some(rule) => pass(&shared, &live, rule, request, &journey).await,
            None => Err(refused(path)),
        }
    })
    .await
}

fn refused(path: &str) -> Failure {
    // What it is about: `/v1/files` of `/v1/files/abc/content`.
    let mut family: String = path.split('/').take(3).collect::<Vec<_>>().join("/");
    let plain = family.len() <= 64 && family.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
    if !plain || family.len() < 2 {
        family = "/…".to_owned();
    }
    let message = format!(
        "`{family}` is not served, since nobody could read what passes; to let it pass unread, add a `[[passthrough]]` \
         entry with this path and a reason"
    );
    Failure::new(ErrorKind::NotFound, "unknown_route", message)
}

/// Forwards a body that nobody reads, and what comes back. Both are on record as unread.
async fn pass(
    shared: &Arc<Shared>,
    live: &Arc<Live>,
    rule: &Passthrough,
    request: Request<Body>,
    journey: &Journey,
) -> Result<Response<Body>, Failure> {
    let (admitted, _in_flight) = admit(shared, live, &request)?;
    let live = &Arc::clone(live).for_caller(&admitted)?;
    refuse_contained(shared, live, &admitted.principal, protocol_of(&request)).await?;
    let (mut parts, body) = request.into_parts();
    let carrier = Carrier::of(&parts.extensions);
    // What nobody reads cannot be held to a list of models or a budget.
    let held = !admitted.grant.models.is_empty() || admitted.accounts.iter().any(|a| a.quota.has_budget());
    if held && parts.method != Method::GET {
        let message = "this key has a list of models or a budget, so it may not send what nobody reads";
        return Err(Failure::new(ErrorKind::Forbidden, "passthrough", message));
    }
    let path = check_rest(live, &parts)?;
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    if content_type.as_ref().is_some_and(|v| !is_plain_type(v)) {
        return Err(Failure::new(ErrorKind::UnsupportedMedia, "media_type", "this media type is not passed on"));
    }
    let limit = live.guard.limits().max_body;
    let time = Duration::from_millis(live.settings.timeouts.body_ms);
    let body = read(body, limit, time).await.map_err(|error| body_failure(error, limit))?;

    let target = match &rule.upstream {
        Some(name) => live.upstreams.named(name),
        None => {
            let dialect = Dialect::of_path(parts.uri.path());
            live.upstreams.route(carrier.as_ref(), dialect, "", &admitted.principal.tenant)
        }
    };
    let target = target.map_err(|e| Failure::upstream(&e))?;
    if !live.upstreams.settings(target).is_some_and(|u| u.serves(&admitted.principal.tenant)) {
        return Err(Failure::upstream(&UpstreamError::NoRoute));
    }
    let name = live.upstreams.settings(target).map_or("", |u| u.name.as_str());
    know(shared, &admitted.principal.tenant).await?;
    let record = Record::start(admitted.principal, &format!("{name} {}", rule.path), &live.guard);
    let unread = |direction, bytes| {
        let (meta, permitted) = live.guard.unread(direction, bytes);
        let mut coverage = Coverage::default();
        coverage.add(Part::structural(Reason::Passthrough, permitted.get().body.len()));
        let event = shared.recorder.event(&record, &meta, Noted { coverage, ..Noted::default() });
        (event, permitted)
    };
    let (event, permitted) = unread(Direction::Request, body);
    journey.decided(&shared.tracing, &event, &ReplyFacts::default());
    journey.upstream(&shared.tracing, "", name, &mut parts.headers);
    append(shared, event, None).await?;
    let tenant = record.principal.tenant.clone();
    let outgoing = Outgoing {
        tenant: &tenant,
        method: parts.method,
        path: &path,
        caller: &parts.headers,
        pass_credentials: admitted.pass_credentials,
        dialect: Dialect::of_path(parts.uri.path()),
        content_type,
        carrier,
    };
    let reply = live.upstreams.send(target, outgoing, permitted).await.map_err(|e| Failure::upstream(&e))?;
    let (mut head, body) = reply.into_parts();
    let idle = Duration::from_millis(live.settings.timeouts.idle_ms);
    let mut body = read(body, limit, idle).await.map_err(reply_failure)?;
    live.upstreams.hidden().strip(&mut head.headers);
    live.upstreams.hidden().mask(&mut body);
    let (event, permitted) = unread(Direction::Reply, body);
    journey.decided(&shared.tracing, &event, &ReplyFacts::default());
    append(shared, event, None).await?;
    let mut response = json(head.status.as_u16(), permitted.into_inner().body);
    if let Some(kind) = head.headers.get(CONTENT_TYPE).filter(|v| is_plain_type(v)) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    reply_headers(&head.headers, response.headers_mut());
    event_header(&mut response, &record.reply_event);
    Ok(Relayed::mark(response))
}

impl Passthrough {
    /// True where a request is one of those that this entry is about.
    pub(crate) fn fits(&self, method: &str, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && (self.methods.is_empty() || self.methods.iter().any(|m| m == method))
    }

    /// Refuses an entry that would let pass what is read elsewhere, or that gives no reason.
    pub(crate) fn check(&self) -> Result<(), String> {
        let path = &self.path;
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
        if !path.starts_with('/') || path.ends_with('/') || path.contains("..") || path.contains("//") || !plain {
            return Err(format!("passthrough `{path}` is not a plain path such as `/v1/files`"));
        }
        if self.reason.trim().is_empty() {
            return Err(format!(
                "passthrough `{path}` needs a reason: whoever reads the configuration has to know why"
            ));
        }
        let covers =
            |route: &&&str| route.strip_prefix(path.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        if let Some(route) = GUARDED.iter().find(covers) {
            return Err(format!("passthrough `{path}` covers `{route}`, which is examined; give the path of the rest"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str) -> Passthrough {
        Passthrough { path: path.into(), methods: vec![], reason: "batches of a nightly job".into(), upstream: None }
    }

    #[test]
    fn a_rule_is_about_its_path_and_what_is_below() {
        let files = Passthrough { methods: vec!["GET".into()], ..rule("/v1/files") };
        assert!(files.fits("GET", "/v1/files") && files.fits("GET", "/v1/files/abc/content"));
        for (method, path) in
            [("POST", "/v1/files"), ("GET", "/v1/filesystem"), ("GET", "/v1"), ("GET", "/v2/v1/files")]
        {
            assert!(!files.fits(method, path), "{method} {path}");
        }
    }

    #[test]
    fn no_rule_covers_what_is_read() {
        assert!(rule("/v1/files").check().is_ok() && rule("/v1/messages/batches").check().is_ok());
        for bad in
            ["/", "", "/v1", "/v1/chat", "/v1/messages", "/model", "/openai", "/v1/../x", "v1/files", "/v1/fi%6ces"]
        {
            assert!(rule(bad).check().is_err(), "{bad}");
        }
        assert!(Passthrough { reason: " ".into(), ..rule("/v1/files") }.check().is_err());
    }

    #[test]
    fn a_refusal_names_the_setting() {
        let failure = refused("/v1/files/abc/content");
        assert!(failure.message().contains("`/v1/files`") && failure.message().contains("[[passthrough]]"));
        assert!(!refused("/v1/%2e secret").message().contains("secret"));
    }
}
