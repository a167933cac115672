//! TensorFlow: SavedModel, MetaGraph, frozen graphs, and what Keras writes beside them. Every operation of every graph
//! and function is looked up: those that reach out of the graph are findings, those that TensorFlow does not bring too.

use std::collections::{BTreeMap, HashSet};

use bartizan_core::{Reason, Severity};

use crate::bytes::{piece, show};
use crate::desk::Desk;
use crate::path::leads_away;
use crate::proto::{self, Value, every, fields, number, part, parts, text};
use crate::{config, rules};

/// Operations that the library brings, sorted: as TensorFlow 2.21 registers them.
const KNOWN: &str = include_str!("data/tensorflow-ops.txt");
/// Kinds of operations that are listed one by one.
const LISTED: usize = 64;

/// What an operation reaches outside of its graph, and how bad that is in a model.
pub(crate) fn danger(op: &str) -> Option<(Severity, &'static str)> {
    Some(match op {
        "PyFunc" | "PyFuncStateless" | "EagerPyFunc" => (Severity::High, "runs Python code of the process"),
        "ReadFile" | "MatchingFiles" | "MatchingFilesDataset" | "ExperimentalMatchingFilesDataset" => {
            (Severity::High, "reads files")
        }
        "WriteFile" | "DumpTensor" | "SaveDataset" | "SaveDatasetV2" => (Severity::High, "writes files"),
        "RpcCall" | "RpcClient" | "RpcServer" | "RpcServerStart" | "RpcServerRegister" => {
            (Severity::High, "speaks to the network")
        }
        "DataServiceDataset"
        | "DataServiceDatasetV2"
        | "DataServiceDatasetV3"
        | "DataServiceDatasetV4"
        | "RegisterDataset"
        | "RegisterDatasetV2"
        | "RemoteCall" => (Severity::Medium, "speaks to other processes"),
        "WholeFileReader"
        | "WholeFileReaderV2"
        | "TextLineReader"
        | "TextLineReaderV2"
        | "TFRecordReader"
        | "TFRecordReaderV2"
        | "FixedLengthRecordReader"
        | "FixedLengthRecordReaderV2"
        | "LMDBReader"
        | "LMDBDataset"
        | "ExperimentalLMDBDataset"
        | "TextLineDataset"
        | "TFRecordDataset"
        | "TFRecordDatasetV2"
        | "FixedLengthRecordDataset"
        | "FixedLengthRecordDatasetV2"
        | "CSVDataset"
        | "CSVDatasetV2"
        | "ExperimentalCSVDataset"
        | "SqlDataset"
        | "ExperimentalSqlDataset"
        | "LoadDataset"
        | "ImmutableConst"
        | "FileSystemSetConfiguration" => (Severity::Medium, "reads files"),
        "SnapshotDataset"
        | "SnapshotDatasetV2"
        | "CreateSummaryFileWriter"
        | "CreateSummaryDbWriter"
        | "DistributedSave" => (Severity::Medium, "writes files"),
        "Abort" => (Severity::Medium, "ends the process"),
        _ => return None,
    })
}

fn is_known(op: &str) -> bool {
    use std::sync::LazyLock;
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| KNOWN.lines().collect());
    NAMES.binary_search(&op).is_ok()
}

/// Examines a message; `None` where it is none of TensorFlow's.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> Option<&'static str> {
    let (name, most) = recognise(bytes)?;
    let mut graph = Graph::default();
    let whole = match name {
        "tensorflow saved model" => {
            let mut all = fields(bytes);
            let metas = all.by_ref().filter_map(|f| match f.value {
                Value::Bytes(meta) if f.number == 2 => Some(meta),
                _ => None,
            });
            let whole = every(metas, |meta| graph.meta(meta, desk));
            whole && !all.is_broken()
        }
        "tensorflow meta graph" => graph.meta(bytes, desk),
        "keras metadata" => {
            for node in parts(bytes, 1) {
                document(&text(node, 5), desk);
            }
            true
        }
        _ => graph.read(bytes, desk),
    };
    graph.report(desk);
    if !whole {
        desk.partial(Reason::Malformed, bytes.len(), "the graph cannot be read to its end");
    }
    if proto::has_other(bytes, |number| number <= most) {
        desk.partial(Reason::Malformed, bytes.len(), "the model has fields that its format does not");
    }
    desk.opaque(bytes.len(), "tensors and the graph of the model");
    Some(name)
}

