//! Sigstore without a network: a certificate of minutes (Fulcio), the log that says when it was used (Rekor), and the log
//! of certificates (RFC 6962), against a trust root that the user supplies (`trusted_root.json`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use crate::SignError;
use crate::bundle::{Bundle, InclusionProof, LogEntry};
use crate::certificate::{self, Leaf};
use crate::ecdsa::VerifyingKey;
use crate::hex::{hex, unhex};
use crate::{merkle, sct};

/// Longest trust root that is read, bytes.
const LONGEST: usize = 1 << 20;
/// Longest body of an entry that is read, bytes.
const LONGEST_BODY: usize = 1 << 20;

/// Whom to trust: authorities and logs, each for a time.
#[derive(Clone, Debug)]
pub struct TrustRoot {
    authorities: Vec<Authority>,
    logs: Vec<Log>,
    certificate_logs: Vec<Log>,
}

#[derive(Clone, Debug)]
struct Authority {
    chain: Vec<Vec<u8>>,
    valid: Period,
}

#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) key: VerifyingKey,
    valid: Period,
}

/// Seconds since 1970; both ends belong to it.
#[derive(Clone, Copy, Debug)]
struct Period {
    start: i64,
    end: i64,
}

impl Period {
    const fn holds(self, at: i64) -> bool {
        self.start <= at && at <= self.end
    }
}

impl TrustRoot {
    /// Reads the JSON form, as the TUF repository of a Sigstore instance serves it. Keys of kinds that are not read here
    /// are passed over: nothing is trusted because of them.
    ///
    /// # Errors
    /// It is malformed, or names no authority or log that can be used.
    pub fn parse(text: &[u8]) -> Result<Self, SignError> {
        if text.len() > LONGEST {
            return Err(SignError::Root("it is too long".to_owned()));
        }
        let wire: Wire = serde_json::from_slice(text).map_err(|error| SignError::Root(error.to_string()))?;
        let mut authorities = Vec::new();
        for authority in &wire.certificate_authorities {
            let chain: Result<_, _> = authority.cert_chain.certificates.iter().map(|c| decode(&c.raw_bytes)).collect();
            authorities.push(Authority { chain: chain?, valid: authority.valid_for.read()? });
        }
        let root = Self { authorities, logs: logs(&wire.tlogs)?, certificate_logs: logs(&wire.ctlogs)? };
        if root.authorities.is_empty() || root.logs.is_empty() || root.certificate_logs.is_empty() {
            return Err(SignError::Root("it names no authority, no log, or no log of certificates".to_owned()));
        }
        Ok(root)
    }

