//! What Envoy is told, and the law of how it ends.
//!
//! Envoy takes the clean end of this stream for consent: it passes on unexamined what is left of the exchange, also with
//! `failure_mode_allow: false` (`external_processor.proto`, rule 6). So [`Verdicts`] ends well in one way only: with a
//! [`Decided`], which nothing but [`Out`] makes, once an answer of the gateway's own has been given or both directions
//! have come to their end. Everything else, a panic or a future that is dropped included, ends with an error.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bartizan_core::Direction;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;
use tonic::Status;

use super::api::{
    Answer, BodyMutation, CommonAnswer, CommonResponse, HeaderMutation, ImmediateResponse, ProcessingResponse,
    StreamedBodyResponse, TrailersResponse,
};
use super::wire::Wire;

/// Messages on their way to Envoy. When they are full, nothing is read on.
const QUEUE: usize = 8;

/// Bytes of a body in one message, as the protocol recommends.
const PIECE: usize = 64 << 10;

/// Proof that nothing of an exchange is left to decide.
#[must_use]
#[derive(Debug)]
pub(super) struct Decided(());

/// How far a direction has been let go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Nothing,
    Head,
    All,
}

/// Speaks to Envoy, in the order of the protocol and in no other.
#[derive(Debug)]
pub(super) struct Out {
    sender: mpsc::Sender<ProcessingResponse>,
    /// Of the request, and of the reply.
    sent: Mutex<(Stage, Stage)>,
}

impl Out {
    /// Lets a request go on with these changes and this body.
    pub(super) async fn request(&self, change: HeaderMutation, body: Bytes, wire: &Wire) -> Result<(), Status> {
        self.step(Direction::Request, Stage::Nothing, Stage::Head)?;
        self.say(Answer::RequestHeaders(head(change))).await?;
        if !wire.is_bare(Direction::Request) {
            let trailers = wire.trailers(Direction::Request);
            self.pieces(Direction::Request, body, trailers.is_none()).await?;
            if let Some(names) = trailers {
                self.say(Answer::RequestTrailers(without(names))).await?;
            }
        } else if !body.is_empty() {
            return Err(Status::internal("a body for a request that has none"));
        }
        self.step(Direction::Request, Stage::Head, Stage::All)
    }

    /// Lets the head of a reply go on with these changes.
    pub(super) async fn reply_head(&self, change: HeaderMutation) -> Result<(), Status> {
        self.step(Direction::Reply, Stage::Nothing, Stage::Head)?;
        self.say(Answer::ResponseHeaders(head(change))).await
    }

    /// Lets a part of the body of a reply go on.
    pub(super) async fn reply_part(&self, body: Bytes) -> Result<(), Status> {
        self.step(Direction::Reply, Stage::Head, Stage::Head)?;
        if body.is_empty() { Ok(()) } else { self.pieces(Direction::Reply, body, false).await }
    }

    /// Ends a reply.
    pub(super) async fn reply_end(&self, wire: &Wire) -> Result<(), Status> {
        self.step(Direction::Reply, Stage::Head, Stage::All)?;
        match wire.trailers(Direction::Reply) {
            Some(names) => self.say(Answer::ResponseTrailers(without(names))).await,
            None if wire.is_bare(Direction::Reply) => Ok(()),
            None => self.say(Answer::ResponseBody(piece(Bytes::new(), true))).await,
        }
    }

    /// Answers in place of the upstream. Nothing of its reply may have gone on.
    pub(super) async fn immediate(&self, answer: ImmediateResponse) -> Result<Decided, Status> {
        {
            let mut sent = self.sent();
            if sent.1 != Stage::Nothing {
                return Err(Status::internal("the reply has begun already"));
            }
            *sent = (Stage::All, Stage::All);
        }
        self.say(Answer::ImmediateResponse(answer)).await?;
        Ok(Decided(()))
    }

