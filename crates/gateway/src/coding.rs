//! Content codings: what a compressed body says, within bounds.

use std::io::{self, Read, Write};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor, DecompressorWriter};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use flate2::write;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use ruzstd::decoding::StreamingDecoder;

/// A body may always become this large, in bytes.
const FREE: usize = 1 << 20;

/// Above that, it may become so many times its compressed size. JSON rarely shrinks by more than 20.
const RATIO: usize = 128;

/// Largest zstd window, in bytes (RFC 9659, section 3).
const ZSTD_WINDOW: u64 = 8 << 20;

/// A content coding (RFC 9110, section 8.4.1; RFC 7932; RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Why a coded body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodingError {
    /// A coding that is not known.
    Unknown,
    /// More than one coding.
    Stacked,
    /// Larger than the limit, or much larger than its compressed form.
    TooLarge,
    /// Not in the coding that the header names.
    Malformed,
}

/// The coding that the headers name; `None` where there is none.
pub(crate) fn coding(headers: &HeaderMap) -> Result<Option<Coding>, CodingError> {
    let plain = |v: &http::HeaderValue| v.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !headers.get_all(TRANSFER_ENCODING).iter().all(plain) {
        return Err(CodingError::Unknown);
    }
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().map_err(|_| CodingError::Unknown)?.split(',') {
            let coding = match name.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                "zstd" => Coding::Zstd,
                _ => return Err(CodingError::Unknown),
            };
            if found.replace(coding).is_some() {
                return Err(CodingError::Stacked);
            }
        }
    }
    Ok(found)
}

/// The body without its coding, of `limit` bytes at most. Memory is bounded by the output and a window of at most
/// 16 MiB.
pub(crate) fn decode(coding: Coding, body: &[u8], limit: usize) -> Result<Vec<u8>, CodingError> {
    let limit = limit.min(FREE.max(body.len().saturating_mul(RATIO)));
    match coding {
        Coding::Gzip => collect(MultiGzDecoder::new(body), limit),
        Coding::Deflate if is_zlib(body) => collect(ZlibDecoder::new(body), limit),
        // Some clients leave out the zlib wrapping (RFC 9110, section 8.4.1.2).
        Coding::Deflate => collect(DeflateDecoder::new(body), limit),
        Coding::Brotli => {
            let mut decoder = Decompressor::new(body, 4096);
            // Windows of a gigabyte are no part of the registered coding.
            decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
            collect(decoder, limit)
        }
        Coding::Zstd => zstd(body, limit),
    }
}

fn collect(decoder: impl Read, limit: usize) -> Result<Vec<u8>, CodingError> {
    let mut out = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(&mut out).map_err(|_| CodingError::Malformed)?;
    if out.len() > limit { Err(CodingError::TooLarge) } else { Ok(out) }
}

/// All frames of the body.
fn zstd(body: &[u8], limit: usize) -> Result<Vec<u8>, CodingError> {
    let mut rest = body;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let decoder = StreamingDecoder::new_with_max_window_size(&mut rest, ZSTD_WINDOW);
        let frame = collect(decoder.map_err(|_| CodingError::Malformed)?, limit - out.len())?;
        out.extend_from_slice(&frame);
    }
    Ok(out)
}

/// Takes the coding off a stream, piece by piece.
pub(crate) enum Unpacker {
    Gzip(Box<write::MultiGzDecoder<Room>>),
    Deflate(Box<write::ZlibDecoder<Room>>),
    Brotli(Box<DecompressorWriter<Room>>),
}

/// What one piece became, as far as there is room for it.
#[derive(Default)]
pub(crate) struct Room {
    out: Vec<u8>,
    left: usize,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("no room"))?;
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Unpacker {
    /// `None` for a coding that is read only as a whole.
    pub(crate) fn new(coding: Coding) -> Option<Self> {
        let room = Room::default();
        Some(match coding {
            Coding::Gzip => Self::Gzip(Box::new(write::MultiGzDecoder::new(room))),
            Coding::Deflate => Self::Deflate(Box::new(write::ZlibDecoder::new(room))),
            Coding::Brotli => {
                let mut decoder = DecompressorWriter::new(room, 4096);
                decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                Self::Brotli(Box::new(decoder))
            }
            Coding::Zstd => return None,
        })
    }

    /// What this piece says.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, CodingError> {
        self.room().left = FREE.max(piece.len().saturating_mul(RATIO));
        let decoder: &mut dyn Write = match self {
            Self::Gzip(decoder) => decoder,
            Self::Deflate(decoder) => decoder,
            Self::Brotli(decoder) => decoder,
        };
        decoder.write_all(piece).and_then(|()| decoder.flush()).map_err(|_| CodingError::Malformed)?;
        Ok(std::mem::take(&mut self.room().out))
    }

    fn room(&mut self) -> &mut Room {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
        }
    }
}