    /// Verifies who signed a bundle with such a certificate, and answers with its leaf and the time of signing.
    ///
    /// # Errors
    /// A log did not sign, an entry is about something else, or the certificate does not verify at the time of the log.
    pub(crate) fn verify(&self, bundle: &Bundle, leaf: &[u8], entries: &[LogEntry]) -> Result<(Leaf, i64), SignError> {
        let Some(first) = entries.first() else {
            return Err(SignError::Unverified("no log says when the certificate was used".to_owned()));
        };
        for entry in entries {
            self.entry(bundle, leaf, entry)?;
        }
        let at = first.time;
        let mut failed =
            SignError::Unverified("no authority of the trust root was valid when it was signed".to_owned());
        for authority in self.authorities.iter().filter(|a| a.valid.holds(at)) {
            match certificate::verify(leaf, &[], &authority.chain, at) {
                Ok(verified) => {
                    let logs: Vec<_> =
                        self.certificate_logs.iter().filter(|log| log.valid.holds(at)).map(|log| &log.key).collect();
                    sct::verify(leaf, &verified.issuer_key, &logs)?;
                    return Ok((verified, at));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn entry(&self, bundle: &Bundle, leaf: &[u8], entry: &LogEntry) -> Result<(), SignError> {
        let fail = |why: &str| SignError::Unverified(format!("the entry of the log {why}"));
        let log = self
            .logs
            .iter()
            .find(|log| log.key.id() == entry.log)
            .ok_or_else(|| fail("is of a log that the trust root does not name"))?;
        if !log.valid.holds(entry.time) {
            return Err(fail("is of a time at which the trust root does not trust the log"));
        }
        let promise = entry.promise.as_ref().ok_or_else(|| {
            fail("has no signed time (`inclusionPromise`); signed timestamps of other authorities are not read")
        })?;
        // The keys are in the order of RFC 8785, and the map of `serde_json` keeps it.
        let signed = json!({
            "body": STANDARD.encode(&entry.body), "integratedTime": entry.time, "logID": hex(&entry.log), "logIndex": entry.index,
        });
        if !log.key.verifies(signed.to_string().as_bytes(), promise) {
            return Err(fail("is not signed by the log"));
        }
        let proof = entry.proof.as_ref().ok_or_else(|| fail("has no proof of inclusion"))?;
        if !included(proof, &entry.body, &log.key) {
            return Err(fail("is not under a root that the log signed"));
        }
        if entry.kind != ("dsse".to_owned(), "0.0.1".to_owned()) {
            return Err(fail("is of a kind that is not known; `dsse` 0.0.1 is"));
        }
        about(&entry.body, bundle, leaf).ok_or_else(|| fail("is about another signature"))
    }
}

/// That the body is under the root of the proof, and that the log signed that root.
fn included(proof: &InclusionProof, body: &[u8], log: &VerifyingKey) -> bool {
    let Ok(root) = <[u8; 32]>::try_from(proof.root.as_slice()) else { return false };
    let path: Option<Vec<[u8; 32]>> = proof.path.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
    let Some(path) = path else { return false };
    merkle::is_under(&merkle::leaf(body), proof.index, proof.size, &path, &root)
        && checkpoint(&proof.checkpoint, log).is_some_and(|(size, signed)| size == proof.size && signed == root)
}

/// Size and root of a signed note that the log signed with ECDSA.
fn checkpoint(note: &str, log: &VerifyingKey) -> Option<(u64, [u8; 32])> {
    let (text, signatures) = note.split_once("\n\n")?;
    let text = [text, "\n"].concat();
    let signed =
        signatures.lines().filter_map(|line| line.strip_prefix("\u{2014} ")?.split_once(' ')).any(|(_, data)| {
            // The first four bytes are a hint about the key.
            STANDARD.decode(data).is_ok_and(|data| data.get(4..).is_some_and(|s| log.verifies(text.as_bytes(), s)))
        });
    let mut lines = text.lines().skip(1);
    let size = lines.next()?.parse().ok()?;
    let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    signed.then_some((size, root))
}

#[derive(Deserialize)]
struct Body {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    payload_hash: Hash,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
struct Signature {
    signature: String,
    verifier: String,
}

/// That the body of an entry is about this bundle: its payload, signature and certificate.
fn about(body: &[u8], bundle: &Bundle, leaf: &[u8]) -> Option<()> {
    let body: Body = serde_json::from_slice(body.get(..LONGEST_BODY.min(body.len()))?).ok()?;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bundle.payload);
    let payload = body.spec.payload_hash.algorithm == "sha256"
        && unhex::<32>(&body.spec.payload_hash.value).is_some_and(|value| value == hash.as_ref());
    let [signature] = body.spec.signatures.as_slice() else { return None };
    let same = STANDARD.decode(&signature.signature).ok()? == bundle.signature;
    let pem = STANDARD.decode(&signature.verifier).ok()?;
    let certificate = CertificateDer::from_pem_slice(&pem).ok()?;
    (payload && same && certificate.as_ref() == leaf).then_some(())
}

fn decode(text: &str) -> Result<Vec<u8>, SignError> {
    STANDARD.decode(text).map_err(|_| SignError::Root("a value is not base64".to_owned()))
}

fn logs(all: &[WireLog]) -> Result<Vec<Log>, SignError> {
    let mut logs = Vec::new();
    for log in all {
        if let Ok(key) = VerifyingKey::from_der(&decode(&log.public_key.raw_bytes)?) {
            logs.push(Log { key, valid: log.public_key.valid_for.read()? });
        }
    }
    Ok(logs)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    tlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<WireAuthority>,
    #[serde(default)]
    ctlogs: Vec<WireLog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    public_key: WireKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: String,
    valid_for: WirePeriod,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    cert_chain: WireChain,
    valid_for: WirePeriod,
}

#[derive(Deserialize)]
struct WireChain {
    certificates: Vec<WireBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
struct WirePeriod {
    start: Option<String>,
    end: Option<String>,
}

impl WirePeriod {
    fn read(&self) -> Result<Period, SignError> {
        let read = |text: &String| {
            let time: Result<Timestamp, _> = text.parse();
            time.map(Timestamp::as_second).map_err(|_| SignError::Root("a period is not in RFC 3339".to_owned()))
        };
        let start = self.start.as_ref().ok_or_else(|| SignError::Root("a period has no start".to_owned()))?;
        Ok(Period { start: read(start)?, end: self.end.as_ref().map_or(Ok(i64::MAX), read)? })
    }
}
