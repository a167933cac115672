//! A master key behind a command: a key management service, or a token that is reached with PKCS#11.
//!
//! The command is started with one more argument, `wrap` or `unwrap`, and gets one JSON object on standard input:
//! `{"key", "tenant", "purpose", "day", "data"}`. `data` is base64: the data key (32 bytes) or what `wrap` answered. It
//! answers with base64 on standard output and exit code 0. The other members are the encryption context.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use bartizan_core::WrappedKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::SignError;
use crate::envelope::{Master, Secret};

/// First byte of a key that a command wrapped.
const VERSION: u8 = 2;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest answer, bytes.
const LONGEST: u64 = 16 << 10;

/// A master key behind a command.
#[derive(Clone, Debug)]
pub struct ExecMaster {
    program: String,
    arguments: Vec<String>,
}

impl ExecMaster {
    /// A command line: a program and its arguments, separated by spaces. No shell reads it.
    ///
    /// # Errors
    /// It is empty.
    pub fn new(line: &str) -> Result<Self, SignError> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let program = words.next().ok_or(SignError::Command("there is no command".to_owned()))?;
        Ok(Self { program, arguments: words.collect() })
    }

    fn ask(&self, what: &str, key: &WrappedKey, data: &[u8]) -> Result<Vec<u8>, SignError> {
        let failed = |why: &str| SignError::Command(format!("`{} {what}` {why}", self.program));
        let question = json!({
            "key": key.id, "tenant": key.tenant, "purpose": key.purpose.as_str(), "day": key.day,
            "data": STANDARD.encode(data),
        });
        #[expect(clippy::disallowed_methods, reason = "the operator names the command that holds the master key")]
        let started = Command::new(&self.program)
            .args(&self.arguments)
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = started.map_err(|e| failed(&format!("cannot be started: {e}")))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (send, answer) = mpsc::channel();
        std::thread::spawn(move || {
            // A command that does not read its input says so by its exit code.
            if let Some(mut input) = input {
                let _ = input.write_all(question.to_string().as_bytes());
            }
            let mut text = String::new();
            let read = output.map(|output| output.take(LONGEST).read_to_string(&mut text));
            let _ = send.send(matches!(read, Some(Ok(_))).then_some(text));
        });
        let Ok(text) = answer.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed("did not answer in time"));
        };
        // Its output has ended; what keeps running after that is ended too.
        let status = match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => {
                std::thread::yield_now();
                child.wait()
            }
        };
        if !status.is_ok_and(|status| status.success()) {
            return Err(failed("did not succeed"));
        }
        let text = text.ok_or_else(|| failed("did not answer with text"))?;
        STANDARD.decode(text.trim()).map_err(|_| failed("did not answer with base64"))
    }
}

impl Master for ExecMaster {
    fn wrap(&self, key: &WrappedKey, secret: &Secret) -> Result<Vec<u8>, SignError> {
        Ok([&[VERSION], self.ask("wrap", key, secret.bytes())?.as_slice()].concat())
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Secret, SignError> {
        match key.wrapped.split_first() {
            None => Err(SignError::Destroyed),
            Some((&VERSION, data)) => {
                let bytes = self.ask("unwrap", key, data)?;
                let bytes =
                    bytes.try_into().map_err(|_| SignError::Command("the key has a wrong length".to_owned()))?;
                Ok(Secret::from_bytes(bytes))
            }
            Some(_) => Err(SignError::Sealed("the key was wrapped with another kind of master key")),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::envelope::unwrapped;
    use bartizan_core::{KeyPurpose, TenantId};

    fn key() -> WrappedKey {
        unwrapped("k", &TenantId::sole(), KeyPurpose::Content, "2026-01-02")
    }

    /// A command that answers with the data that it was given.
    #[expect(clippy::disallowed_methods, reason = "a test writes a script")]
    fn script(folder: &tempfile::TempDir, text: &str) -> ExecMaster {
        let path = folder.path().join("kms.sh");
        std::fs::write(&path, text).unwrap();
        ExecMaster::new(&format!("sh {}", path.display())).unwrap()
    }

    #[test]
    fn a_command_wraps_and_unwraps() {
        let folder = tempfile::tempdir().unwrap();
        let master = script(&folder, "sed 's/.*\"data\":\"\\([^\"]*\\)\".*/\\1/'");
        let secret = Secret::generate().unwrap();
        let wrapped = WrappedKey { wrapped: master.wrap(&key(), &secret).unwrap(), ..key() };
        assert_eq!(master.unwrap(&wrapped).unwrap().bytes(), secret.bytes());
        assert!(matches!(master.unwrap(&key()), Err(SignError::Destroyed)));
    }

    #[test]
    fn what_a_command_does_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (text, why) in [("exit 3", "did not succeed"), ("echo '!'", "base64"), ("echo aGVsbG8=", "wrong length")] {
            let master = script(&folder, text);
            let wrapped = WrappedKey { wrapped: vec![VERSION, 1, 2], ..key() };
            let error = master.unwrap(&wrapped).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(ExecMaster::new(" ").is_err());
        assert!(
            ExecMaster::new("/no/such/command").unwrap().unwrap(&WrappedKey { wrapped: vec![2], ..key() }).is_err()
        );
    }
}
