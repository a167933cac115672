//! A streamed reply on its way through the guard.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bartizan_core::Direction;
use bartizan_guard::{Kept, Meta, Output, Released, ReplyStream};
use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::access::Metered;
use crate::approve;
use crate::coding::Unpacker;
use crate::hidden::Hiding;
use crate::lapse::excepted;
use crate::proxy::Relayed;
use crate::settings::OnBlock;
use crate::shared::{Asked, Shared, append};

/// Pieces on their way to a caller who reads slowly. When they are full the upstream is not read on.
const QUEUE: usize = 8;

/// Time that an upstream has for closing once it has said its end. Its connection can be used again then.
const CLOSING: Duration = Duration::from_millis(100);

/// Starts to pass a stream through the guard and answers with the body that the caller reads.
pub(crate) fn pump(
    shared: Arc<Shared>,
    asked: Asked,
    body: (Body, Option<Unpacker>),
    upstream_us: u64,
) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(run(shared, asked, body, upstream_us, sender));
    let mut response = Response::new(Body::from_stream(Pieces { pump: receiver, over: false }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Relayed::mark(response)
}

/// The end of a reply could not be put on record. The connection breaks off, so that it looks like no end.
#[derive(Debug, thiserror::Error)]
#[error("the decision cannot be recorded")]
struct Unrecorded;

/// What the pump has for the caller.
enum Piece {
    Bytes(Bytes),
    /// All of it was sent, and is on record.
    End,
}

/// What the caller reads. A pump that is gone without saying the end has left the reply unfinished.
struct Pieces {
    pump: mpsc::Receiver<Piece>,
    over: bool,
}

impl Stream for Pieces {
    type Item = Result<Bytes, Unrecorded>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pump.poll_recv(context));
        self.over = !matches!(piece, Some(Piece::Bytes(_)));
        Poll::Ready(match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => None,
            None => Some(Err(Unrecorded)),
        })
    }
}

async fn run(
    shared: Arc<Shared>,
    mut asked: Asked,
    (mut body, mut unpacker): (Body, Option<Unpacker>),
    upstream_us: u64,
    sender: mpsc::Sender<Piece>,
) {
    let refusal = asked.live.settings.on_block == OnBlock::Refusal;
    let mut stream = asked.live.guard.reply_stream(
        asked.surface.protocol,
        asked.context.clone(),
        &asked.record.reply_event,
        refusal,
    );
    stream.except(excepted(&shared, &asked.live, &asked.record.principal, &asked.record.route));
    stream.converse(asked.conversation.clone());
    if let Some(number) = asked.resume_after {
        stream.resume_after(number);
    }
    let idle = Duration::from_millis(asked.live.settings.timeouts.idle_ms);
    let mut hiding = Hiding::new(Arc::clone(asked.live.upstreams.hidden()));
    let mut over = false;
    let mut kept = shared.recorder.keep(asked.surface.protocol, Direction::Reply, true);
    let mut caller_left = false;
    let mut complete = false;
    let mut ending = None;
    let mut metered = asked.charge.take().map(Metered::new);
    // An approval that a call has taken was used by another one meanwhile.
    let mut void = false;
    loop {
        let who = &asked.record.principal;
        if over {
            break;
        }
        let cut = stream.contain(&shared.access.contained(&who.tenant), &who.key, &asked.model);
        if cut.ended {
            ending = Some(cut.released);
            break;
        }
        let frame = tokio::select! {
            biased;
            () = sender.closed() => { caller_left = true; break }
            frame = tokio::time::timeout(if complete { CLOSING.min(idle) } else { idle }, body.frame()) => frame,
        };
        let output = match frame {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    asked.journey.chunk();
                    let plain = match unpacker.as_mut() {
                        None => Ok(data),
                        Some(unpacker) => unpacker.push(&data).map(Bytes::from),
                    };
                    match plain {
                        Ok(plain) => {
                            let plain = hiding.push(plain);
                            if let Some(metered) = &mut metered {
                                metered.push(&plain);
                            }
                            keep_and_push(&mut stream, kept.as_mut(), &plain)
                        }
                        Err(_) => {
                            shared.metrics.error("encoding");
                            stream.fail("the upstream's stream is not in the coding that it names")
                        }
                    }
                }
                Err(_) => continue,
            },
            Ok(None) => {
                let Some(rest) = hiding.rest() else { break };
                over = true;
                keep_and_push(&mut stream, kept.as_mut(), &rest)
            }
            _ if complete => break,
            Ok(Some(Err(_))) => {
                shared.metrics.error("upstream_broken");
                stream.fail("the upstream broke off")
            }
            Err(_) => {
                shared.metrics.error("upstream_timeout");
                stream.fail("the upstream stopped answering")
            }
        };
        complete = output.complete;
        if !use_up(&shared, &asked, &mut stream).await {
            void = true;
            ending = Some(Released::default());
            break;
        }
        shared.metrics.held(stream.held());
        issue(&shared, &asked, &mut stream);
        if output.ended {
            // The ending, which waits for the record.
            ending = Some(output.released);
            break;
        }
        if !send(&sender, output.released, idle).await {
            caller_left = true;
            break;
        }
    }
    drop(body);
    drop(metered);
    let last = (!caller_left).then(|| ending.unwrap_or_else(|| stream.finish().released));
    let void = void || !use_up(&shared, &asked, &mut stream).await;
    if !void && !caller_left {
        issue(&shared, &asked, &mut stream);
    }
    // Without a record, or with a call that has lost its approval, the caller gets no proper end.
    let kept_asking = approve::ask(&shared, &asked.record, &asked.context, stream.asking()).await.is_ok();
    let recorded = record(&shared, &asked, &stream, kept, upstream_us).await && kept_asking && !void;
    if let Some(last) = last.filter(|_| recorded)
        && send(&sender, last, idle).await
    {
        // Whoever does not read it in time gets no proper end either.
        let _ = tokio::time::timeout(idle, sender.send(Piece::End)).await;
    }
    drop(asked.in_flight);
}

