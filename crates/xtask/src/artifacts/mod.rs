//! `bench artifacts`: what scanners of model files say of hostile and of ordinary files, and what that costs.
//!
//! Peers and frameworks come from PyPI into virtual environments in the cache. Every file is scanned by a process of its
//! own, as a gate would; exit code 1 is an alarm.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, bench, pypi, repo};

/// The other scanners, and what they need beside what they declare.
const PEERS: &[&str] =
    &["picklescan==1.0.5", "fickling==0.1.12", "modelscan==0.8.8", "modelaudit==0.2.54", "typing_extensions"];
/// What writes ordinary files; `torch` is taken from the system's Python where it is there.
const FRAMEWORKS: &[&str] = &[
    "numpy",
    "scikit-learn",
    "pandas",
    "xgboost",
    "lightgbm",
    "catboost",
    "keras",
    "tensorflow-cpu",
    "h5py",
    "onnx",
    "msgpack",
];

/// What was said of the files of one folder.
#[derive(Default)]
struct Count {
    alarms: usize,
    clean: usize,
    other: usize,
    /// Files of the answer that was not asked for.
    wrong: Vec<String>,
}

/// Runs the comparison; `--speed` measures the speed alone, `--peers` scans with the others, too.
pub(crate) fn run(binary: &Path, args: &[&str]) -> Result {
    let home = repo::cache()?.join("artifacts");
    std::fs::create_dir_all(&home).map_err(|e| format!("cannot create `{}`: {e}", home.display()))?;
    if !args.contains(&"--speed") {
        detection(binary, &home, args.contains(&"--peers"))?;
    }
    speed(binary, &home)
}

fn detection(binary: &Path, home: &Path, peers: bool) -> Result {
    let (hostile, ordinary) = (home.join("hostile"), home.join("ordinary"));
    script("python3", include_str!("hostile.py"), &hostile)?;
    let frameworks = pypi::tools("artifacts/frameworks", FRAMEWORKS)?;
    script(&frameworks.join("python").display().to_string(), include_str!("frameworks.py"), &ordinary.join("pypi"))?;
    // Debian's Python has torch where its package is installed; the script leaves out what is not there.
    if Path::new("/usr/bin/python3").exists() {
        script("/usr/bin/python3", include_str!("frameworks.py"), &ordinary.join("system"))?;
    }
    let mut tools: Vec<(&str, Vec<String>)> =
        vec![("bartizan", [&binary.display().to_string(), "scan", "model", "--no-hash"].map(str::to_owned).to_vec())];
    if peers {
        let bin = pypi::tools("artifacts/peers", PEERS)?;
        let tool = |name: &str, args: &[&str]| {
            std::iter::once(bin.join(name).display().to_string()).chain(args.iter().map(|a| (*a).to_owned())).collect()
        };
        tools.push(("picklescan", tool("picklescan", &["-p"])));
        tools.push(("fickling", tool("fickling", &["--check-safety"])));
        tools.push(("modelscan", tool("modelscan", &["-p"])));
        tools.push(("modelaudit", tool("modelaudit", &["scan"])));
    }
    let (hostile, ordinary) = (files(&hostile)?, files(&ordinary)?);
    println!("{} hostile files, {} ordinary ones", hostile.len(), ordinary.len());
    println!("| scanner | hostile: alarm | other | exit 0 | ordinary: alarm | other | exit 0 |");
    println!("|---|---|---|---|---|---|---|");
    for (name, command) in &tools {
        let (bad, good) = (judge(command, &hostile, true)?, judge(command, &ordinary, false)?);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} |",
            bad.alarms, bad.other, bad.clean, good.alarms, good.other, good.clean
        );
        if *name == "bartizan" {
            for file in bad.wrong.iter().chain(&good.wrong) {
                println!("  {file}");
            }
        }
    }
    Ok(())
}

