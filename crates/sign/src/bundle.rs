//! Sigstore bundles (version 0.3, JSON) that hold a DSSE envelope (Dead Simple Signing Envelope 1.0) with an in-toto
//! statement (version 1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::SignError;
use crate::ecdsa::SigningKey;

/// The media type that is written.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Another spelling of it.
const MEDIA_TYPE_OLD: &str = "application/vnd.dev.sigstore.bundle+json;version=0.3";
/// What an envelope with a statement holds.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Longest bundle that is read, bytes: a model of a million files.
pub const LONGEST_BUNDLE: usize = 512 << 20;
/// Most certificates of a chain, and most entries of logs.
const MOST: usize = 16;

/// The bytes that are signed: the pre-authentication encoding of DSSE.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A signed statement, with what is needed to verify it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Who signed.
    pub material: Material,
    /// The statement as it was signed.
    pub payload: Vec<u8>,
    /// The signature over it.
    pub signature: Vec<u8>,
}

/// Who signed a bundle.
#[derive(Clone, Debug)]
pub enum Material {
    /// A key that the verifier has to know already.
    Key {
        /// SHA-256 of its PEM text, hex, where given.
        hint: Option<String>,
    },
    /// A certificate, leaf first.
    Chain(Vec<Vec<u8>>),
    /// A certificate that lives for minutes, and the entries of a log that say when it was used.
    Logged {
        /// The certificate in DER.
        leaf: Vec<u8>,
        /// What logs say.
        entries: Vec<LogEntry>,
    },
}

/// An entry of a transparency log (Rekor).
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Index in all of the log, for the promise.
    pub index: i64,
    /// SHA-256 of the key of the log.
    pub log: Vec<u8>,
    /// Kind and version of the body.
    pub kind: (String, String),
    /// When it was taken in, seconds since 1970.
    pub time: i64,
    /// Signature of the log over body, time and index.
    pub promise: Option<Vec<u8>>,
    /// That it is under a signed root.
    pub proof: Option<InclusionProof>,
    /// The entry, in canonical JSON.
    pub body: Vec<u8>,
}

/// That an entry is in a log.
#[derive(Clone, Debug)]
pub struct InclusionProof {
    /// Index in the tree.
    pub index: u64,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Vec<u8>,
    /// From the leaf up.
    pub path: Vec<Vec<u8>>,
    /// Signed note that holds size and root.
    pub checkpoint: String,
}

impl Bundle {
    /// Signs a statement with a key. With certificates, leaf first, they go into the bundle in place of the hint.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn sign(payload: Vec<u8>, key: &SigningKey, certificates: Vec<Vec<u8>>) -> Result<Self, SignError> {
        let signature = key.sign(&pae(PAYLOAD_TYPE, &payload))?;
        let material = if certificates.is_empty() {
            Material::Key { hint: Some(key.public().hint()) }
        } else {
            Material::Chain(certificates)
        };
        Ok(Self { material, payload, signature })
    }

    /// Reads the JSON form. Nothing of it is verified.
    ///
    /// # Errors
    /// It is not a bundle, or of a version or kind that is not known.
    pub fn parse(json: &[u8]) -> Result<Self, SignError> {
        if json.len() > LONGEST_BUNDLE {
            return Err(wrong("it is too long"));
        }
        let wire: Wire = serde_json::from_slice(json)
            .map_err(|error| SignError::Bundle(format!("it is not a bundle in JSON: {error}")))?;
        if ![MEDIA_TYPE, MEDIA_TYPE_OLD].contains(&wire.media_type.as_str()) {
            return Err(SignError::Bundle(format!("its media type `{}` is not known", short(&wire.media_type))));
        }
        if wire.dsse_envelope.payload_type != PAYLOAD_TYPE {
            let kind = short(&wire.dsse_envelope.payload_type);
            return Err(SignError::Bundle(format!("it holds `{kind}`, not an in-toto statement")));
        }
        let [signature] = wire.dsse_envelope.signatures.as_slice() else {
            return Err(wrong("it has to hold exactly one signature"));
        };
        Ok(Self {
            material: wire.verification_material.read()?,
            payload: decode(&wire.dsse_envelope.payload)?,
            signature: decode(&signature.sig)?,
        })
    }

    /// The JSON form.
    ///
    /// # Errors
    /// The entries of a log cannot be written back.
    pub fn to_json(&self) -> Result<String, SignError> {
        let raw = |der: &Vec<u8>| WireBytes { raw_bytes: STANDARD.encode(der) };
        let mut material = WireMaterial::default();
        match &self.material {
            Material::Key { hint } => {
                material.public_key = Some(WireKey { hint: hint.clone() });
            }
            Material::Chain(chain) => {
                material.x509_certificate_chain = Some(WireChain { certificates: chain.iter().map(raw).collect() });
            }
            Material::Logged { .. } => return Err(wrong("bundles with entries of a log are only read")),
        }
        let wire = Wire {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: material,
            dsse_envelope: WireEnvelope {
                payload: STANDARD.encode(&self.payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![WireSignature { sig: STANDARD.encode(&self.signature), keyid: String::new() }],
            },
        };
        serde_json::to_string(&wire).map_err(|error| SignError::Bundle(error.to_string()))
    }
}

