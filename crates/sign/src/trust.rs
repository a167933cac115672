//! Whom a verifier trusts, and what a bundle says once it is verified.

use std::fmt;

use crate::SignError;
use crate::bundle::{Bundle, Material, PAYLOAD_TYPE, pae};
use crate::certificate::{self, Certificates};
use crate::ecdsa::VerifyingKey;
use crate::sigstore::TrustRoot;
use crate::statement::Statement;

/// Whom to trust.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Holders of these keys.
    Keys(Vec<VerifyingKey>),
    /// Holders of certificates under these roots.
    Certificates {
        /// Roots, and links of chains.
        trusted: Certificates,
        /// Only who is named so, as subject or other name.
        identity: Option<String>,
        /// At which time certificates have to be valid, seconds since 1970.
        at: i64,
    },
    /// Whom a Sigstore instance identified.
    Sigstore {
        /// That instance.
        root: Box<TrustRoot>,
        /// Mail address or URI.
        identity: String,
        /// Who has to have identified them.
        issuer: String,
    },
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The holder of a key.
    Key {
        /// SHA-256 of its PEM text, hex.
        hint: String,
    },
    /// The holder of a certificate.
    Certificate {
        /// Its subject.
        subject: String,
        /// SHA-256 of it, hex.
        fingerprint: String,
    },
    /// Whom a Sigstore instance identified.
    Sigstore {
        /// Mail address or URI.
        identity: String,
        /// Who identified them.
        issuer: String,
        /// When, by the log, seconds since 1970.
        time: i64,
    },
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { hint } => write!(f, "key {hint}"),
            Self::Certificate { subject, fingerprint } => write!(f, "certificate {subject} (SHA-256 {fingerprint})"),
            Self::Sigstore { identity, issuer, .. } => write!(f, "{identity} (identified by {issuer})"),
        }
    }
}

/// A statement and who signed it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What was signed.
    pub statement: Statement,
    /// By whom.
    pub signer: Signer,
}