/// What the message is, and the highest number that its fields have. Their order and further ones do not matter.
fn recognise(bytes: &[u8]) -> Option<(&'static str, u64)> {
    if parts(bytes, 2).any(is_meta) {
        // The version of the schema, then graphs with their meta information.
        Some(("tensorflow saved model", 2))
    } else if parts(bytes, 1).any(is_node) {
        Some(("tensorflow graph", 5))
    } else if parts(bytes, 1).any(|node| parts(node, 4).any(|i| i.starts_with(b"_tf_keras_"))) {
        Some(("keras metadata", 2))
    } else if is_meta(bytes) {
        Some(("tensorflow meta graph", 7))
    } else if is_library(bytes) {
        // A graph of a library or of versions alone.
        Some(("tensorflow graph", 5))
    } else {
        None
    }
}

/// Meta information, if any; a graph with a node or a library.
fn is_meta(meta: &[u8]) -> bool {
    let graphs = || parts(meta, 2);
    graphs().any(|graph| parts(graph, 1).any(is_node) || is_library(graph))
        || graphs().next().is_some()
            && parts(meta, 1).any(|info| proto::is_message(info, 16) && part(info, 2).is_some())
            && proto::is_message(meta, u64::MAX)
}

fn is_library(graph: &[u8]) -> bool {
    parts(graph, 2).any(|library| parts(library, 1).any(|function| parts(function, 1).any(is_signature)))
}

fn is_signature(signature: &[u8]) -> bool {
    proto::is_message(signature, u64::MAX) && part(signature, 1).is_some_and(is_word)
}

/// A name and an operation.
fn is_node(node: &[u8]) -> bool {
    proto::is_message(node, u64::MAX)
        && part(node, 1).is_some_and(is_word)
        && part(node, 2).is_some_and(|op| is_word(op) && !op.contains(&b'/'))
}

fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.len() < 4096 && text.iter().all(|b| b.is_ascii_graphic())
}

/// A document in a field of metadata.
fn document(text: &str, desk: &mut Desk<'_>) {
    if text.starts_with('{') && !config::json(text, desk) {
        desk.partial(Reason::Malformed, text.len(), "the metadata of a layer is no JSON document");
    }
}

#[derive(Default)]
struct Graph {
    /// Names of functions of the file: they are called like operations.
    functions: HashSet<String>,
    /// Operations by name, with the first node that uses each.
    ops: BTreeMap<String, String>,
    /// Debug operations and prints with the places they send tensors to.
    sinks: Vec<(String, String)>,
}

impl Graph {
    fn meta(&mut self, meta: &[u8], desk: &mut Desk<'_>) -> bool {
        let mut whole = true;
        for graph in parts(meta, 2) {
            whole &= self.read(graph, desk);
        }
        for asset in parts(meta, 6) {
            let name = text(asset, 2);
            if leads_away(&name) {
                desk.find(&rules::PATH, format!("an asset is read from `{}`", show(&name)), 0, 0);
            }
        }
        // Objects of Keras before 2.5 keep their configuration here.
        for object in parts(meta, 7).flat_map(|objects| parts(objects, 1)) {
            for user in parts(object, 4) {
                document(&text(user, 3), desk);
            }
        }
        whole && proto::is_message(meta, 64)
    }

    fn read(&mut self, graph: &[u8], desk: &mut Desk<'_>) -> bool {
        let mut all = fields(graph);
        let mut whole = true;
        for field in all.by_ref() {
            match (field.number, field.value) {
                (1, Value::Bytes(node)) => whole &= self.node(node, desk),
                (2, Value::Bytes(library)) => {
                    for function in parts(library, 1) {
                        self.functions.extend(part(function, 1).map(|signature| text(signature, 1)));
                        for node in parts(function, 3) {
                            whole &= self.node(node, desk);
                        }
                    }
                    whole &= proto::is_message(library, 64);
                }
                _ => {}
            }
        }
        whole && !all.is_broken()
    }

