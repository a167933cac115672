//! Names of Python's modules and of what stands in them, and the patterns that tables of them are made of.

/// Classes of the standard library that modules of frameworks may show under their own name.
pub(crate) const FOREIGN: &[&str] = &[
    "BytesIO",
    "CDLL",
    "Environment",
    "FileHandler",
    "FileIO",
    "Formatter",
    "GzipFile",
    "Logger",
    "MemoryMap",
    "NamedTemporaryFile",
    "Parallel",
    "Path",
    "Pool",
    "Popen",
    "Process",
    "PyDLL",
    "Pickler",
    "Queue",
    "Request",
    "StringIO",
    "TarFile",
    "Template",
    "TemporaryDirectory",
    "TemporaryFile",
    "Thread",
    "ThreadPool",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "Unpickler",
    "ZipFile",
    "GraphModule",
    "Interpreter",
    "JsonReader",
    "Library",
    "StataReader",
    "TextFileReader",
    "TextReader",
];

/// Modules of Python 2, of private builds and of other platforms, by the name that they have elsewhere.
pub(crate) fn canonical(module: &str) -> &str {
    match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        "cPickle" | "_pickle" | "cpickle" => "pickle",
        "posix" | "nt" | "posixpath" | "ntpath" | "os.path" => "os",
        "commands" | "popen2" => "subprocess",
        "_io" | "StringIO" | "cStringIO" => "io",
        "_operator" => "operator",
        "_codecs" => "codecs",
        "_collections" | "UserDict" | "UserList" => "collections",
        "_functools" => "functools",
        "_socket" => "socket",
        "_ctypes" => "ctypes",
        "_imp" | "_frozen_importlib" | "_frozen_importlib_external" => "importlib",
        "_ssl" => "ssl",
        "_signal" => "signal",
        "_sqlite3" => "sqlite3",
        "_datetime" => "datetime",
        "_decimal" => "decimal",
        "_uuid" => "uuid",
        "_asyncio" => "asyncio",
        "_multiprocessing" => "multiprocessing",
        "urllib2" | "urlparse" => "urllib",
        "httplib" => "http",
        "thread" | "dummy_thread" | "_dummy_thread" => "_thread",
        "Queue" => "queue",
        "whichdb" | "anydbm" | "gdbm" | "_dbm" => "dbm",
        other => other,
    }
}

/// `name*` stands for the module itself and everything in it.
pub(crate) fn module_fits(pattern: &str, module: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => module.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => pattern == module,
    }
}

/// `^` stands for every class by its name, `*` at the end for whatever else is plain.
fn name_fits(patterns: &str, name: &str) -> bool {
    patterns.split_ascii_whitespace().any(|pattern| match (pattern, pattern.strip_suffix('*')) {
        ("^", _) => is_camel(name),
        (_, Some("")) => is_plain(name) && !name.starts_with("__"),
        (_, Some(stem)) => name.strip_prefix(stem).is_some_and(is_plain),
        (pattern, None) => pattern == name,
    })
}

/// A name without dots.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A class by its name: capitals, perhaps behind one underscore, and no dots.
pub(crate) fn is_camel(name: &str) -> bool {
    let bare = name.strip_prefix('_').unwrap_or(name);
    is_plain(bare) && bare.starts_with(|c: char| c.is_ascii_uppercase()) && !FOREIGN.contains(&bare)
}

/// What the first row of a table that fits says.
pub(crate) fn listed<'t, T>(table: &'t [(&str, &str, T)], module: &str, name: &str) -> Option<&'t T> {
    table.iter().find(|(m, names, _)| module_fits(m, module) && name_fits(names, name)).map(|(_, _, t)| t)
}

/// True where a row of a table fits.
pub(crate) fn named(table: &[(&str, &str)], module: &str, name: &str) -> bool {
    table.iter().any(|(m, names)| module_fits(m, module) && name_fits(names, name))
}
