//! What was read of a document, and what may still be spent on reading.

use std::fmt;

use bartizan_core::{Limits, Reason};

use crate::format::Format;

/// One continuous text of a document.
#[derive(Clone, PartialEq, Eq)]
pub struct Passage {
    /// Where in the document: `page 3`, `word/comments.xml`, `report.docx/word/document.xml`. Short and printable.
    pub member: String,
    /// The text.
    pub text: String,
}

impl fmt::Debug for Passage {
    // Content stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// What was read of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub format: Format,
    /// Its texts, in order.
    pub passages: Vec<Passage>,
    /// Why something readable in it was not read; `None` where all of the text layer was.
    pub fault: Option<Reason>,
    /// True where it holds parts of binary formats that are neither pictures nor fonts, and that nobody read.
    pub has_files: bool,
}

impl Document {
    /// True where all of its text was read.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        self.fault.is_none() && !self.has_files
    }
}

/// What may still be spent on the documents of one body.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Bytes of text.
    text: usize,
    /// Bytes that decompression and decoding may produce.
    pub(crate) expanded: usize,
    /// Members, pages and attachments.
    parts: usize,
    /// Documents inside one another.
    depth: usize,
}

impl Budget {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            text: limits.max_text,
            expanded: limits.max_document_expanded,
            parts: limits.max_document_parts,
            depth: limits.max_document_depth,
        }
    }

    /// Members, pages and attachments that may still be read.
    pub(crate) const fn parts_left(&self) -> usize {
        self.parts
    }
}

/// A document that is being read.
pub(crate) struct Layer<'a> {
    pub(crate) budget: &'a mut Budget,
    passages: Vec<Passage>,
    fault: Option<Reason>,
    has_files: bool,
    /// Path of the member that is being read, with a slash behind it.
    path: String,
    depth: usize,
}

/// Longest path of a member in bytes.
const LONGEST_PATH: usize = 200;

impl<'a> Layer<'a> {
    pub(crate) const fn new(budget: &'a mut Budget) -> Self {
        Self { budget, passages: Vec::new(), fault: None, has_files: false, path: String::new(), depth: 0 }
    }

    pub(crate) fn finish(self, format: Format) -> Document {
        Document { format, passages: self.passages, fault: self.fault, has_files: self.has_files }
    }

    /// Something readable was not read. The first reason is kept.
    pub(crate) const fn fault(&mut self, reason: Reason) {
        if self.fault.is_none() {
            self.fault = Some(reason);
        }
    }

    /// A part of a binary format is not read.
    pub(crate) const fn file(&mut self) {
        self.has_files = true;
    }

    /// Adds a text. What does not fit in the budget is cut off.
    pub(crate) fn text(&mut self, member: &str, mut text: String) {
        if text.trim().is_empty() {
            return;
        }
        if text.len() > self.budget.text {
            text.truncate(text.floor_char_boundary(self.budget.text));
            self.fault(Reason::TooLong);
        }
        self.budget.text -= text.len();
        if !text.is_empty() {
            let member = self.member(member);
            self.passages.push(Passage { member, text });
        }
    }

    /// How many more bytes of text may be collected.
    pub(crate) const fn text_left(&self) -> usize {
        self.budget.text
    }

    /// Counts a member, page or attachment; false where there are too many.
    pub(crate) const fn part(&mut self) -> bool {
        if self.budget.parts == 0 {
            self.fault(Reason::TooManyParts);
            return false;
        }
        self.budget.parts -= 1;
        true
    }

    /// Counts bytes that decompression or decoding produced; false where they are too many.
    pub(crate) const fn expand(&mut self, bytes: usize) -> bool {
        match self.budget.expanded.checked_sub(bytes) {
            Some(left) => {
                self.budget.expanded = left;
                true
            }
            None => {
                self.budget.expanded = 0;
                self.fault(Reason::DecodedTooLarge);
                false
            }
        }
    }

    /// Reads something inside a member: `read` runs one level deeper. False where that is too deep.
    pub(crate) fn inside(&mut self, member: &str, read: impl FnOnce(&mut Self)) -> bool {
        if self.depth >= self.budget.depth {
            self.fault(Reason::TooDeep);
            return false;
        }
        let length = self.path.len();
        self.path = self.member(member);
        self.path.push('/');
        self.depth += 1;
        read(self);
        self.depth -= 1;
        self.path.truncate(length);
        true
    }

    fn member(&self, name: &str) -> String {
        let mut path = self.path.clone();
        for c in name.chars() {
            if path.len() >= LONGEST_PATH {
                path.push('…');
                break;
            }
            path.push(if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) { '_' } else { c });
        }
        path
    }
}
