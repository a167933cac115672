//! Names of Python's libraries by what calling them does: one place for programs, pickles and configurations.

use crate::names::{canonical, named};

/// How far a call reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// Runs code or commands.
    Executes,
    /// Writes or deletes files, or speaks to the network.
    Reaches,
    /// Loads code by name or objects from files.
    Loads,
}

/// Modules by what some of their names do. `*` stands for every name.
const NAMES: &[(Force, &str, &str)] = &[
    (Force::Executes, "builtins", "eval exec execfile compile __import__"),
    (
        Force::Executes,
        "os",
        "system popen popen2 popen3 popen4 execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp \
         spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp startfile",
    ),
    (Force::Executes, "posix", "system popen execv execve posix_spawn"),
    (Force::Executes, "nt", "system popen execv execve spawnv startfile"),
    (Force::Executes, "subprocess", "Popen run call check_call check_output getoutput getstatusoutput"),
    (Force::Executes, "commands", "*"),
    (Force::Executes, "asyncio", "create_subprocess_exec create_subprocess_shell"),
    (Force::Executes, "asyncio.subprocess", "create_subprocess_exec create_subprocess_shell"),
    (Force::Executes, "pty", "spawn"),
    (Force::Executes, "runpy", "*"),
    (Force::Executes, "code", "interact InteractiveConsole InteractiveInterpreter"),
    (Force::Executes, "codeop", "*"),
    (Force::Executes, "timeit", "timeit repeat"),
    (Force::Executes, "cProfile", "run runctx"),
    (Force::Executes, "profile", "run runctx"),
    (Force::Executes, "pdb", "run runcall runctx runeval"),
    (Force::Executes, "doctest", "debug_script debug_src run_docstring_examples"),
    (Force::Executes, "distutils.spawn", "spawn"),
    (Force::Executes, "numpy.testing", "runstring"),
    (Force::Executes, "pandas", "eval"),
    (Force::Executes, "marshal", "load loads"),
    (Force::Executes, "types", "FunctionType CodeType LambdaType"),
    (Force::Executes, "pip", "main"),
    (Force::Executes, "pip._internal", "main"),
    (Force::Executes, "pexpect", "spawn run"),
    (Force::Executes, "platform", "popen"),
    (Force::Executes, "imp", "load_source load_module load_dynamic"),
    (Force::Executes, "ctypes.windll", "*"),
    (Force::Reaches, "ctypes", "CDLL WinDLL PyDLL windll cdll"),
    (Force::Reaches, "ctypes.cdll", "LoadLibrary"),
    (Force::Reaches, "socket", "socket create_connection create_server socketpair"),
    (Force::Reaches, "urllib.request", "urlopen urlretrieve build_opener Request"),
    (Force::Reaches, "urllib2", "urlopen"),
    (Force::Reaches, "urllib", "urlopen urlretrieve"),
    (Force::Reaches, "requests", "get post put patch delete head request Session"),
    (Force::Reaches, "httpx", "get post put patch delete head request stream Client"),
    (Force::Reaches, "aiohttp", "request ClientSession"),
    (Force::Reaches, "http.client", "HTTPConnection HTTPSConnection"),
    (Force::Reaches, "ftplib", "FTP FTP_TLS"),
    (Force::Reaches, "smtplib", "SMTP SMTP_SSL"),
    (Force::Reaches, "telnetlib", "Telnet"),
    (Force::Reaches, "paramiko", "SSHClient Transport"),
    (Force::Reaches, "webbrowser", "open open_new open_new_tab"),
    (Force::Reaches, "os", "remove unlink rmdir removedirs rename replace chmod chown kill symlink"),
    (Force::Reaches, "shutil", "rmtree move copyfile copy copy2 copytree"),
    (Force::Reaches, "wget", "download"),
    (Force::Reaches, "atexit", "register"),
    (Force::Reaches, "sys", "settrace setprofile addaudithook"),
    (Force::Loads, "pickle", "load loads Unpickler"),
    (Force::Loads, "_pickle", "load loads Unpickler"),
    (Force::Loads, "cPickle", "load loads"),
    (Force::Loads, "dill", "load loads"),
    (Force::Loads, "cloudpickle", "load loads"),
    (Force::Loads, "joblib", "load"),
    (Force::Loads, "shelve", "open"),
    (Force::Loads, "numpy", "load"),
    (Force::Loads, "pandas", "read_pickle"),
    (Force::Loads, "logging.config", "dictConfig fileConfig listen"),
    (Force::Loads, "site", "addsitedir"),
    (Force::Loads, "torch", "load"),
    (Force::Loads, "torch.hub", "load download_url_to_file load_state_dict_from_url"),
    (Force::Loads, "torch.ops", "load_library"),
    (Force::Loads, "torch.utils.cpp_extension", "load load_inline"),
    (Force::Loads, "importlib", "import_module reload"),
    (Force::Loads, "importlib.util", "spec_from_file_location module_from_spec"),
    (Force::Loads, "pkgutil", "resolve_name"),
    (Force::Loads, "yaml", "unsafe_load full_load"),
    (Force::Loads, "tensorflow", "py_function numpy_function load_op_library"),
];

