//! Model files: no bytes make a reader panic, run long, or say more than its budget allows.

use bartizan_artifact::{Budget, examine};

/// Any file, told by its content.
pub fn any(data: &[u8]) {
    let budget = Budget {
        expanded: 1 << 20,
        members: 200,
        depth: 4,
        findings: 50,
        steps: 1 << 20,
        values: 1 << 14,
        document: 1 << 16,
    };
    let report = examine(data, &budget);
    assert!(report.found.len() <= budget.findings);
    assert!(report.gaps.len() <= 1000);
    assert!(report.found.windows(2).all(|pair| pair[0].finding.severity >= pair[1].finding.severity));
    let texts = report.found.iter().map(|f| &f.what).chain(report.gaps.iter().flat_map(|g| [&g.why, &g.member]));
    for text in texts {
        assert!(text.len() < 4096 && !text.contains(['\n', '\u{1b}', '\0']), "{text:?}");
    }
}

/// A file that begins with these bytes, whatever the input begins with.
fn begins(data: &[u8], magic: &[u8]) {
    let mut bytes = data.to_vec();
    if bytes.len() < magic.len() {
        bytes.resize(magic.len(), 0);
    }
    bytes[..magic.len()].copy_from_slice(magic);
    any(&bytes);
}

/// GGUF.
pub fn gguf(data: &[u8]) {
    begins(data, b"GGUF");
}

/// HDF5.
pub fn hdf5(data: &[u8]) {
    begins(data, b"\x89HDF\r\n\x1a\n");
}

/// ONNX and the other protocol buffers: of a version, or as they are.
pub fn onnx(data: &[u8]) {
    any(data);
    begins(data, &[8, 8]);
}

/// Pickles with and without the mark of a protocol.
pub fn pickle(data: &[u8]) {
    any(data);
    begins(data, &[0x80, 4]);
}

/// Zip archives, found from both ends.
pub fn zip(data: &[u8]) {
    any(data);
    begins(data, b"PK\x03\x04");
}