/// Verifies a bundle with the one that fits of several kinds of trust.
///
/// # Errors
/// As [`Trust::open`].
pub fn open(trusts: &[Trust], bundle: &Bundle) -> Result<Signed, SignError> {
    let mut failed = SignError::Unverified("nobody is trusted".to_owned());
    // One that fits says more about why it does not verify.
    let (fit, others): (Vec<_>, Vec<_>) = trusts.iter().partition(|trust| trust.fits(&bundle.material));
    for trust in others.into_iter().chain(fit) {
        match trust.open(bundle) {
            Ok(signed) => return Ok(signed),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl Trust {
    const fn fits(&self, material: &Material) -> bool {
        matches!(
            (self, material),
            (Self::Keys(_), Material::Key { .. })
                | (Self::Certificates { .. }, Material::Chain(_))
                | (Self::Sigstore { .. }, Material::Logged { .. })
        )
    }

    /// Verifies a bundle. What it says is read only after that.
    ///
    /// # Errors
    /// [`SignError::Unverified`] where nobody trusted signed it; others where it cannot be read.
    pub fn open(&self, bundle: &Bundle) -> Result<Signed, SignError> {
        let message = pae(PAYLOAD_TYPE, &bundle.payload);
        let fail = |why: &str| Err(SignError::Unverified(why.to_owned()));
        let check = |key: &VerifyingKey| key.verifies(&message, &bundle.signature);
        let signer = match (self, &bundle.material) {
            (Self::Keys(keys), Material::Key { hint }) => {
                let named = keys.iter().filter(|key| hint.as_ref().is_none_or(|hint| *hint == key.hint()));
                let mut named = named.peekable();
                if named.peek().is_none() {
                    return fail("it is made with another key than the trusted ones");
                }
                match named.find(|key| check(key)) {
                    Some(key) => Signer::Key { hint: key.hint() },
                    None => return fail("the signature does not fit what is signed"),
                }
            }
            // The signer may publish a certificate for a key that the verifier knows already.
            (Self::Keys(keys), Material::Chain(chain)) => {
                let key = Certificates::from_der(chain.clone()).key()?;
                match keys.iter().find(|trusted| **trusted == key) {
                    Some(key) if check(key) => Signer::Key { hint: key.hint() },
                    Some(_) => return fail("the signature does not fit what is signed"),
                    None => return fail("it is made with another key than the trusted ones"),
                }
            }
            (Self::Certificates { trusted, identity, at }, Material::Chain(chain)) => {
                let (leaf, others) =
                    chain.split_first().ok_or_else(|| SignError::Bundle("it has no certificate".to_owned()))?;
                let leaf = certificate::verify(leaf, others, trusted.der(), *at)?;
                if !check(&leaf.key) {
                    return fail("the signature does not fit what is signed");
                }
                if identity.as_ref().is_some_and(|wanted| leaf.subject != *wanted && !leaf.names.contains(wanted)) {
                    return fail("the certificate names somebody else");
                }
                Signer::Certificate { subject: leaf.subject, fingerprint: leaf.fingerprint }
            }
            (Self::Sigstore { root, identity, issuer }, Material::Logged { leaf, entries }) => {
                let (leaf, time) = root.verify(bundle, leaf, entries)?;
                if !check(&leaf.key) {
                    return fail("the signature does not fit what is signed");
                }
                if !leaf.names.contains(identity) || leaf.oidc_issuer.as_ref() != Some(issuer) {
                    let who = leaf.names.join(", ");
                    let by = leaf.oidc_issuer.unwrap_or_default();
                    return Err(SignError::Unverified(format!("it is signed by `{who}`, whom `{by}` identified")));
                }
                Signer::Sigstore { identity: identity.clone(), issuer: issuer.clone(), time }
            }
            (_, Material::Key { .. }) => return fail("it is signed with a key; give `--public-key`"),
            (_, Material::Chain(_)) => return fail("it is signed with a certificate; give `--certificate-chain`"),
            (_, Material::Logged { .. }) => {
                return fail(
                    "it is signed through Sigstore; give `--trust-root`, `--identity` and `--identity-provider`",
                );
            }
        };
        Ok(Signed { statement: Statement::parse(&bundle.payload)?, signer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelManifest;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../fixtures/", $name)).as_slice()
        };
    }

    const IDENTITY: &str = "stefanb@us.ibm.com";
    const ISSUER: &str = "https://sigstore.verify.ibm.com/oauth2";
    /// 2026-06-01.
    const NOW: i64 = 1_780_272_000;

    fn keys(pem: &[u8]) -> Trust {
        Trust::Keys(vec![VerifyingKey::from_pem(pem).unwrap()])
    }

    fn sigstore(identity: &str, issuer: &str) -> Trust {
        let root = Box::new(TrustRoot::parse(fixture!("sigstore/trusted_root.json")).unwrap());
        Trust::Sigstore { root, identity: identity.to_owned(), issuer: issuer.to_owned() }
    }

    fn certificates(identity: Option<&str>, at: i64) -> Trust {
        let trusted = Certificates::from_pem(fixture!("root.pem")).unwrap();
        Trust::Certificates { trusted, identity: identity.map(str::to_owned), at }
    }

    fn open(trust: &Trust, bundle: &[u8]) -> Result<Signed, SignError> {
        trust.open(&Bundle::parse(bundle).unwrap())
    }

    #[test]
    fn signatures_of_the_reference_implementation_verify_for_every_curve() {
        for (bundle, key) in [
            (fixture!("p256.sig"), fixture!("p256.pub")),
            (fixture!("p384.sig"), fixture!("p384.pub")),
            (fixture!("p521.sig"), fixture!("p521.pub")),
        ] {
            let signed = open(&keys(key), bundle).unwrap();
            let manifest = ModelManifest::from_statement(&signed.statement).unwrap();
            let paths: Vec<_> = manifest.entries.iter().map(|e| e.path.as_str()).collect();
            assert_eq!(paths, ["a/b", "a b.txt", "a.txt", "empty.py", "sub/w.bin"]);
            // Made anew in our order, it has the same root.
            let files = manifest.entries.iter().rev().map(|e| (e.path.clone(), e.sha256));
            assert_eq!(ModelManifest::new("model", files, Vec::new(), false).root(), manifest.root());
        }
        let error = open(&keys(fixture!("p384.pub")), fixture!("p256.sig")).unwrap_err();
        assert!(matches!(error, SignError::Unverified(_)), "{error}");
    }

    #[test]
    fn a_changed_payload_or_signature_is_refused() {
        let trust = keys(fixture!("p256.pub"));
        let good = Bundle::parse(fixture!("p256.sig")).unwrap();
        for at in [0, good.payload.len() / 2, good.payload.len() - 1] {
            let mut bundle = good.clone();
            bundle.payload[at] ^= 1;
            assert!(matches!(trust.open(&bundle), Err(SignError::Unverified(_))));
        }
        for at in 0..good.signature.len() {
            let mut bundle = good.clone();
            bundle.signature[at] ^= 1;
            assert!(trust.open(&bundle).is_err());
        }
    }

    #[test]
    fn certificates_of_the_reference_verify_and_expired_ones_do_not() {
        let signed = open(&certificates(None, NOW), fixture!("leaf.sig")).unwrap();
        assert!(signed.signer.to_string().contains("CN=signer"), "{}", signed.signer);
        assert!(open(&certificates(Some("signer@models.example"), NOW), fixture!("leaf.sig")).is_ok());
        assert!(open(&certificates(Some("other@models.example"), NOW), fixture!("leaf.sig")).is_err());
        // The reference takes it: it asks whether the leaf was valid when its own validity began.
        let error = open(&certificates(None, NOW), fixture!("expired.sig")).unwrap_err().to_string();
        assert!(error.contains("expired"), "{error}");
        // 2024-06-01.
        assert!(open(&certificates(None, 1_717_200_000), fixture!("expired.sig")).is_ok());
        assert!(open(&certificates(None, NOW), fixture!("p256.sig")).is_err());
    }

    #[test]
    fn a_model_signed_through_sigstore_verifies_offline() {
        let signed = open(&sigstore(IDENTITY, ISSUER), fixture!("sigstore/model.sig")).unwrap();
        assert!(matches!(signed.signer, Signer::Sigstore { time: 1_746_236_086, .. }));
        assert_eq!(ModelManifest::from_statement(&signed.statement).unwrap().entries.len(), 2);
        for (identity, issuer) in [("other@us.ibm.com", ISSUER), (IDENTITY, "https://other.example")] {
            let error = open(&sigstore(identity, issuer), fixture!("sigstore/model.sig")).unwrap_err().to_string();
            assert!(error.contains("is signed by"), "{error}");
        }
    }

    #[test]
    fn each_link_of_a_sigstore_signature_counts() {
        type Change = fn(&mut Bundle);
        fn entry(bundle: &mut Bundle) -> &mut crate::bundle::LogEntry {
            match &mut bundle.material {
                Material::Logged { entries, .. } => &mut entries[0],
                _ => unreachable!(),
            }
        }
        let changes: [(&str, Change); 10] = [
            ("is not signed by the log", |b| entry(b).time += 1),
            ("is not signed by the log", |b| entry(b).index += 1),
            ("is not signed by the log", |b| entry(b).body[40] ^= 1),
            ("does not name", |b| entry(b).log[0] ^= 1),
            ("no signed time", |b| entry(b).promise = None),
            ("no proof", |b| entry(b).proof = None),
            ("not under a root", |b| entry(b).proof.as_mut().unwrap().path[3][0] ^= 1),
            ("not under a root", |b| {
                let proof = entry(b).proof.as_mut().unwrap();
                proof.checkpoint = proof.checkpoint.replace("84439920", "84439921");
            }),
            ("about another signature", |b| b.signature[10] ^= 1),
            ("no log says", |b| {
                if let Material::Logged { entries, .. } = &mut b.material {
                    entries.clear();
                }
            }),
        ];
        let trust = sigstore(IDENTITY, ISSUER);
        for (why, change) in changes {
            let mut bundle = Bundle::parse(fixture!("sigstore/model.sig")).unwrap();
            change(&mut bundle);
            let error = trust.open(&bundle).unwrap_err().to_string();
            assert!(error.contains(why), "{why}: {error}");
        }
        // A trust root without the log of certificates that knows the leaf.
        let text = String::from_utf8(fixture!("sigstore/trusted_root.json").to_vec()).unwrap();
        let text = text.replace("2022-10-20T00:00:00Z", "2099-01-01T00:00:00Z");
        let root = Box::new(TrustRoot::parse(text.as_bytes()).unwrap());
        let trust = Trust::Sigstore { root, identity: IDENTITY.to_owned(), issuer: ISSUER.to_owned() };
        let error = open(&trust, fixture!("sigstore/model.sig")).unwrap_err().to_string();
        assert!(error.contains("no trusted log of certificates"), "{error}");
    }
}
