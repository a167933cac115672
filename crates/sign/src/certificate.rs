//! Certificates that sign: their chain up to a root that the user trusts, and whom they name.

use aws_lc_rs::digest;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::SignError;
use crate::ecdsa::VerifyingKey;
use crate::hex::hex;

/// `id-kp-codeSigning` (RFC 5280, section 4.2.1.12), as the value of an object identifier.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// Who identified the holder, for certificates of Fulcio: a DER text, and as it was before.
const OIDC_ISSUER: &str = "1.3.6.1.4.1.57264.1.8";
const OIDC_ISSUER_OLD: &str = "1.3.6.1.4.1.57264.1.1";

/// Certificates in DER.
#[derive(Clone, Debug, Default)]
pub struct Certificates(Vec<Vec<u8>>);

impl Certificates {
    /// Reads all certificates of a PEM text, in its order.
    ///
    /// # Errors
    /// There is none, or one is malformed.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).map(|c| c.map(|c| c.to_vec())).collect();
        let all = all.map_err(|_| SignError::Certificate("the PEM text is malformed".to_owned()))?;
        if all.is_empty() {
            return Err(SignError::Certificate("there is none in PEM (`-----BEGIN CERTIFICATE-----`)".to_owned()));
        }
        for der in &all {
            read(der)?;
        }
        Ok(Self(all))
    }

    /// Given ones.
    #[must_use]
    pub const fn from_der(all: Vec<Vec<u8>>) -> Self {
        Self(all)
    }

    /// Adds those of another.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// In DER.
    #[must_use]
    pub fn der(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The public key of the first one.
    ///
    /// # Errors
    /// It is not on a curve that signs models.
    pub fn key(&self) -> Result<VerifyingKey, SignError> {
        let first = self.0.first().ok_or_else(|| SignError::Certificate("there is none".to_owned()))?;
        VerifyingKey::from_der(read(first)?.public_key().raw)
    }
}

/// What a verified certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// The key that it names.
    pub(crate) key: VerifyingKey,
    /// Its subject, in the form of RFC 4514.
    pub(crate) subject: String,
    /// Other names: mail addresses, URIs, host names.
    pub(crate) names: Vec<String>,
    /// Who identified the holder, where Fulcio issued it.
    pub(crate) oidc_issuer: Option<String>,
    /// SHA-256 of its DER form, hex.
    pub(crate) fingerprint: String,
    /// The key of whoever issued it, in DER.
    pub(crate) issuer_key: Vec<u8>,
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, SignError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(SignError::Certificate("it is malformed".to_owned())),
    }
}

/// Verifies a certificate up to one of the trusted ones at a time (seconds since 1970).
///
/// Only those of `trusted` that issued themselves are roots; the rest of them may be links of the chain, as those of
/// `others` may. Every certificate of the chain has to be valid at that time. The leaf must be allowed to sign: key usage
/// `digitalSignature` or, without a key usage, the purpose `codeSigning`; where it names purposes, `codeSigning` is one.
///
/// # Errors
/// One of these does not hold.
pub(crate) fn verify(leaf: &[u8], others: &[Vec<u8>], trusted: &[Vec<u8>], at: i64) -> Result<Leaf, SignError> {
    let fail = |why: String| SignError::Unverified(why);
    let certificate = read(leaf)?;
    let mut anchors: Vec<TrustAnchor<'_>> = Vec::new();
    let ders: Vec<CertificateDer<'_>> = trusted.iter().map(|c| CertificateDer::from(c.as_slice())).collect();
    let mut links: Vec<CertificateDer<'_>> = others.iter().map(|c| CertificateDer::from(c.as_slice())).collect();
    for der in &ders {
        let parsed = read(der)?;
        if parsed.subject() == parsed.issuer() {
            anchors.push(
                anchor_from_trusted_cert(der)
                    .map_err(|error| SignError::Certificate(format!("a trusted one cannot be used: {error}")))?,
            );
        } else {
            links.push(der.clone());
        }
    }
    if anchors.is_empty() {
        return Err(SignError::Certificate(
            "none of the trusted ones is a root (issued by itself); give the root".to_owned(),
        ));
    }
    let der = CertificateDer::from(leaf);
    let end = EndEntityCert::try_from(&der)
        .map_err(|error| SignError::Certificate(format!("the leaf is malformed: {error}")))?;
    let seconds = u64::try_from(at).map_err(|_| fail("the time is before 1970".to_owned()))?;
    let path = end
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            &links,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::required_if_present(CODE_SIGNING),
            None,
            None,
        )
        .map_err(|error| fail(reason(&error, &certificate)))?;
    let issuer_key = path.issuer_spki().to_vec();
    may_sign(&certificate)?;
    Ok(Leaf {
        key: VerifyingKey::from_der(certificate.public_key().raw)?,
        subject: certificate.subject().to_string(),
        names: names(&certificate),
        oidc_issuer: oidc_issuer(&certificate),
        fingerprint: hex(digest::digest(&digest::SHA256, leaf).as_ref()),
        issuer_key,
    })
}

