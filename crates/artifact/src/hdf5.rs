//! HDF5: recognised, its texts searched. The tree of groups is not read.

use bartizan_core::Reason;

use crate::bytes::contains;
use crate::config;
use crate::desk::Desk;
use crate::rules;

/// Examines a file.
pub(crate) fn examine(bytes: &[u8], desk: &mut Desk<'_>) -> &'static str {
    // Keras keeps its configuration as one text of JSON in an attribute.
    let mut at = 0;
    let mut found = false;
    let mut tries = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memmem::find(rest, b"{\"")) {
        let start = at + next;
        let rest = crate::bytes::from(bytes, start);
        let window = rest.get(..rest.len().min(desk.budget.document)).unwrap_or_default();
        if memchr::memmem::find(window.get(..256.min(window.len())).unwrap_or_default(), b"class_name").is_some() {
            let mut stream = serde_json::Deserializer::from_slice(window).into_iter::<serde_json::Value>();
            if let Some(Ok(tree)) = stream.next() {
                found = true;
                config::tree(&tree, desk);
                at = start + stream.byte_offset().max(2);
                continue;
            }
            tries += 1;
            if tries > 64 {
                break;
            }
        }
        at = start + 2;
    }
    if !found && contains(bytes, b"\"Lambda\"") {
        desk.find(&rules::CONFIG, "a configuration in pieces names a `Lambda` layer", 0, bytes.len());
    }
    desk.partial(Reason::File, bytes.len(), "the groups, links and external files of HDF5 are not followed");
    "hdf5"
}
