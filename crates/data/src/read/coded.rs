//! Compressed files, of one or many frames.

use std::io::{BufRead, Read, Result};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::Coding;

/// The decompressed bytes, where the head of the file says that it is compressed. Otherwise nothing, and some of the input
/// may have been read.
pub(super) fn decoder<'a>(input: impl BufRead + 'a, head: &[u8]) -> Result<Option<Box<dyn Read + 'a>>> {
    Ok(match Coding::of(head) {
        Coding::Plain => None,
        Coding::Gzip => Some(Box::new(MultiGzDecoder::new(input))),
        Coding::Zstd => {
            let frame = StreamingDecoder::new(input).map_err(std::io::Error::other)?;
            Some(Box::new(Frames { frame: Some(frame) }))
        }
    })
}

type Frame<R> = StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

/// Zstandard frames one after another.
struct Frames<R: BufRead> {
    frame: Option<Frame<R>>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else { return Ok(0) };
            let read = frame.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(mut input) = self.frame.take().map(StreamingDecoder::into_inner) else { return Ok(0) };
            if input.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.frame = Some(StreamingDecoder::new(input).map_err(std::io::Error::other)?);
        }
    }
}