    fn node(&mut self, node: &[u8], desk: &mut Desk<'_>) -> bool {
        let mut all = fields(node);
        let (mut name, mut op) = (&b""[..], &b""[..]);
        let mut targets = Vec::new();
        for field in all.by_ref() {
            match (field.number, field.value) {
                (1, Value::Bytes(text)) => name = text,
                (2, Value::Bytes(text)) => op = text,
                (5, Value::Bytes(entry)) => {
                    let key = part(entry, 1).unwrap_or_default();
                    if matches!(key, b"debug_urls" | b"output_stream" | b"memory_region_name" | b"file_path") {
                        targets.extend(part(entry, 2));
                    }
                }
                _ => {}
            }
        }
        let op = String::from_utf8_lossy(op).into_owned();
        let name = String::from_utf8_lossy(name);
        for target in targets {
            // A text, or a list of texts.
            let list = part(target, 1).unwrap_or_default();
            for place in parts(target, 2).chain(parts(list, 2)) {
                let place = String::from_utf8_lossy(place);
                if place.contains("://") && !place.starts_with("memmapped_package://") && self.sinks.len() < LISTED {
                    self.sinks.push((op.clone(), show(&place)));
                }
            }
        }
        if op.is_empty() {
            desk.partial(Reason::Malformed, node.len(), "a node of the graph has no operation");
        } else {
            self.ops.entry(op).or_insert_with(|| show(&name));
        }
        !all.is_broken()
    }

    fn report(&self, desk: &mut Desk<'_>) {
        for (op, place) in &self.sinks {
            desk.find(&rules::CONFIG, format!("the operation `{}` sends tensors to `{place}`", show(op)), 0, 0);
        }
        let mut unknown = 0;
        for (op, node) in &self.ops {
            if let Some((severity, what)) = danger(op) {
                let what = format!("the operation `{}` of node `{node}` {what}", show(op));
                desk.find_as(&rules::CONFIG, severity, what, (0, 0), Vec::new());
            } else if !is_known(op) && !self.functions.contains(op) {
                unknown += 1;
                if unknown <= LISTED {
                    let what = format!("the operation `{}` is not TensorFlow's: it needs a native library", show(op));
                    desk.find_as(&rules::CONFIG, Severity::Low, what, (0, 0), Vec::new());
                }
            }
        }
    }
}

/// True for an operation that TensorFlow itself brings.
pub(crate) fn is_operation(op: &str) -> bool {
    is_known(op)
}

/// The tensors of a checkpoint: among them is the graph of the objects that they belong to, as a text behind its length
/// and a checksum.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    /// Bytes of the graph before its first attribute.
    const NEAR: usize = 1 << 20;
    /// Places that are tried.
    const TRIES: usize = 256;
    let Some(found) = memchr::memmem::find(bytes, b".ATTRIBUTES/") else { return false };
    let start = found.saturating_sub(NEAR);
    let near = bytes.get(start..found).unwrap_or_default();
    let graphs = memchr::memchr_iter(0x0a, near).filter_map(|at| {
        let at = start + at;
        let len = (1..=5).find_map(|width| {
            let digits = piece(bytes, at.checked_sub(4 + width)?, width)?;
            let (last, more) = digits.split_last()?;
            let ends = *last < 0x80 && more.iter().all(|b| *b >= 0x80);
            let number = digits.iter().rev().fold(0usize, |n, b| n << 7 | usize::from(b & 0x7f));
            (ends && at.checked_add(number)? > found).then_some(number)
        })?;
        piece(bytes, at, len)
    });
    graphs.take(TRIES).any(|graph| {
        proto::is_message(graph, 2)
            && fields(graph).all(|f| matches!(f.value, Value::Bytes(node) if proto::is_message(node, 8)))
    })
}

/// A table of keys and values, as checkpoints and their indexes are.
pub(crate) fn is_table(bytes: &[u8]) -> bool {
    // The magic number of the footer.
    bytes.len() >= 48 && bytes.ends_with(&[0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])
}

/// What `saved_model.pb` has beside it: numbers that identify it.
pub(crate) fn is_fingerprint(bytes: &[u8]) -> bool {
    bytes.len() < 256
        && proto::is_message(bytes, 8)
        && fields(bytes).filter(|f| f.number <= 5 && matches!(f.value, Value::Number(_) | Value::Fixed(_))).count() >= 4
        && number(bytes, 1).is_some()
}