fn judge(command: &[String], files: &[PathBuf], hostile: bool) -> Result<Count> {
    let mut count = Count::default();
    for file in files {
        let [program, args @ ..] = command else { return Err("no program".into()) };
        // fickling writes what it found into the folder that it runs in.
        let status = Command::new(program)
            .args(args)
            .arg(file)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|e| format!("cannot start `{program}`: {e}"))?;
        let wanted = if hostile { Some(1) } else { Some(0) };
        match status.code() {
            Some(1) => count.alarms += 1,
            Some(0) => count.clean += 1,
            _ => count.other += 1,
        }
        if status.code() != wanted {
            count.wrong.push(format!("{} ({status})", file.display()));
        }
    }
    Ok(count)
}

/// Time and memory over large files and many.
fn speed(binary: &Path, home: &Path) -> Result {
    let folder = home.join("speed");
    std::fs::create_dir_all(folder.join("many")).map_err(|e| e.to_string())?;
    let (tensors, gguf, pickle) =
        (folder.join("1gib.safetensors"), folder.join("500mib.gguf"), folder.join("floats.pkl"));
    let header = br#"{"w":{"dtype":"F32","shape":[268435456],"data_offsets":[0,1073741824]}}"#;
    let mut head = (header.len() as u64).to_le_bytes().to_vec();
    head.extend(header);
    sparse(&tensors, &head, 1 << 30)?;
    // One tensor of single floats behind a header that is aligned to 32 bytes.
    let mut head = b"GGUF".to_vec();
    head.extend(3u32.to_le_bytes());
    head.extend(1u64.to_le_bytes());
    head.extend(0u64.to_le_bytes());
    head.extend(1u64.to_le_bytes());
    head.push(b'w');
    head.extend(1u32.to_le_bytes());
    head.extend((125u64 << 20).to_le_bytes());
    head.extend(0u32.to_le_bytes());
    head.extend(0u64.to_le_bytes());
    head.resize(head.len().next_multiple_of(32), 0);
    sparse(&gguf, &head, 500 << 20)?;
    floats(&pickle, 11_000_000)?;
    for number in 0..2000 {
        floats(&folder.join("many").join(format!("{number}.pkl")), 100)?;
    }
    for (what, args) in [
        ("start-up", vec!["--version".to_owned()]),
        ("1 GiB safetensors", scan(&tensors, true)),
        ("1 GiB safetensors, --no-hash", scan(&tensors, false)),
        ("500 MiB GGUF", scan(&gguf, true)),
        ("500 MiB GGUF, --no-hash", scan(&gguf, false)),
        ("99 MB pickle of floats", scan(&pickle, false)),
        ("2,000 small pickles", scan(&folder.join("many"), false)),
    ] {
        let line = bench::used(Command::new(binary).args(args).stdout(Stdio::null()))?;
        println!("{what}: {line}");
    }
    Ok(())
}

fn scan(path: &Path, hash: bool) -> Vec<String> {
    let mut args = vec!["scan".to_owned(), "model".to_owned(), path.display().to_string()];
    args.extend((!hash).then(|| "--no-hash".to_owned()));
    args
}

/// A file with a head and so many bytes of a tensor, which take no room on the disk.
fn sparse(path: &Path, head: &[u8], len: u64) -> Result {
    let fail = |e: std::io::Error| format!("cannot write `{}`: {e}", path.display());
    let mut file = std::fs::File::create(path).map_err(fail)?;
    file.write_all(head).map_err(fail)?;
    file.set_len(head.len() as u64 + len).map_err(fail)
}

/// A pickle of a list of floats, nine bytes each.
fn floats(path: &Path, count: usize) -> Result {
    let mut bytes = b"\x80\x04](".to_vec();
    for number in 0..count {
        bytes.push(b'G');
        bytes.extend((number as f64).to_be_bytes());
    }
    bytes.extend(b"e.");
    std::fs::write(path, bytes).map_err(|e| format!("cannot write `{}`: {e}", path.display()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| format!("cannot read `{}`: {e}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

fn script(python: &str, source: &str, folder: &Path) -> Result {
    repo::run(
        Command::new(python)
            .args(["-W", "ignore", "-c", source])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
}