/// What calling a name does; `None` where it is not known to reach anything.
pub(crate) fn force(name: &str) -> Option<Force> {
    let (module, last) = name.rsplit_once('.')?;
    let found = NAMES
        .iter()
        .find(|(_, m, names)| *m == module && (*names == "*" || names.split_ascii_whitespace().any(|n| n == last)));
    // A module may be reached through another one that uses it: `shutil.os.system`, `random._os.system`.
    found.map(|(force, _, _)| *force).or_else(|| {
        let shown = |at: usize| {
            let inner = name.get(at + 1..)?.trim_start_matches('_');
            is_runner(inner.split('.').next()?).then(|| force(inner))?
        };
        name.match_indices('.').rev().find_map(|(at, _)| shown(at))
    })
}

/// What calling an attribute does, whatever it is an attribute of. Models have an `eval` and much has a `run`.
pub(crate) fn attribute(name: &str) -> Option<Force> {
    const EXECUTES: &[&str] = &[
        "system",
        "popen",
        "popen2",
        "popen3",
        "popen4",
        "Popen",
        "execl",
        "execle",
        "execlp",
        "execlpe",
        "execv",
        "execve",
        "execvp",
        "execvpe",
        "spawnl",
        "spawnle",
        "spawnlp",
        "spawnlpe",
        "spawnv",
        "spawnve",
        "spawnvp",
        "spawnvpe",
        "posix_spawn",
        "posix_spawnp",
        "startfile",
        "check_output",
        "check_call",
        "getoutput",
        "getstatusoutput",
    ];
    const REACHES: &[&str] = &["write_text", "write_bytes", "unlink", "rmtree", "urlretrieve", "urlopen"];
    match name {
        name if EXECUTES.contains(&name) => Some(Force::Executes),
        name if REACHES.contains(&name) => Some(Force::Reaches),
        _ => None,
    }
}

/// A module that has functions which run code or commands.
pub(crate) fn is_runner(module: &str) -> bool {
    matches!(module, "os" | "posix" | "nt" | "subprocess" | "builtins" | "__builtins__" | "pty" | "runpy" | "sys")
}

/// Builtins of Python that run code, reach files, or reach other objects.
pub(crate) fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "eval"
            | "exec"
            | "compile"
            | "open"
            | "getattr"
            | "setattr"
            | "delattr"
            | "__import__"
            | "input"
            | "print"
            | "breakpoint"
            | "globals"
            | "vars"
            | "help"
            | "memoryview"
            | "execfile"
    )
}

/// Top-level modules that run code or commands, or reach files, memory or the network.
const CODE: &[&str] = &[
    "_aix_support",
    "_interpreters",
    "_osx_support",
    "_posixsubprocess",
    "_pyrepl",
    "_thread",
    "_xxsubinterpreters",
    "aiohttp",
    "antigravity",
    "asyncio",
    "atexit",
    "bdb",
    "cProfile",
    "cffi",
    "cgitb",
    "code",
    "codecs",
    "codeop",
    "compileall",
    "concurrent",
    "ctypes",
    "dbm",
    "distutils",
    "doctest",
    "ensurepip",
    "execnet",
    "ftplib",
    "gc",
    "glob",
    "http",
    "httpx",
    "idlelib",
    "imaplib",
    "imp",
    "importlib",
    "inspect",
    "io",
    "lib2to3",
    "linecache",
    "logging",
    "mailcap",
    "marshal",
    "mmap",
    "multiprocessing",
    "nntplib",
    "operator",
    "os",
    "paramiko",
    "pdb",
    "pickle",
    "pickletools",
    "pip",
    "pkgutil",
    "platform",
    "poplib",
    "profile",
    "pty",
    "py_compile",
    "pydoc",
    "requests",
    "rlcompleter",
    "runpy",
    "sched",
    "setuptools",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtplib",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "sysconfig",
    "tarfile",
    "telnetlib",
    "tempfile",
    "test",
    "threading",
    "timeit",
    "tkinter",
    "trace",
    "unittest",
    "urllib",
    "urllib3",
    "venv",
    "webbrowser",
    "wsgiref",
    "xmlrpc",
    "zipapp",
    "zipfile",
    "zipimport",
];

