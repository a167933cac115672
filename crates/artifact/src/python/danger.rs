//! Names of Python's libraries by what calling them does.

/// How far a call reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
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
pub(super) fn force(name: &str) -> Option<Force> {
    let (module, last) = name.rsplit_once('.')?;
    let found = NAMES
        .iter()
        .find(|(_, m, names)| *m == module && (*names == "*" || names.split_ascii_whitespace().any(|n| n == last)));
    found.map(|(force, _, _)| *force)
}

/// What calling an attribute does, whatever it is an attribute of. Models have an `eval` and much has a `run`.
pub(super) fn attribute(name: &str) -> Option<Force> {
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
pub(super) fn is_runner(module: &str) -> bool {
    matches!(module, "os" | "posix" | "nt" | "subprocess" | "builtins" | "__builtins__" | "pty" | "runpy" | "sys")
}