/// True where the first two bytes are a zlib header (RFC 1950, section 2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    const LIMIT: usize = 16 << 20;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// One uncompressed meta-block and an empty last one (RFC 7932, section 9).
    fn brotli(data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len() - 1).unwrap();
        // Window of 16 bits: `0`. Then ISLAST 0, MNIBBLES 4, MLEN - 1, ISUNCOMPRESSED 1.
        let head = length << 4 | 1 << 20;
        let mut out = head.to_le_bytes()[..3].to_vec();
        out.extend_from_slice(data);
        out.push(3);
        out
    }

    #[test]
    fn every_coding_is_read() {
        let data = b"{\"messages\": [\"some words\"]}";
        for (coding, coded) in [
            (Coding::Gzip, gzip(data)),
            (Coding::Deflate, zlib(data)),
            (Coding::Deflate, deflate(data)),
            (Coding::Brotli, brotli(data)),
            (Coding::Zstd, zstandard(data)),
        ] {
            assert_eq!(decode(coding, &coded, LIMIT).as_deref(), Ok(&data[..]), "{coding:?}");
            for end in [0, coded.len() / 2, coded.len() - 1] {
                let cut = decode(coding, &coded[..end], LIMIT);
                assert!(cut.is_err() || cut.is_ok_and(|text| text != data), "{coding:?} cut at {end}");
            }
            assert_eq!(decode(coding, &coded, 5), Err(CodingError::TooLarge), "{coding:?}");
        }
        let twice = [gzip(b"ab"), gzip(b"cd")].concat();
        assert_eq!(decode(Coding::Gzip, &twice, LIMIT).as_deref(), Ok(&b"abcd"[..]));
        let twice = [zstandard(b"ab"), zstandard(b"cd")].concat();
        assert_eq!(decode(Coding::Zstd, &twice, LIMIT).as_deref(), Ok(&b"abcd"[..]));
        let garbage = [gzip(b"ab"), b"and more".to_vec()].concat();
        assert_eq!(decode(Coding::Gzip, &garbage, LIMIT), Err(CodingError::Malformed));
    }

    #[test]
    fn bombs_are_stopped_early() {
        let zeros = vec![0; 12 << 20];
        for (coding, coded) in
            [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, zlib(&zeros)), (Coding::Zstd, zstandard(&zeros))]
        {
            assert!(coded.len() * RATIO < zeros.len(), "{coding:?} is no bomb: {}", coded.len());
            assert_eq!(decode(coding, &coded, LIMIT), Err(CodingError::TooLarge), "{coding:?}");
        }
        // A frame that asks for a window of 128 MiB before it says anything.
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x01, 0x00, 0x00];
        assert_eq!(decode(Coding::Zstd, &window, LIMIT), Err(CodingError::Malformed));
        // The large-window form of brotli.
        assert_eq!(decode(Coding::Brotli, &[0x11, 0x1e, 0x03, 0x00], LIMIT), Err(CodingError::Malformed));
    }

    #[test]
    fn a_stream_is_read_as_it_comes() {
        let data = b"data: {\"choices\": []}\n\n";
        for (coding, coded) in
            [(Coding::Gzip, gzip(data)), (Coding::Deflate, zlib(data)), (Coding::Brotli, brotli(data))]
        {
            for size in [1, 7, coded.len()] {
                let mut unpacker = Unpacker::new(coding).unwrap();
                let all: Vec<u8> = coded.chunks(size).flat_map(|piece| unpacker.push(piece).unwrap()).collect();
                assert_eq!(all, data, "{coding:?} in pieces of {size}");
            }
        }
        // Half of it is out before the end is there.
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).and_then(|()| encoder.flush()).unwrap();
        let half = encoder.get_ref().clone();
        assert_eq!(Unpacker::new(Coding::Gzip).unwrap().push(&half).as_deref(), Ok(&data[..]));
        let bomb = gzip(&vec![0; 12 << 20]);
        assert!(Unpacker::new(Coding::Gzip).unwrap().push(&bomb).is_err());
        assert!(Unpacker::new(Coding::Gzip).unwrap().push(b"data: plain\n\n").is_err());
        assert!(Unpacker::new(Coding::Zstd).is_none());
    }

    #[test]
    fn one_known_coding_at_a_time() {
        let named = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            coding(&headers)
        };
        assert_eq!(named(&[]), Ok(None));
        assert_eq!(named(&["identity"]), Ok(None));
        assert_eq!(named(&["GZIP"]), Ok(Some(Coding::Gzip)));
        assert_eq!(named(&["gzip, gzip"]), Err(CodingError::Stacked));
        assert_eq!(named(&["br", "gzip"]), Err(CodingError::Stacked));
        assert_eq!(named(&["compress"]), Err(CodingError::Unknown));
    }
}