/// Those of them whose functions and classes configurations name in the course of things: loggers, threads, files.
const ORDINARY: &[&str] = &[
    "codecs",
    "concurrent",
    "gc",
    "glob",
    "inspect",
    "io",
    "linecache",
    "logging",
    "platform",
    "sched",
    "shlex",
    "signal",
    "sqlite3",
    "ssl",
    "sysconfig",
    "test",
    "threading",
    "trace",
    "unittest",
];

/// Names that do the same in other modules.
const CODE_NAMES: &[(&str, &str)] = &[
    (
        "builtins",
        "eval exec execfile compile __import__ open file input raw_input breakpoint getattr setattr delattr globals locals vars \
         apply map filter reduce memoryview help exit quit type super",
    ),
    ("types", "CodeType FunctionType MethodType new_class"),
    ("functools", "reduce partialmethod singledispatch"),
    ("copyreg", "add_extension pickle constructor"),
    ("uuid", "_get_command_stdout _popen"),
    ("pathlib", "Path.touch Path.write_text Path.write_bytes Path.unlink Path.open"),
    ("dill*", "load loads load_session load_module _eval_repr _import_module"),
    ("cloudpickle*", "load loads"),
    ("joblib*", "load"),
];

/// Functions of the standard library that modules of frameworks show under their own name.
const REEXPORTED: &[&str] = &[
    "Client",
    "Listener",
    "attrgetter",
    "get_class_from_dynamic_module",
    "import_module",
    "import_ir_module",
    "import_ir_module_from_buffer",
    "itemgetter",
    "listdir",
    "load_library",
    "load_module",
    "load_source",
    "makedirs",
    "methodcaller",
    "mkdir",
    "mkdtemp",
    "mkstemp",
    "remove",
    "removedirs",
    "rmdir",
    "run",
    "run_path",
    "run_module",
    "call",
    "symlink",
    "walk",
    "which",
];

/// True for a name that is dangerous whatever module shows it.
pub(crate) fn is_reexported(name: &str) -> bool {
    REEXPORTED.contains(&name) || attribute(name).is_some()
}

/// The same in frameworks, where configurations name most of it in the course of things.
const FRAMEWORK_NAMES: &[(&str, &str)] = &[
    ("scipy._lib.array_api_compat*", "clone_module"),
    ("sklearn.externals.array_api_compat*", "*"),
    ("sklearn.externals.array_api_extra*", "*"),
    ("sklearn.datasets*", "*"),
    ("sklearn.utils.discovery*", "*"),
    ("pandas.io*", "*"),
    ("pandas.util*", "*"),
    ("pandas.compat*", "*"),
    ("numpy.ctypeslib*", "*"),
    ("transformers.dynamic_module_utils*", "*"),
    ("transformers.utils.hub*", "*"),
    ("transformers.utils.import_utils*", "*"),
    ("joblib*", "dump Parallel"),
    ("numpy", "load save savetxt fromfile memmap genfromtxt loadtxt"),
    ("numpy.f2py*", "*"),
    ("numpy.distutils*", "*"),
    ("numpy.testing*", "*"),
    ("numpy.lib*", "*"),
    ("pandas*", "read_* to_pickle eval"),
    ("torch", "load save compile"),
    ("torch.hub", "*"),
    ("torch.jit", "load CompilationUnit script"),
    ("torch.serialization", "load save _load _legacy_load"),
    ("torch.package*", "*"),
    ("torch.fx*", "*"),
    ("torch.utils*", "*"),
    ("torch._dynamo*", "*"),
    ("torch._inductor*", "*"),
    ("torch.distributed*", "*"),
    ("torch.cuda._memory_viz", "*"),
    ("torch.fx.experimental*", "*"),
    ("transformers*", "pipeline AutoModel.from_pretrained AutoTokenizer.from_pretrained"),
    ("mlflow*", "*"),
    ("nltk*", "*"),
];

