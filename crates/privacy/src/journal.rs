//! Every question and its answer on record: a run that broke off goes on, and a report can be made again.
//!
//! The first line is the head: who was asked. Answers of one model are none of another's, so a journal is of one.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use bartizan_client::{Answer, Ask, Client, Failure, FailureKind, Reply};
use bartizan_sign::hex;
use serde::{Deserialize, Serialize};

use crate::PrivacyError;

/// Longest line that is read, bytes.
const LONGEST: u64 = 256 << 20;
/// Form of the journals that are written and read.
const FORM: u32 = 1;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Address, as an SDK takes it as base URL.
    pub url: String,
    /// The model, empty where the endpoint has one alone.
    pub model: String,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, model } = self;
        if model.is_empty() { f.write_str(url) } else { write!(f, "{model} at {url}") }
    }
}

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    bartizan_privacy: u32,
    url: String,
    model: String,
}

impl Head {
    fn target(self) -> Target {
        Target { url: self.url, model: self.model }
    }
}

/// A line of a journal.
#[derive(Serialize, Deserialize)]
struct Line {
    ask: String,
    answer: Answer,
}

/// A journal that is being written.
struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    bytes: u64,
    /// Why nothing more is written.
    broken: Option<String>,
}

impl Journal {
    fn put(&mut self, line: &impl Serialize) {
        if self.broken.is_some() {
            return;
        }
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            self.file.write_all(&text).map(|()| text.len() as u64)
        });
        match written {
            Ok(more) => self.bytes += more,
            Err(error) => {
                // Half a line would make the rest of the journal unreadable.
                let cut = self.file.set_len(self.bytes).err().map(|e| format!(", nor cut back: {e}"));
                self.broken = Some(format!(
                    "the journal `{}` cannot be written{}: {error}; answers from then on are not on record",
                    self.path.display(),
                    cut.unwrap_or_default()
                ));
            }
        }
    }
}

/// An endpoint whose answers are kept.
pub struct Asked {
    client: Option<Client>,
    target: Option<Target>,
    known: Mutex<HashMap<String, Answer>>,
    journal: Option<Mutex<Journal>>,
    /// Failures by kind.
    failures: Mutex<std::collections::BTreeMap<FailureKind, u64>>,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A guard stopped the question or the reply.
    #[error("a guard stopped the question or the reply")]
    Blocked,
    /// There is no answer on record, and nobody to ask.
    #[error("there is no answer on record, and nobody to ask")]
    NotOnRecord,
    /// The endpoint takes the question for wrong, as one that cannot do what is asked.
    #[error("the endpoint takes the question for wrong")]
    Rejected,
    /// The probabilities of texts that exclude each other add up to more than 1.
    #[error("the probabilities that the endpoint gives cannot be true")]
    Inconsistent,
    /// It failed otherwise.
    #[error("{0}")]
    Failed(FailureKind),
}

/// What is on record.
struct Recorded {
    head: Option<Head>,
    known: HashMap<String, Answer>,
    /// Bytes of whole lines.
    bytes: u64,
}

/// Reads whole lines; the one that was being written when a run ended is left out.
fn recorded(path: &Path, file: &File) -> Result<Recorded, PrivacyError> {
    let mut from = BufReader::with_capacity(1 << 18, file);
    let mut all = Recorded { head: None, known: HashMap::new(), bytes: 0 };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let wrong = |reason: &str| PrivacyError::Row {
            path: path.display().to_string(),
            line: number,
            reason: reason.to_owned(),
        };
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let read = read.map_err(|e| PrivacyError::read(path, e))? as u64;
        if line.last() != Some(&b'\n') {
            if read >= LONGEST {
                return Err(wrong("it is longer than a line of a journal is"));
            }
            break;
        }
        if all.head.is_none() {
            let head: Head = serde_json::from_slice(&line).map_err(|_| {
                wrong("it is no head of a journal of privacy tests, which says who was asked; give another file")
            })?;
            if head.bartizan_privacy != FORM {
                return Err(wrong("it was written by another version of this program"));
            }
            all.head = Some(head);
        } else {
            let line: Line =
                serde_json::from_slice(&line).map_err(|_| wrong("it is no line of a journal of privacy tests"))?;
            all.known.insert(line.ask, line.answer);
        }
        all.bytes += read;
    }
    Ok(all)
}

impl Asked {
    /// Opens a journal, or begins one. Without a client only what is on record is answered, and nothing is written. A line
    /// that was not finished is cut off.
    ///
    /// # Errors
    /// The journal cannot be read or written, is none, is of another endpoint or model, or is in use.
    pub fn open(client: Option<Client>, journal: Option<&Path>) -> Result<Self, PrivacyError> {
        let (mut known, mut kept, mut target) = (HashMap::new(), None, None);
        if let Some(client) = &client {
            let endpoint = client.endpoint();
            target = Some(Target { url: endpoint.url.clone(), model: endpoint.model.clone() });
        }
        match (journal, &client) {
            (None, _) => {}
            (Some(path), None) => {
                let file = File::open(path).map_err(|e| PrivacyError::read(path, e))?;
                let all = recorded(path, &file)?;
                let Some(head) = all.head else {
                    return Err(PrivacyError::read(path, "there is nothing in it"));
                };
                target = Some(head.target());
                known = all.known;
            }
            (Some(path), Some(client)) => {
                let endpoint = client.endpoint();
                let head = Head { bartizan_privacy: FORM, url: endpoint.url.clone(), model: endpoint.model.clone() };
                let (journal, all) = open(path, &head)?;
                (known, kept) = (all, Some(Mutex::new(journal)));
            }
        }
        Ok(Self { client, target, known: Mutex::new(known), journal: kept, failures: Mutex::default() })
    }

