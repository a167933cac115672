//! Signed certificate timestamps inside of certificates (RFC 6962): that an authority logged what it issued.

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::SignError;
use crate::ecdsa::VerifyingKey;

/// The extension that holds them, as an object identifier in DER.
const EXTENSION: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";
const OID: &str = "1.3.6.1.4.1.11129.2.4.2";
/// SHA-256 with ECDSA, the only algorithm of logs.
const ECDSA_SHA256: &[u8] = &[4, 3];

/// Verifies that one of the logs signed for a certificate that holder of `issuer_key` (DER) issued.
///
/// # Errors
/// There is no timestamp, or none of these logs made it.
pub(crate) fn verify(leaf: &[u8], issuer_key: &[u8], logs: &[&VerifyingKey]) -> Result<(), SignError> {
    if signed(leaf, issuer_key, logs).unwrap_or(false) {
        Ok(())
    } else {
        Err(SignError::Unverified("no trusted log of certificates knows the certificate".to_owned()))
    }
}

fn signed(leaf: &[u8], issuer_key: &[u8], logs: &[&VerifyingKey]) -> Option<bool> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let list = certificate.extensions().iter().find(|e| e.oid.to_id_string() == OID)?.value;
    let (mut all, _) = tlv(list, 0x04)?;
    let mut list = vector(&mut all)?;
    let body = without_extension(certificate.tbs_certificate.as_ref())?;
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    let issuer = digest::digest(&digest::SHA256, issuer_key);
    while !list.is_empty() {
        let mut timestamp = vector(&mut list)?;
        let version = take(&mut timestamp, 1)?;
        let log = take(&mut timestamp, 32)?;
        let time = take(&mut timestamp, 8)?;
        let extensions = vector(&mut timestamp)?;
        let algorithm = take(&mut timestamp, 2)?;
        let signature = vector(&mut timestamp)?;
        let Some(key) = logs.iter().find(|key| key.id() == log) else { continue };
        // Version 1, a timestamp, of an entry for a certificate before it held timestamps.
        let more = u16::try_from(extensions.len()).ok()?.to_be_bytes();
        let text = [&[0, 0], time, &[0, 1], issuer.as_ref(), length.get(1..)?, &body, &more, extensions].concat();
        if version == [0] && algorithm == ECDSA_SHA256 && key.verifies(&text, signature) {
            return Some(true);
        }
    }
    Some(false)
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(head)
}

/// Bytes with their length in two bytes before them.
fn vector<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = <[u8; 2]>::try_from(take(from, 2)?).ok()?;
    take(from, usize::from(u16::from_be_bytes(length)))
}

/// The content of a value in DER, and what follows it.
fn tlv(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (whole, rest) = split(der)?;
    (whole.first() == Some(&tag)).then(|| (content(whole), rest))
}

/// The first value with its tag and length, and what follows it. Lengths up to 64 KiB: certificates are small.
fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, length) = match der.get(1..)? {
        [short, ..] if *short < 0x80 => (2, usize::from(*short)),
        [0x81, length, ..] => (3, usize::from(*length)),
        [0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return None,
    };
    der.split_at_checked(head + length)
}

fn content(whole: &[u8]) -> &[u8] {
    let head = match whole.get(1) {
        Some(0x81) => 3,
        Some(0x82) => 4,
        _ => 2,
    };
    whole.get(head..).unwrap_or_default()
}

fn value(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?.to_be_bytes();
    let head: &[u8] = match length {
        [0, low] if low < 0x80 => &[low],
        [0, low] => &[0x81, low],
        [high, low] => &[0x82, high, low],
    };
    Some([&[tag], head, content].concat())
}

/// The part of a certificate that is signed, without the extension that holds the timestamps.
fn without_extension(signed: &[u8]) -> Option<Vec<u8>> {
    let (mut fields, _) = tlv(signed, 0x30)?;
    let mut out = Vec::new();
    while !fields.is_empty() {
        let (field, rest) = split(fields)?;
        fields = rest;
        if field.first() == Some(&0xa3) {
            let (mut extensions, _) = tlv(content(field), 0x30)?;
            let mut kept = Vec::new();
            while !extensions.is_empty() {
                let (extension, rest) = split(extensions)?;
                extensions = rest;
                if !content(extension).starts_with(EXTENSION) {
                    kept.extend_from_slice(extension);
                }
            }
            out.extend(value(0xa3, &value(0x30, &kept)?)?);
        } else {
            out.extend_from_slice(field);
        }
    }
    value(0x30, &out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_extension_is_taken_out_and_lengths_are_made_anew() {
        let kept = value(0x30, b"\x06\x01\x2a\x04\x00").unwrap();
        let gone = value(0x30, &[EXTENSION, &[0x04; 200]].concat()).unwrap();
        let tbs = |extensions: &[u8]| {
            let list = value(0xa3, &value(0x30, extensions).unwrap()).unwrap();
            value(0x30, &[b"\x02\x01\x05".as_slice(), &list].concat()).unwrap()
        };
        assert_eq!(without_extension(&tbs(&[kept.clone(), gone].concat())), Some(tbs(&kept)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = without_extension(&bytes);
            let _ = signed(&bytes, &[], &[]);
        }
    }
}
