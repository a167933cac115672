//! Reading bodies, bounded in size and time.

use std::time::Duration;

use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::coding::{Coding, CodingError, decode};

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// Larger than the limit.
    #[error("the body is too large")]
    TooLarge,
    /// Not complete in time.
    #[error("the body did not arrive in time")]
    Timeout,
    /// The other side broke off.
    #[error("the body broke off")]
    Broken,
    /// Not in the coding that it claims.
    #[error("the body is not in the coding that it claims")]
    Malformed,
}

/// The whole body.
pub(crate) async fn read<B>(body: B, limit: usize, time: Duration) -> Result<Vec<u8>, BodyError>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(time, Limited::new(body, limit).collect()).await {
        Err(_) => Err(BodyError::Timeout),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
    }
}

/// The body without its coding. Decoding takes processor time, so it is not done on an async worker.
pub(crate) async fn decoded(body: Vec<u8>, coding: Option<Coding>, limit: usize) -> Result<Vec<u8>, BodyError> {
    let Some(coding) = coding else { return Ok(body) };
    let decoded = tokio::task::spawn_blocking(move || decode(coding, &body, limit)).await;
    decoded.unwrap_or(Err(CodingError::Malformed)).map_err(|error| match error {
        CodingError::TooLarge => BodyError::TooLarge,
        _ => BodyError::Malformed,
    })
}