    /// The proof, where both directions have come to their end on both sides.
    pub(super) fn decided(&self, wire: &Wire) -> Option<Decided> {
        let ended = wire.is_ended(Direction::Request) && wire.is_ended(Direction::Reply);
        (ended && *self.sent() == (Stage::All, Stage::All)).then_some(Decided(()))
    }

    fn sent(&self) -> MutexGuard<'_, (Stage, Stage)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, direction: Direction, from: Stage, to: Stage) -> Result<(), Status> {
        let mut sent = self.sent();
        let (request, reply) = &mut *sent;
        // A reply follows its request.
        let (stage, in_order) = match direction {
            Direction::Request => (request, *reply == Stage::Nothing),
            Direction::Reply => (reply, *request == Stage::All),
        };
        if *stage != from || !in_order {
            return Err(Status::internal("an answer out of order"));
        }
        *stage = to;
        Ok(())
    }

    async fn pieces(&self, direction: Direction, mut body: Bytes, ends: bool) -> Result<(), Status> {
        loop {
            let next = body.split_to(body.len().min(PIECE));
            let last = body.is_empty();
            let piece = piece(next, last && ends);
            self.say(match direction {
                Direction::Request => Answer::RequestBody(piece),
                Direction::Reply => Answer::ResponseBody(piece),
            })
            .await?;
            if last {
                return Ok(());
            }
        }
    }

    async fn say(&self, answer: Answer) -> Result<(), Status> {
        let message = ProcessingResponse { response: Some(answer) };
        self.sender.send(message).await.map_err(|_| Status::cancelled("nobody listens any more"))
    }
}

fn head(change: HeaderMutation) -> CommonAnswer {
    CommonAnswer { response: Some(CommonResponse { header_mutation: Some(change), body_mutation: None }) }
}

fn piece(body: Bytes, end_of_stream: bool) -> CommonAnswer {
    let streamed_response = Some(StreamedBodyResponse { body, end_of_stream });
    let body_mutation = Some(BodyMutation { streamed_response });
    CommonAnswer { response: Some(CommonResponse { header_mutation: None, body_mutation }) }
}

/// Trailers are text that nobody reads, so none pass.
fn without(names: Vec<String>) -> TrailersResponse {
    TrailersResponse { header_mutation: Some(HeaderMutation { set_headers: Vec::new(), remove_headers: names }) }
}

type Work = Pin<Box<dyn Future<Output = Result<Decided, Status>> + Send>>;

enum State {
    Running(Work),
    /// What was said before is sent first.
    Ending(Result<Decided, Status>),
    Over,
}

/// What Envoy reads of one exchange. It owns the work on the exchange: when Envoy leaves, both are dropped.
pub(super) struct Verdicts {
    said: mpsc::Receiver<ProcessingResponse>,
    state: State,
}

impl Verdicts {
    /// Begins the work on an exchange.
    pub(super) fn begin<W>(work: impl FnOnce(Arc<Out>) -> W) -> Self
    where
        W: Future<Output = Result<Decided, Status>> + Send + 'static,
    {
        let (sender, said) = mpsc::channel(QUEUE);
        let out = Arc::new(Out { sender, sent: Mutex::default() });
        Self { said, state: State::Running(Box::pin(work(out))) }
    }
}

impl Stream for Verdicts {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Poll::Ready(Some(message)) = self.said.poll_recv(context) {
                return Poll::Ready(Some(Ok(message)));
            }
            match std::mem::replace(&mut self.state, State::Over) {
                State::Running(mut work) => match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                    Ok(Poll::Pending) => {
                        self.state = State::Running(work);
                        match self.said.poll_recv(context) {
                            Poll::Ready(Some(message)) => return Poll::Ready(Some(Ok(message))),
                            Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                        }
                    }
                    Ok(Poll::Ready(end)) => self.state = State::Ending(end),
                    Err(_) => self.state = State::Ending(Err(Status::internal("internal error"))),
                },
                State::Ending(Ok(Decided(()))) | State::Over => return Poll::Ready(None),
                State::Ending(Err(status)) => return Poll::Ready(Some(Err(status))),
            }
        }
    }
}