/// What only holds data, in modules that reach further.
const DATA: &[(&str, &str)] = &[("torch.utils.data.dataset", "TensorDataset Subset ConcatDataset StackDataset")];

/// Of those, what runs any command or code that it is given. No framework stores them.
const RUNS: &[(&str, &str)] = &[
    ("builtins", "eval exec execfile __import__"),
    (
        "os",
        "system popen popen2 popen3 popen4 execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp \
         spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp startfile",
    ),
    ("subprocess", "*"),
    ("pty", "spawn"),
    ("runpy", "*"),
    ("importlib", "import_module __import__"),
];

/// True where a module, or what a dotted name reaches through it, runs code.
pub(crate) fn runs_code(module: &str, name: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    if named(DATA, module, name) {
        return false;
    }
    // Helpers of a framework's own tests run commands, import by name, and write files.
    let tests =
        |part: &str| part.trim_start_matches('_').starts_with("test") || matches!(part, "conftest" | "distutils");
    if module.split('.').any(tests) {
        return true;
    }
    if CODE.contains(&canonical(top))
        || CODE.contains(&module)
        || named(CODE_NAMES, module, name)
        || named(FRAMEWORK_NAMES, module, name)
    {
        return true;
    }
    // A dotted name may walk through a module into another one: `torch.serialization` `os.system`.
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let bare = canonical(part.trim_start_matches('_'));
        if !last && (CODE.contains(&canonical(part)) || CODE.contains(&bare) || part.starts_with("__")) {
            return true;
        }
    }
    name.contains('.') && name.split('.').any(|part| part.starts_with("__"))
}

/// True where it runs any command or code that it is given.
pub(crate) fn runs_anything(module: &str, name: &str) -> bool {
    named(RUNS, module, name) || attribute(name) == Some(Force::Executes)
}

/// True where what a configuration names by a dotted path runs code, or is a module of such.
pub(crate) fn is_code(path: &str) -> bool {
    let mut parts = path.split(['.', ':']);
    let top = canonical(parts.next().unwrap_or_default());
    let (module, name) = path.rsplit_once(['.', ':']).unwrap_or((path, ""));
    let whole = name.is_empty() && CODE_NAMES.iter().any(|(m, _)| m.trim_end_matches('*') == top);
    let own = matches!(top, "numpy" | "pandas" | "scipy" | "sklearn" | "torch" | "transformers");
    CODE.contains(&top) && !ORDINARY.contains(&top)
        || whole
        || own && parts.clone().any(|part| part.trim_start_matches('_').starts_with("test"))
        || named(CODE_NAMES, canonical(module), name)
        || force(path) == Some(Force::Executes)
        // A module may show another one that it uses.
        || parts.any(is_runner)
        || matches!(if name.is_empty() { path } else { name }, "eval" | "exec" | "system" | "popen" | "Popen" | "__import__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_may_name_ordinary_objects() {
        for path in [
            "torch.utils.data.DataLoader",
            "logging.StreamHandler",
            "functools.partial",
            "builtins.dict",
            "types.SimpleNamespace",
            "pathlib.Path",
            "src.eval.Evaluator",
            "mylib.system.Trainer",
            "transformers.AutoModel.from_pretrained",
            "threading.Lock",
            "pandas.read_csv",
        ] {
            assert!(!is_code(path), "{path}");
        }
        for path in [
            "os.system",
            "posix:system",
            "subprocess.Popen",
            "builtins.eval",
            "builtins.getattr",
            "__builtin__.exec",
            "functools.reduce",
            "types.FunctionType",
            "pip.main",
            "pip._internal.main",
            "imp.load_source",
            "atexit.register",
            "pdb.run",
            "cProfile.run",
            "torch.serialization.os.system",
            "numpy.testing.subprocess.run",
            "dill.loads",
            "importlib.import_module",
            "code",
            "functools",
            "eval",
        ] {
            assert!(is_code(path), "{path}");
        }
    }
}
