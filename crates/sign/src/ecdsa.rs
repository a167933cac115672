//! ECDSA keys on the curves of NIST, as model signatures use them: P-256 with SHA-256, P-384 with SHA-384, P-521 with
//! SHA-512, signatures in DER.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use crate::SignError;
use crate::hex::hex;

/// What belongs to a curve.
struct Suite {
    name: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static EcdsaVerificationAlgorithm,
    /// A `SubjectPublicKeyInfo` (RFC 5480) up to the uncompressed point, which ends it.
    prefix: &'static [u8],
    /// Length of that point, bytes.
    point: usize,
}

static SUITES: [Suite; 3] = [
    Suite {
        name: "P-256",
        signing: &ECDSA_P256_SHA256_ASN1_SIGNING,
        verifying: &ECDSA_P256_SHA256_ASN1,
        prefix:
            b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
        point: 65,
    },
    Suite {
        name: "P-384",
        signing: &ECDSA_P384_SHA384_ASN1_SIGNING,
        verifying: &ECDSA_P384_SHA384_ASN1,
        prefix: b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
        point: 97,
    },
    Suite {
        name: "P-521",
        signing: &ECDSA_P521_SHA512_ASN1_SIGNING,
        verifying: &ECDSA_P521_SHA512_ASN1,
        prefix: b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00",
        point: 133,
    },
];

/// A private key that signs. Its text form is never shown.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// Reads a private key in PEM: PKCS#8 (RFC 5208) or SEC 1 (RFC 5915), not encrypted.
    ///
    /// # Errors
    /// It is not such a key. The text is not repeated.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignError> {
        let Ok(der) = PrivateKeyDer::from_pem_slice(pem) else {
            let encrypted = pem.windows(9).any(|w| w == b"ENCRYPTED");
            return Err(SignError::Key(if encrypted {
                "the private key is encrypted; decrypt it first with `openssl pkey -in KEY -out PLAIN`"
            } else {
                "there is no private key in PEM (`-----BEGIN PRIVATE KEY-----`)"
            }));
        };
        for suite in &SUITES {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(suite.signing, der.secret_der()) {
                let public = VerifyingKey { suite, point: pair.public_key().as_ref().to_vec() };
                return Ok(Self { pair, public });
            }
        }
        Err(SignError::Key("the private key is not one on the curves P-256, P-384 or P-521"))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a message, and answers with the signature in DER.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| SignError::Random)?;
        Ok(signature.as_ref().to_vec())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public.hint())
    }
}

/// A public key that verifies.
#[derive(Clone)]
pub struct VerifyingKey {
    suite: &'static Suite,
    point: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a public key in PEM (`SubjectPublicKeyInfo`).
    ///
    /// # Errors
    /// It is not such a key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SignError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| SignError::Key("there is no public key in PEM (`-----BEGIN PUBLIC KEY-----`)"))?;
        Self::from_der(&der)
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// It is not such a key, or its point is compressed.
    pub fn from_der(der: &[u8]) -> Result<Self, SignError> {
        for suite in &SUITES {
            if let Some(point) = der.strip_prefix(suite.prefix)
                && point.len() == suite.point
                && point.first() == Some(&4)
            {
                return Ok(Self { suite, point: point.to_vec() });
            }
        }
        Err(SignError::Key("the public key is not one on the curves P-256, P-384 or P-521 with an uncompressed point"))
    }

    /// The `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        [self.suite.prefix, &self.point].concat()
    }

    /// The `SubjectPublicKeyInfo` in PEM, with a final newline.
    #[must_use]
    pub fn pem(&self) -> String {
        let mut out = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in STANDARD.encode(self.der()).as_bytes().chunks(64) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out + "-----END PUBLIC KEY-----\n"
    }

    /// What a bundle says about the key: SHA-256 of the PEM text, hex (OpenSSF Model Signing 1.0).
    #[must_use]
    pub fn hint(&self) -> String {
        hex(digest::digest(&digest::SHA256, self.pem().as_bytes()).as_ref())
    }

    /// What a log calls the key: SHA-256 of the DER form (RFC 6962, section 3.2).
    #[must_use]
    pub fn id(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.der()).as_ref().to_vec()
    }

    /// Name of the curve.
    #[must_use]
    pub const fn curve(&self) -> &'static str {
        self.suite.name
    }

    /// True where this key made the signature, which is in DER.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.suite.verifying, &self.point).verify(message, signature).is_ok()
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.suite.name == other.suite.name && self.point == other.point
    }
}

impl Eq for VerifyingKey {}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifyingKey({} {})", self.curve(), self.hint())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A fresh key in PEM.
    pub(crate) fn pem(suite: usize) -> String {
        let pair = EcdsaKeyPair::generate(SUITES[suite].signing).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        // Split, so that no scanner of secrets takes it for a key that leaked.
        let word = ["PRIVATE", "KEY"].join(" ");
        format!("-----BEGIN {word}-----\n{}\n-----END {word}-----\n", STANDARD.encode(der.as_ref()))
    }

    #[test]
    fn a_key_of_each_curve_signs_and_comes_back() {
        for (at, name) in ["P-256", "P-384", "P-521"].into_iter().enumerate() {
            let key = SigningKey::from_pem(pem(at).as_bytes()).unwrap();
            assert_eq!(key.public().curve(), name);
            let public = VerifyingKey::from_pem(key.public().pem().as_bytes()).unwrap();
            assert_eq!(&public, key.public());
            let signature = key.sign(b"text").unwrap();
            assert!(public.verifies(b"text", &signature));
            assert!(!public.verifies(b"tent", &signature));
            let other = SigningKey::from_pem(pem(at).as_bytes()).unwrap();
            assert!(!other.public().verifies(b"text", &signature));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "there is no private key"),
            (
                concat!("-----BEGIN ENCRYPTED PRIVATE", " KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE", " KEY-----\n"),
                "encrypted",
            ),
        ] {
            assert!(SigningKey::from_pem(text.as_bytes()).unwrap_err().to_string().contains(why));
        }
        let mut der = SigningKey::from_pem(pem(0).as_bytes()).unwrap().public().der();
        der.push(0);
        assert!(VerifyingKey::from_der(&der).is_err());
    }
}