fn wrong(why: &str) -> SignError {
    SignError::Bundle(why.to_owned())
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

fn decode(text: &str) -> Result<Vec<u8>, SignError> {
    STANDARD.decode(text).map_err(|_| wrong("a value is not base64"))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: WireMaterial,
    dsse_envelope: WireEnvelope,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaterial {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<WireKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<WireChain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<WireBytes>,
    #[serde(default)]
    tlog_entries: Vec<WireEntry>,
}

#[derive(Serialize, Deserialize)]
struct WireKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireChain {
    certificates: Vec<WireBytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBytes {
    raw_bytes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

/// Only ever read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEntry {
    log_index: Number,
    log_id: WireLog,
    kind_version: WireKind,
    #[serde(default)]
    integrated_time: Option<Number>,
    #[serde(default)]
    inclusion_promise: Option<WirePromise>,
    #[serde(default)]
    inclusion_proof: Option<WireProof>,
    canonicalized_body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    key_id: String,
}

#[derive(Serialize, Deserialize)]
struct WireKind {
    kind: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePromise {
    signed_entry_timestamp: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProof {
    #[serde(default)]
    log_index: Number,
    root_hash: String,
    tree_size: Number,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: WireCheckpoint,
}

#[derive(Serialize, Deserialize)]
struct WireCheckpoint {
    envelope: String,
}

/// The JSON form of protocol buffers writes 64-bit numbers as texts, and readers have to take both.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Number(i64),
    Text(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Number {
    fn read(&self) -> Result<i64, SignError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| wrong("a value is not a number")),
        }
    }

    fn natural(&self) -> Result<u64, SignError> {
        u64::try_from(self.read()?).map_err(|_| wrong("a value is negative"))
    }
}

impl WireMaterial {
    fn read(&self) -> Result<Material, SignError> {
        if self.tlog_entries.len() > MOST {
            return Err(wrong("it has too many entries of logs"));
        }
        match (&self.public_key, &self.x509_certificate_chain, &self.certificate) {
            (Some(key), None, None) => Ok(Material::Key { hint: key.hint.clone() }),
            (None, Some(chain), None) if !chain.certificates.is_empty() && chain.certificates.len() <= MOST => {
                let der: Result<_, _> = chain.certificates.iter().map(|c| decode(&c.raw_bytes)).collect();
                Ok(Material::Chain(der?))
            }
            (None, None, Some(leaf)) => {
                let entries: Result<_, _> = self.tlog_entries.iter().map(WireEntry::read).collect();
                Ok(Material::Logged { leaf: decode(&leaf.raw_bytes)?, entries: entries? })
            }
            _ => Err(wrong("it has to name one key, one chain of certificates or one certificate")),
        }
    }
}

impl WireEntry {
    fn read(&self) -> Result<LogEntry, SignError> {
        let proof = match &self.inclusion_proof {
            None => None,
            Some(proof) => Some(InclusionProof {
                index: proof.log_index.natural()?,
                size: proof.tree_size.natural()?,
                root: decode(&proof.root_hash)?,
                path: proof.hashes.iter().map(|h| decode(h)).collect::<Result<_, _>>()?,
                checkpoint: proof.checkpoint.envelope.clone(),
            }),
        };
        Ok(LogEntry {
            index: self.log_index.read()?,
            log: decode(&self.log_id.key_id)?,
            kind: (self.kind_version.kind.clone(), self.kind_version.version.clone()),
            time: self.integrated_time.as_ref().map_or(Ok(0), Number::read)?,
            promise: self.inclusion_promise.as_ref().map(|p| decode(&p.signed_entry_timestamp)).transpose()?,
            proof,
            body: decode(&self.canonicalized_body)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ecdsa::tests::pem;

    #[test]
    fn the_signed_bytes_are_those_of_the_dsse_specification() {
        // The example of the DSSE protocol, version 1.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn a_bundle_comes_back_and_others_are_refused() {
        let key = SigningKey::from_pem(pem(1).as_bytes()).unwrap();
        let bundle = Bundle::sign(b"{}".to_vec(), &key, Vec::new()).unwrap();
        let json = bundle.to_json().unwrap();
        let again = Bundle::parse(json.as_bytes()).unwrap();
        assert_eq!((&again.payload, &again.signature), (&bundle.payload, &bundle.signature));
        assert!(matches!(again.material, Material::Key { hint: Some(hint) } if hint == key.public().hint()));
        for (from, to) in [
            ("bundle.v0.3", "bundle.v9.9"),
            ("vnd.in-toto", "vnd.other"),
            ("publicKey", "otherKey"),
            ("\"sig\":\"", "\"sig\":\"?"),
            ("\"signatures\":[", "\"signatures\":[{\"sig\":\"\"},"),
        ] {
            assert!(json.contains(from), "{json}");
            assert!(Bundle::parse(json.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,300}") {
            let _ = Bundle::parse(text.as_bytes());
        }
    }
}
