//! Keys, certificates and signature files, from where the user keeps them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bartizan_sign::{
    Bundle, Certificates, ContentPack, LONGEST_BUNDLE, PackInfo, SignError, SigningKey, Statement, Trust, TrustRoot,
    VerifyingKey,
};

use super::args::{CertificateArgs, KeyArgs, KeyPlace, TrustArgs};
use crate::problem::Problem;

/// Longest key, certificate or trust root that is read, bytes.
const LONGEST: usize = 1 << 20;

/// A key with its certificates, leaf first.
pub(crate) struct Signing {
    key: SigningKey,
    certificates: Vec<Vec<u8>>,
}

impl Signing {
    /// Reads what the command line names.
    pub(crate) fn read(args: &KeyArgs) -> anyhow::Result<Self> {
        Self::of(&args.key, &args.certificates)
    }

    /// Reads a key and its certificates.
    pub(crate) fn of(key: &KeyPlace, args: &CertificateArgs) -> anyhow::Result<Self> {
        let pem = match key {
            KeyPlace::Secret(secret) => secret.resolve().map_err(Problem::new)?.into_bytes(),
            KeyPlace::File(path) => read(path, LONGEST)?,
        };
        let key = SigningKey::from_pem(&pem).map_err(|error| {
            Problem::of_setting("--key", error)
                .help("`openssl ecparam -name prime256v1 -genkey -noout -out key.pem` makes a key")
        })?;
        let mut certificates = Vec::new();
        if let Some(leaf) = &args.certificate {
            let mut all = self::certificates(std::slice::from_ref(leaf))?;
            if all.key().map_err(|error| about(leaf, &error))? != *key.public() {
                let title = format!("the certificate in `{}` is not for this key", leaf.display());
                return Err(Problem::new(title).help("give the certificate of the key, leaf first").into());
            }
            if !args.certificate_chain.is_empty() {
                all.extend(self::certificates(&args.certificate_chain)?);
            }
            certificates = all.der().to_vec();
        }
        Ok(Self { key, certificates })
    }

    /// Signs a statement.
    pub(crate) fn sign(&self, statement: &Statement) -> anyhow::Result<String> {
        Ok(Bundle::sign(statement.to_json()?, &self.key, self.certificates.clone())?.to_json()?)
    }

    /// Makes a content pack.
    pub(crate) fn pack(&self, info: &PackInfo, files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
        Ok(ContentPack::build(info, files, &self.key, self.certificates.clone())?)
    }

    /// Trust in this key.
    pub(crate) fn trust(&self) -> Trust {
        Trust::Keys(vec![self.key.public().clone()])
    }

    /// What the signature will say of the signer.
    pub(crate) fn hint(&self) -> String {
        format!("{} key {}", self.key.public().curve(), self.key.public().hint())
    }
}

/// Reads whom the command line trusts; there may be several kinds, for chains whose links are signed by several people.
pub(crate) fn trust(args: &TrustArgs) -> anyhow::Result<Vec<Trust>> {
    // With a trust root an identity is needed, and keys beside it are trusted as they are.
    if args.identity.is_some() && args.trust_root.is_none() && !args.public_key.is_empty() {
        let help = "leave the identity out, or trust certificates alone";
        return Err(Problem::new("a bare key names nobody, so the identity cannot be checked").help(help).into());
    }
    let mut all = Vec::new();
    if let (Some(path), Some(identity), Some(issuer)) = (&args.trust_root, &args.identity, &args.identity_provider) {
        let root = TrustRoot::parse(&read(path, LONGEST)?).map_err(|error| about(path, &error))?;
        all.push(Trust::Sigstore { root: Box::new(root), identity: identity.clone(), issuer: issuer.clone() });
    }
    if !args.certificate_chain.is_empty() {
        let at = args.at.unwrap_or_else(jiff::Timestamp::now).as_second();
        let trusted = certificates(&args.certificate_chain)?;
        all.push(Trust::Certificates { trusted, identity: args.identity.clone(), at });
    }
    if !args.public_key.is_empty() {
        let key = |path: &PathBuf| -> anyhow::Result<VerifyingKey> {
            Ok(VerifyingKey::from_pem(&read(path, LONGEST)?).map_err(|error| about(path, &error))?)
        };
        all.push(Trust::Keys(args.public_key.iter().map(key).collect::<Result<_, _>>()?));
    }
    if all.is_empty() {
        let help = "give `--public-key FILE`, `--certificate-chain FILE`, or `--trust-root FILE` with an identity";
        return Err(Problem::new("nobody is trusted").help(help).into());
    }
    Ok(all)
}

/// Reads a signature file.
pub(crate) fn bundle(path: &Path) -> anyhow::Result<Bundle> {
    Ok(Bundle::parse(&read(path, LONGEST_BUNDLE)?).map_err(|error| about(path, &error))?)
}

fn certificates(paths: &[PathBuf]) -> anyhow::Result<Certificates> {
    let mut all = Certificates::default();
    for path in paths {
        all.extend(Certificates::from_pem(&read(path, LONGEST)?).map_err(|error| about(path, &error))?);
    }
    Ok(all)
}

fn about(path: &Path, error: &SignError) -> Problem {
    Problem::new(format!("`{}`: {error}", path.display()))
}

/// All bytes of a file, which may be a pipe, up to a size.
pub(crate) fn read(path: &Path, longest: usize) -> anyhow::Result<Vec<u8>> {
    let cannot = |why: String| Problem::new(format!("cannot read `{}`: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| cannot(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(longest as u64 + 1).read_to_end(&mut bytes).map_err(|error| cannot(error.to_string()))?;
    if bytes.len() > longest {
        return Err(cannot(format!("it is longer than {longest} bytes")).into());
    }
    Ok(bytes)
}

/// Writes a file so that it is there as a whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let cannot = |error: std::io::Error| {
        Problem::new(format!("cannot write `{}`: {error}", path.display())).help("name a place that can be written to")
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    std::fs::write(&part, text).map_err(cannot)?;
    std::fs::rename(&part, path).map_err(cannot)?;
    Ok(())
}
