//! The rules about model files. Their pages are beside this file.

use bartizan_core::{Reference, rule_list};

const CODE: &[Reference] =
    &[Reference::new("OWASP-LLM", "LLM03"), Reference::new("ATLAS", "AML.T0011.000"), Reference::new("CWE", "CWE-502")];
const FORM: &[Reference] = &[Reference::new("OWASP-LLM", "LLM03"), Reference::new("CWE", "CWE-436")];

rule_list! {
    /// Every rule about model files.
    RULES:
    /// A pickle calls something that runs commands or code, or reaches files or the network.
    PICKLE_CODE = "model/pickle-code-execution", "pickle_code_execution.md", Critical, High, CODE,
        "loading this file runs code or commands";
    /// A pickle calls something that no framework profile lists.
    PICKLE_CALL = "model/pickle-unknown-call", "pickle_unknown_call.md", High, High, CODE,
        "loading this file calls something that no known framework needs";
    /// A pickle imports something and does not call it.
    PICKLE_IMPORT = "model/pickle-import", "pickle_import.md", Low, High, CODE,
        "loading this file imports something that no known framework needs";
    /// A pickle writes attributes or items where no plain value is.
    PICKLE_WRITE = "model/pickle-attribute-write", "pickle_attribute_write.md", High, High, CODE,
        "loading this file writes into something that it did not make";
    /// A pickle uses an operand that cannot be told.
    PICKLE_UNRESOLVED = "model/pickle-unresolved", "pickle_unresolved.md", High, High, CODE,
        "loading this file uses a name that cannot be told from the file";
    /// A pickle rebuilds functions or classes from code that it carries.
    PICKLE_FUNCTION = "model/pickle-function", "pickle_function.md", Medium, High, CODE,
        "the file carries Python code and rebuilds functions from it";
    /// A payload that runs code is hidden in a value.
    NESTED = "model/nested-payload", "nested_payload.md", High, High, CODE,
        "a value in the file is itself a file that runs code when loaded";
    /// A container is read differently by different loaders.
    CONTAINER = "model/container-mismatch", "container_mismatch.md", High, High, FORM,
        "loaders read this container in different ways";
    /// A name or link in an archive leads out of its folder.
    PATH = "model/path-traversal", "path_traversal.md", High, High, FORM,
        "a path in the file leads out of its folder";
    /// A file expands to far more than it is.
    BOMB = "model/decompression-bomb", "decompression_bomb.md", High, High, FORM,
        "the file expands far beyond its size";
    /// A header says what the file does not hold.
    STRUCTURE = "model/invalid-structure", "invalid_structure.md", High, High, FORM,
        "the header does not fit the file";
    /// Bytes that belong to nothing.
    TRAILING = "model/unowned-bytes", "unowned_bytes.md", Medium, High, FORM,
        "the file holds bytes that belong to no part of it";
    /// A configuration names code that a loader runs.
    CONFIG = "model/config-code", "config_code.md", High, High, CODE,
        "the configuration makes a loader run code";
    /// A configuration refers to code of its own repository.
    REMOTE = "model/remote-code", "remote_code.md", High, High, CODE,
        "the model needs code from its repository to be run";
    /// A Python file runs commands or code, or reaches out.
    PYTHON = "model/python-code", "python_code.md", High, High, CODE,
        "importing this Python file runs commands or reaches out";
    /// The file is code for a processor.
    NATIVE = "model/native-code", "native_code.md", Medium, High, CODE,
        "the file is a native program or library";
    /// A chat template reaches into Python.
    TEMPLATE = "model/template-code", "template_code.md", High, High, CODE,
        "the chat template reaches for Python's internals";
    /// A chat template changes what it says by what the user says.
    CONDITION = "model/template-instruction", "template_instruction.md", High, High, CODE,
        "the chat template adds instructions when certain words are used";
}