fn reason(error: &webpki::Error, certificate: &X509Certificate<'_>) -> String {
    let validity = certificate.validity();
    match error {
        webpki::Error::CertExpired { .. } => {
            format!(
                "a certificate of the chain was expired at that time (the leaf is valid until {})",
                validity.not_after
            )
        }
        webpki::Error::CertNotValidYet { .. } => {
            format!(
                "a certificate of the chain was not valid yet at that time (the leaf is valid from {})",
                validity.not_before
            )
        }
        webpki::Error::UnknownIssuer => "its chain does not lead to a trusted root".to_owned(),
        webpki::Error::RequiredEkuNotFoundContext(_) => "a certificate of the chain is not for signing code".to_owned(),
        error => format!("its chain does not verify: {error}"),
    }
}

fn may_sign(certificate: &X509Certificate<'_>) -> Result<(), SignError> {
    let malformed = |_| SignError::Certificate("its key usage is malformed".to_owned());
    let usage = certificate.key_usage().map_err(malformed)?.map(|usage| usage.value.digital_signature());
    let purpose =
        certificate.extended_key_usage().map_err(malformed)?.is_some_and(|purposes| purposes.value.code_signing);
    if usage.unwrap_or(purpose) {
        Ok(())
    } else {
        Err(SignError::Unverified("the certificate is not for signatures (key usage `digitalSignature`)".to_owned()))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::RFC822Name(text) | GeneralName::URI(text) | GeneralName::DNSName(text) => Some((*text).to_owned()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}

fn oidc_issuer(certificate: &X509Certificate<'_>) -> Option<String> {
    let value = |oid: &str| certificate.extensions().iter().find(|e| e.oid.to_id_string() == oid).map(|e| e.value);
    // A UTF8String of fewer than 128 bytes, or of fewer than 256.
    let text = value(OIDC_ISSUER).and_then(|der| match der {
        [0x0c, length, text @ ..] if *length < 0x80 && usize::from(*length) == text.len() => Some(text),
        [0x0c, 0x81, length, text @ ..] if usize::from(*length) == text.len() => Some(text),
        _ => None,
    });
    text.or_else(|| value(OIDC_ISSUER_OLD)).and_then(|text| std::str::from_utf8(text).ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, date_time_ymd,
    };

    use super::*;

    /// A root and a leaf that the change was made to, in DER. Valid in 2026.
    fn chain(change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = root.self_signed(&key).unwrap().der().to_vec();
        let issuer = Issuer::new(root, key);
        let mut leaf = CertificateParams::new(vec!["signer.example".to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, "signer");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.not_before = date_time_ymd(2026, 1, 1);
        leaf.not_after = date_time_ymd(2027, 1, 1);
        change(&mut leaf);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        (der, leaf.signed_by(&key, &issuer).unwrap().der().to_vec())
    }

    /// 2026-06-01.
    const IN_TIME: i64 = 1_780_272_000;

    #[test]
    fn a_leaf_is_verified_up_to_its_root() {
        let (root, leaf) = chain(|_| {});
        let verified = verify(&leaf, &[], std::slice::from_ref(&root), IN_TIME).unwrap();
        assert!(verified.subject.contains("signer"), "{}", verified.subject);
        assert_eq!(verified.names, ["signer.example"]);
        let error = |at, trusted: &[Vec<u8>]| verify(&leaf, &[], trusted, at).unwrap_err().to_string();
        assert!(error(1_900_000_000, std::slice::from_ref(&root)).contains("expired"));
        assert!(error(1_600_000_000, std::slice::from_ref(&root)).contains("not valid yet"));
        assert!(error(IN_TIME, &[chain(|_| {}).0]).contains("chain"));
        assert!(error(IN_TIME, std::slice::from_ref(&leaf)).contains("give the root"));
    }

    #[test]
    fn a_leaf_that_is_for_something_else_is_refused() {
        let server = chain(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
        let agree = chain(|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement]);
        let none = chain(|leaf| leaf.key_usages.clear());
        let ca = chain(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        for (root, leaf) in [server, agree, none, ca] {
            assert!(verify(&leaf, &[], &[root], IN_TIME).is_err());
        }
        let code = chain(|leaf| {
            leaf.key_usages.clear();
            leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        });
        assert!(verify(&code.1, &[], &[code.0], IN_TIME).is_ok());
    }
}