    /// Most questions at once.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.client.as_ref().map_or(1, |client| client.endpoint().concurrency)
    }

    /// Who is asked, or was, where there is nobody to ask but a journal.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// True where somebody can be asked.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.client.is_some()
    }

    /// What failed, by kind. Failures are not on record: a resumed run asks again.
    #[must_use]
    pub fn failures(&self) -> Vec<(String, u64)> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().map(|(kind, count)| (kind.to_string(), *count)).collect()
    }

    /// Why not all answers are on record, if they are not.
    #[must_use]
    pub fn unwritten(&self) -> Option<String> {
        self.journal.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
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
        if let Some(journal) = &self.journal {
            let line = Line { ask: name.clone(), answer: answer.clone() };
            journal.lock().unwrap_or_else(PoisonError::into_inner).put(&line);
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, answer.clone());
    }
}

/// Opens a journal to go on with it. Others on the machine cannot read it, and no second run writes to it.
fn open(path: &Path, head: &Head) -> Result<(Journal, HashMap<String, Answer>), PrivacyError> {
    let failed = |e: std::io::Error| PrivacyError::write(path, e);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(PrivacyError::write(path, "another run is writing to it")),
        // Some file systems know no locks.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    let all = recorded(path, &file)?;
    if let Some(of) = all.head.as_ref().filter(|of| *of != head) {
        return Err(PrivacyError::Journal {
            path: path.display().to_string(),
            of: of.clone().target().to_string(),
            wanted: head.clone().target().to_string(),
        });
    }
    file.set_len(all.bytes).map_err(failed)?;
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    let mut journal = Journal { path: path.to_owned(), file, bytes: all.bytes, broken: None };
    if all.head.is_none() {
        journal.put(head);
        if let Some(why) = &journal.broken {
            return Err(PrivacyError::write(path, why));
        }
    }
    Ok((journal, all.known))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bartizan_client::{Budget, Endpoint, Spent};

    use super::*;

    fn client(url: &str, model: &str) -> Client {
        let endpoint = Endpoint { url: url.to_owned(), model: model.to_owned(), ..Endpoint::default() };
        Client::new(endpoint, Arc::new(Spent::new(Budget::default(), None))).unwrap()
    }

    fn reply(text: &str) -> Answer {
        Answer::Reply(Reply { text: text.to_owned(), ..Reply::default() })
    }

    #[test]
    fn a_journal_is_of_one_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let open = |url: &str, model: &str| Asked::open(Some(client(url, model)), Some(&path));
        assert!(Asked::open(None, Some(&path)).is_err(), "there is nothing on record");
        let first = open("http://127.0.0.1:9/v1", "base").unwrap();
        first.keep("a".to_owned(), &reply("x"));
        let busy = open("http://127.0.0.1:9/v1", "base").err().unwrap().to_string();
        assert!(busy.contains("another run"), "{busy}");
        drop(first);
        for (url, model) in [("http://127.0.0.1:9/v1", "tuned"), ("http://127.0.0.1:8/v1", "base")] {
            let error = open(url, model).err().unwrap().to_string();
            assert!(error.contains("base at http://127.0.0.1:9/v1"), "{error}");
        }
        assert_eq!(open("http://127.0.0.1:9/v1", "base").unwrap().known.lock().unwrap().len(), 1);
        assert_eq!(Asked::open(None, Some(&path)).unwrap().known.lock().unwrap().len(), 1);
        // One without a head says of nobody that it was asked.
        std::fs::write(&path, "{\"ask\":\"a\",\"answer\":{\"reply\":{\"text\":\"x\"}}}\n").unwrap();
        assert!(open("http://127.0.0.1:9/v1", "base").is_err() && Asked::open(None, Some(&path)).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_write_that_fails_is_told_and_cut_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let mut asked = Asked::open(Some(client("http://127.0.0.1:9/v1", "m")), Some(&path)).unwrap();
        asked.keep("a".to_owned(), &reply("x"));
        assert_eq!(asked.unwritten(), None);
        let whole = std::fs::read(&path).unwrap();
        // A disk that is full.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        asked.journal.as_mut().unwrap().get_mut().unwrap().file = full;
        asked.keep("b".to_owned(), &reply("y"));
        assert!(asked.unwritten().unwrap().contains("not on record"));
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        // Half a line is cut back.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"ask\":\"b\"").unwrap();
        drop(asked);
        let asked = Asked::open(Some(client("http://127.0.0.1:9/v1", "m")), Some(&path)).unwrap();
        assert_eq!((asked.known.lock().unwrap().len(), std::fs::read(&path).unwrap()), (1, whole));
    }
}
