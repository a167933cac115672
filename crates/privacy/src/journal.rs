//! Every question and its answer on record: a run that broke off goes on, and a report can be made again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use bartizan_client::{Answer, Ask, Client, Failure, FailureKind, Reply};
use bartizan_sign::hex;
use serde::{Deserialize, Serialize};

use crate::PrivacyError;

/// Longest journal that is read, bytes.
const LONGEST: u64 = 4 << 30;

/// A line of a journal.
#[derive(Serialize, Deserialize)]
struct Line {
    ask: String,
    answer: Answer,
}

/// An endpoint whose answers are kept.
pub struct Asked {
    client: Option<Client>,
    known: Mutex<HashMap<String, Answer>>,
    file: Option<Mutex<File>>,
    /// Failures by kind.
    failures: Mutex<std::collections::BTreeMap<FailureKind, u64>>,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A guard stopped the question or the reply.
    Blocked,
    /// There is no answer on record, and nobody to ask.
    NotOnRecord,
    /// The endpoint takes the question for wrong, as one that cannot do what is asked.
    Rejected,
    /// It failed otherwise.
    Failed(FailureKind),
}

impl Asked {
    /// Opens a journal, or begins one. Without a client only what is on record is answered. A line that was not finished
    /// is cut off.
    ///
    /// # Errors
    /// The journal cannot be read or written, or is none.
    pub fn open(client: Option<Client>, journal: Option<&Path>) -> Result<Self, PrivacyError> {
        let mut known = HashMap::new();
        let mut file = None;
        if let Some(path) = journal {
            let failed = |e: std::io::Error| PrivacyError::write(path, e);
            let mut opened =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
            let mut text = Vec::new();
            (&opened).take(LONGEST).read_to_end(&mut text).map_err(|e| PrivacyError::read(path, e))?;
            let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            for (number, line) in text.get(..whole).unwrap_or_default().split(|b| *b == b'\n').enumerate() {
                if line.is_empty() {
                    continue;
                }
                let line: Line = serde_json::from_slice(line).map_err(|_| PrivacyError::Row {
                    path: path.display().to_string(),
                    line: number + 1,
                    reason: "it is no line of a journal of privacy tests".to_owned(),
                })?;
                known.insert(line.ask, line.answer);
            }
            opened.set_len(whole as u64).map_err(failed)?;
            opened.seek(SeekFrom::End(0)).map_err(failed)?;
            file = Some(Mutex::new(opened));
        }
        Ok(Self { client, known: Mutex::new(known), file, failures: Mutex::default() })
    }

    /// Most questions at once.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.client.as_ref().map_or(1, |client| client.endpoint().concurrency)
    }

    /// What failed, by kind. Failures are not on record: a resumed run asks again.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, u64)> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().map(|(kind, count)| (kind.to_string(), *count)).collect()
    }

    /// Asks, or repeats what is on record.
    ///
    /// # Errors
    /// There is no reply.
    pub async fn ask(&self, ask: &Ask) -> Result<Reply, Missing> {
        let text = serde_json::to_vec(ask).unwrap_or_default();
        let name = hex(digest::digest(&digest::SHA256, &text).as_ref().get(..16).unwrap_or_default());
        let on_record = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        let answer = match (on_record, &self.client) {
            (Some(answer), _) => answer,
            (None, None) => return Err(Missing::NotOnRecord),
            (None, Some(client)) => {
                let answer = client.ask(ask).await.map_err(|failure| self.note(&failure))?;
                self.keep(name, &answer);
                answer
            }
        };
        match answer {
            Answer::Reply(reply) => Ok(reply),
            Answer::Blocked(_) => Err(Missing::Blocked),
        }
    }

    fn note(&self, failure: &Failure) -> Missing {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(failure.kind).or_default() += 1;
        match failure.kind {
            FailureKind::Rejected => Missing::Rejected,
            kind => Missing::Failed(kind),
        }
    }

    fn keep(&self, name: String, answer: &Answer) {
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(&Line { ask: name.clone(), answer: answer.clone() })
        {
            line.push(b'\n');
            // One write a line. A journal that cannot be written costs a resumed run its questions, nothing else.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, answer.clone());
    }
}