/// Uses up the approvals that calls have taken, before anything of them is sent.
async fn use_up(shared: &Shared, asked: &Asked, stream: &mut ReplyStream) -> bool {
    let taken = stream.take_approvals();
    taken.is_empty() || matches!(approve::use_up(shared, &asked.record.principal, taken).await, Ok(true))
}

/// Issues tickets for the calls that go out now, before anybody can make them.
fn issue(shared: &Shared, asked: &Asked, stream: &mut ReplyStream) {
    let cleared = stream.take_cleared();
    shared.tickets.issue(&asked.live, &asked.record.principal, shared.access.now().wall, cleared);
}

fn keep_and_push(stream: &mut ReplyStream, kept: Option<&mut Kept>, bytes: &[u8]) -> Output {
    if let Some(kept) = kept {
        kept.push(bytes);
    }
    stream.push(bytes)
}

/// The record is written when the decision is complete, that is when the stream has ended. The request was recorded
/// before its first byte.
async fn record(shared: &Shared, asked: &Asked, stream: &ReplyStream, kept: Option<Kept>, upstream_us: u64) -> bool {
    let meta = Meta {
        protocol: asked.surface.protocol,
        direction: Direction::Reply,
        model: asked.model.clone(),
        stream: true,
    };
    let mut noted = stream.noted();
    noted.timings.upstream_us = upstream_us;
    shared.metrics.guards(meta.direction, &noted.spent, noted.action != bartizan_core::Action::Cut);
    if let Some(compared) = &noted.compared {
        shared.metrics.candidate(meta.direction, compared);
    }
    let facts = std::mem::take(&mut noted.facts);
    let event = shared.recorder.event(&asked.record, &meta, noted);
    asked.journey.decided(&shared.tracing, &event, &facts);
    let recorded = append(shared, event, kept).await.is_ok();
    if !recorded {
        shared.metrics.error("store");
    }
    recorded
}

async fn send(sender: &mpsc::Sender<Piece>, released: Released, idle: Duration) -> bool {
    let bytes = released.into_inner();
    if bytes.is_empty() {
        return true;
    }
    matches!(tokio::time::timeout(idle, sender.send(Piece::Bytes(Bytes::from(bytes)))).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    #[tokio::test]
    async fn only_what_the_pump_calls_the_end_is_one() {
        for ends in [true, false] {
            let (sender, receiver) = mpsc::channel(QUEUE);
            sender.send(Piece::Bytes(Bytes::from_static(b"a"))).await.ok();
            if ends {
                sender.send(Piece::End).await.ok();
            }
            drop(sender);
            let read: Vec<_> = Pieces { pump: receiver, over: false }.collect().await;
            let broken = read.iter().filter(|piece| piece.is_err()).count();
            assert_eq!((read.len(), broken), if ends { (1, 0) } else { (2, 1) });
        }
    }
}
