//! The flags that each program may have. A flag that is not here may run, write or send something, so it is not understood.

use super::shell::Word;

/// The flags of one program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// Letters without a value; several may stand in one word.
    alone: &'static str,
    /// Letters whose value is the rest of the word or the next word.
    valued: &'static str,
    /// Whole words. With `=` at its end a word has a value, in it or in the next one; with `--` nothing after that is a flag.
    words: &'static str,
}

/// Arguments of a program, told apart.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    /// Flags, without values: `i` or `--in-place`.
    pub(super) flags: Vec<String>,
    /// Flags with their values.
    pub(super) values: Vec<(String, Word)>,
    /// All that are no flags.
    pub(super) plain: Vec<&'a Word>,
    /// What follows the flags of a program that starts another.
    pub(super) rest: &'a [Word],
}

impl Given<'_> {
    pub(super) fn has(&self, flags: &[&str]) -> bool {
        self.flags.iter().any(|flag| flags.contains(&flag.as_str()))
    }
}

impl Spec {
    pub(super) const fn new(alone: &'static str, valued: &'static str, words: &'static str) -> Self {
        Self { alone, valued, words }
    }

    fn lists(&self, word: &str) -> bool {
        self.words.split(' ').any(|known| known == word)
    }

    /// Tells arguments apart; `None` where one is not on the list, or might become a flag that is not. `first` stops at
    /// the first that is no flag.
    pub(super) fn read<'a>(&self, words: &'a [Word], first: bool) -> Option<Given<'a>> {
        let mut given = Given::default();
        let mut at = 0;
        let mut ended = false;
        while let Some(word) = words.get(at) {
            let text = word.text.as_str();
            at += 1;
            if ended {
                given.plain.push(word);
                continue;
            }
            if word.open {
                return None;
            }
            if text == "--" {
                ended = self.lists("--");
                if !ended {
                    return None;
                }
                continue;
            }
            if text == "-" || !text.starts_with('-') {
                if first {
                    given.rest = words.get(at - 1..).unwrap_or_default();
                    return Some(given);
                }
                given.plain.push(word);
                continue;
            }
            let (name, attached) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
            if attached.is_none() && self.lists(text) {
                given.flags.push(text.to_owned());
                continue;
            }
            if self.lists(&format!("{name}=")) {
                let value = match attached {
                    Some(value) => Word { text: value.to_owned(), ..word.clone() },
                    None => {
                        let next = words.get(at)?;
                        at += 1;
                        // A value that looks like a flag is one for programs whose values may be left out.
                        if next.splits || name.starts_with("--") && next.text.starts_with('-') {
                            return None;
                        }
                        next.clone()
                    }
                };
                given.values.push((name.to_owned(), value));
                continue;
            }
            let mut letters = text.chars().skip(1);
            while let Some(letter) = letters.next() {
                if self.alone.contains(letter) {
                    given.flags.push(letter.to_string());
                } else if self.valued.contains(letter) {
                    let rest: String = letters.by_ref().collect();
                    let value = if rest.is_empty() {
                        let next = words.get(at).filter(|next| !next.splits && !next.text.starts_with('-'))?;
                        at += 1;
                        next.clone()
                    } else {
                        Word { text: rest, ..word.clone() }
                    };
                    given.values.push((letter.to_string(), value));
                } else {
                    return None;
                }
            }
        }
        Some(given)
    }
}

/// A name and its flags: letters, letters with values, words.
type Row = (&'static str, &'static str, &'static str, &'static str);

pub(super) fn of(rows: &[Row], name: &str) -> Option<Spec> {
    rows.iter().find(|row| row.0 == name).map(|row| Spec::new(row.1, row.2, row.3))
}

/// Programs that look, but for some of their flags.
pub(super) const LOOK: &[Row] = &[
    ("rg", "nilLcvwxFHNUIosSuqphaP0", "gtTeABCmrdMf", RIPGREP),
    ("ag", "ilLcvwQsuS0", "GABCm", "--hidden --nocolor --color --ignore= --depth="),
    (
        "fd",
        "HIsigaLpu01q",
        "edtESc",
        "--hidden --no-ignore --extension= --type= --max-depth= --exclude= --glob --follow --full-path --absolute-path --color=",
    ),
    (
        "sort",
        "bdfghinMRrVucCmsz",
        "kt",
        "-- --reverse --unique --numeric-sort --human-numeric-sort --version-sort --key= --field-separator= --stable --ignore-case --check",
    ),
    ("uniq", "cdDiuz", "fsw", "-- --count --repeated --unique --ignore-case"),
    ("tree", "adfilspughDFrtvqNQSACJXnx", "LIP", "--gitignore --dirsfirst --noreport --prune --du"),
    ("file", "biLhk", "", "-- --mime-type --mime --brief"),
    ("date", "uRI", "dr", "--utc --date= --iso-8601 --iso-8601= --rfc-3339= -Iseconds"),
    ("yq", "rPcCMNnj", "op", "--raw-output"),
    (
        "find",
        "",
        "",
        "-name= -iname= -path= -ipath= -wholename= -iwholename= -regex= -iregex= -regextype= -type= -xtype= -maxdepth= -mindepth= -size= -mtime= -mmin= -ctime= -cmin= -atime= -amin= -newer= -newermt= -user= -group= -perm= -inum= -links= -printf= -empty -print -print0 -ls -prune -not -a -and -o -or -quit -true -false -readable -writable -executable -follow -mount -xdev -depth -daystart -nogroup -nouser -L -P -H",
    ),
    ("awk", "", "Fv", "--"),
    ("gawk", "", "Fv", "--"),
];

const RIPGREP: &str = "-- --files --hidden --no-ignore --glob= --iglob= --type= --line-number --no-line-number --no-heading --heading --color= --count --files-with-matches --ignore-case --smart-case --context= --after-context= --before-context= --max-count= --max-depth= --json --fixed-strings --multiline --sort= --word-regexp --stats --no-filename --with-filename --only-matching --vimgrep --column";

/// `python -m json.tool`.
pub(super) const JSON: Spec = Spec::new("", "", "--sort-keys --no-ensure-ascii --json-lines --indent= --compact");

/// `sed`; letters after `-i` would be the end of another file's name.
pub(super) const SED: Spec =
    Spec::new("nErsuz", "e", "-i -i.bak -ni -Ei -ri --in-place --quiet --silent --regexp-extended --expression= --");

/// Programs that change the files that they name.
pub(super) const CHANGE: &[Row] = &[
    ("mkdir", "pv", "m", "-- --parents --verbose --mode="),
    ("touch", "acmh", "dtr", "-- --no-create --date= --reference="),
    (
        "cp",
        "aRrpfivnuxLPHdT",
        "",
        "-- --recursive --archive --no-clobber --verbose --force --preserve --no-dereference",
    ),
    ("mv", "fivnuT", "", "-- --force --no-clobber --verbose"),
    ("tee", "ai", "", "-- --append"),
    ("ln", "sfvnrT", "", "-- --symbolic --force --relative"),
];

/// Programs that start what follows them.
pub(super) const START: &[Row] = &[
    ("nohup", "", "", ""),
    ("time", "p", "", ""),
    ("timeout", "v", "sk", "--foreground --preserve-status --kill-after= --signal="),
    ("nice", "0123456789", "n", "--adjustment="),
    ("ionice", "", "cn", ""),
    ("stdbuf", "", "ioe", ""),
    ("command", "p", "", ""),
    ("builtin", "", "", ""),
    ("setsid", "w", "", ""),
    ("xargs", "0rt", "", "--null --no-run-if-empty"),
    ("bash", "celux", "", ""),
];

const SCRIPT: &str = "-s --silent --if-present --workspaces --workspace= -w= --watch= --watch --watchAll= --watchAll --run --coverage --verbose --ci --bail --fix --check --no-color --reporter= --testNamePattern= --testPathPattern= -t= --grep= -u --updateSnapshot --maxWorkers= --runInBand -i --passWithNoTests --quiet --json --mode= --noEmit";

const PYTEST: &str = "-- --tb= --lf --ff --last-failed --failed-first --maxfail= --no-header --no-summary --durations= --cov --cov= --collect-only --co --exitfirst --verbose --quiet --capture= --color= --timeout= --disable-warnings --sw --stepwise --strict-markers --numprocesses= --no-cov --junitxml=";

/// Programs that build, check or test what is in the workspace.
pub(super) const BUILD: &[Row] = &[
    (
        "make",
        "jkBnsi0123456789",
        "C",
        "--jobs= --keep-going --silent --dry-run --no-print-directory --always-make --directory=",
    ),
    ("ninja", "v", "Cjk", "--verbose"),
    ("pytest", "vxsql", "kmnrW", PYTEST),
    ("py.test", "vxsql", "kmnrW", PYTEST),
    ("python unittest", "vfqbc", "kspt", "--verbose --failfast --quiet --buffer"),
    ("python compileall", "qf", "", ""),
    ("python py_compile", "", "", ""),
    ("python build", "wsn", "", "--wheel --sdist --no-isolation"),
    ("tox", "vqr", "ep", "--quiet --recreate"),
    ("nox", "lr", "es", "--list --reuse-existing-virtualenvs"),
    ("mypy", "v", "pm", "--strict --ignore-missing-imports --show-error-codes --no-error-summary --pretty"),
    (
        "ruff",
        "qv",
        "",
        "--fix --check --diff --quiet --no-cache --select= --ignore= --extend-select= --output-format= --show-fixes --statistics",
    ),
    ("black", "qv", "lt", "--check --diff --quiet --line-length="),
    ("isort", "cqv", "", "--check --check-only --diff --profile= --quiet"),
    ("flake8", "v", "", "--max-line-length= --select= --ignore= --extend-ignore= --count --statistics"),
    ("pylint", "Ev", "", "-rn --disable= --enable= --errors-only --score="),
    ("pyright", "v", "", "--outputjson --stats"),
    ("tsc", "bvw", "p", "--noEmit --pretty --strict --skipLibCheck --build --watch --project="),
    ("eslint", "", "", "--fix --quiet --max-warnings= --ext="),
    ("prettier", "cwl", "", "--check --write --list-different"),
    ("jest", "", "", SCRIPT),
    ("vitest", "", "", SCRIPT),
    ("mocha", "", "", SCRIPT),
    ("npm run", "", "", SCRIPT),
    ("rustfmt", "v", "", "--check --edition="),
    ("rustc", "V", "", "--edition= --version"),
    ("gofmt", "lwds", "", ""),
    ("golangci-lint", "v", "", "--fix --timeout="),
    ("gcc", COMPILE, COMPILE_VALUED, COMPILE_WORDS),
    ("g++", COMPILE, COMPILE_VALUED, COMPILE_WORDS),
    ("clang", COMPILE, COMPILE_VALUED, COMPILE_WORDS),
    ("javac", "g", "d", "-Xlint -cp= -classpath="),
    ("mvn", "qBoeU", "", "-DskipTests -Dtest= -pl= -am"),
    ("gradle", "qis", "", "--no-daemon --info --stacktrace --offline --tests= --console= --quiet"),
    ("rspec", "c", "et", "--color --no-color --fail-fast --tag= --example="),
    ("rubocop", "aA", "", "--autocorrect --only="),
    ("ctest", "VN", "Rj", "--output-on-failure --test-dir="),
    ("shellcheck", "ax", "sef", ""),
    ("phpunit", "", "", "--filter= --testdox --colors --stop-on-failure"),
    ("swift", "v", "c", "--configuration= --filter="),
    ("dotnet", "", "cv", "--no-restore --no-build --configuration= --nologo --filter= --verbosity="),
    ("cargo", "vqr", "pjFE", CARGO),
    (
        "go",
        "",
        "",
        "-v -race -short -cover -count= -run= -bench= -benchmem -timeout= -tags= -o= -coverprofile= -failfast -json -parallel= -p= -x -n -a -trimpath",
    ),
    // What stands behind `--`.
    ("cargo clippy", "", "DWAF", ""),
    ("cargo fmt", "", "", "--check --edition="),
    (
        "cargo test",
        "q",
        "",
        "--nocapture --no-capture --show-output --exact --ignored --include-ignored --list --quiet --test-threads= --skip= --color=",
    ),
    ("cargo run", "hV", "", "--help --version"),
];

const COMPILE: &str = "cgOEwS0123";
const COMPILE_VALUED: &str = "oIlDL";
const COMPILE_WORDS: &str =
    "-Wall -Wextra -Werror -Wpedantic -Wno-error -std= -Os -Og -fsyntax-only -fPIC -pthread -shared --version";
const CARGO: &str = "--release --all --workspace --all-targets --all-features --no-default-features --features= --package= --exclude= --lib --bins --bin= --tests --test= --examples --example= --benches --bench= --doc --no-run --no-fail-fast --locked --offline --frozen --quiet --verbose --message-format= --profile= --target= --check --no-deps --document-private-items --keep-going --jobs= --color= --manifest-path= --target-dir= --fix --allow-dirty --allow-staged";

/// What package managers show without asking anybody.
pub(super) const SHOW: &[Row] = &[
    (
        "cargo",
        "d",
        "pieF",
        "--depth= --invert= --edges= --duplicates --no-dedupe --prefix= --workspace --no-deps --format-version= --locked --offline --all-features",
    ),
    ("npm", "a", "", "--depth= --all --json --long"),
    ("pnpm", "", "", "--depth= --json --long"),
    ("yarn", "", "", "--depth= --json"),
    ("pip", "lf", "", "--local --user --not-required --format="),
    ("pip3", "lf", "", "--local --user --not-required --format="),
    ("go", "", "", "-json -all -short -src -u"),
];

const HISTORY: &str = "-- --oneline --graph --all --stat --stat= --numstat --shortstat --name-only --name-status --patch --no-patch --decorate --decorate= --abbrev-commit --author= --since= --until= --after= --before= --grep= --pretty --pretty= --format= --date= --first-parent --merges --no-merges --follow --reverse --max-count= --cached --staged --color --color= --no-color --word-diff --word-diff= --ignore-all-space --ignore-space-change --diff-filter= --unified= --summary --check --no-renames --find-renames --minimal --patience --histogram --exit-code --quiet --no-ext-diff --no-textconv --binary --full-index --relative --topo-order --branches --tags --remotes --left-right --cherry-pick --show-toplevel --abbrev-ref --short --short= --verify --git-dir --is-inside-work-tree --show-prefix --symbolic-full-name --others --exclude-standard --modified --deleted --stage --error-unmatch --count --is-ancestor --fork-point --always --dirty --long --exact-match --abbrev= --porcelain --porcelain= --line-porcelain --show-stash --ignored --untracked-files --untracked-files= --branch --numbered --email";

/// Verbs of `git` that look.
pub(super) const HISTORY_SPEC: Spec = Spec::new("0123456789pswbzaeMCrRtviEFuno", "SGLU", HISTORY);

/// Other verbs of `git`.
pub(super) const GIT: &[Row] = &[
    (
        "grep",
        "nilLcvwEFPHhoqIra",
        "eABCm",
        "-- --count --line-number --cached --untracked --name-only --ignore-case --word-regexp --files-with-matches",
    ),
    ("branch", "avr", "", "--all --list --show-current --contains= --merged --no-merged --remotes --sort= --format="),
    ("config", "l", "", "--get --list --global --local --show-origin"),
    ("stash", "uq", "m", "-- --include-untracked --index --keep-index --message= --stat --patch"),
    ("add", "AuvN", "", "-- --all --update --verbose --intent-to-add"),
    (
        "commit",
        "avqs",
        "mF",
        "-- --all --amend --no-edit --message= --file= --signoff --allow-empty --quiet --verbose --author= --date=",
    ),
    ("mv", "kv", "", "--"),
    ("tag", "al", "m", "--list --annotate --message="),
    ("merge", "qv", "m", "--no-ff --ff-only --squash --abort --continue --no-edit --no-commit --quiet"),
    ("cherry-pick", "x", "", "--abort --continue --no-commit"),
    ("revert", "", "", "--no-edit --abort --continue --no-commit"),
    ("switch", "cq", "", "--create --quiet"),
    ("checkout", "bq", "", ""),
    ("fetch", "qvat", "", "--all --tags --quiet --verbose --depth="),
    ("pull", "qvr", "", "--rebase --no-rebase --ff-only --tags --quiet --verbose"),
    ("push", "uqvn", "", "--set-upstream --tags --follow-tags --quiet --verbose --dry-run"),
    ("clone", "qv", "b", "--depth= --branch= --single-branch --quiet --verbose --no-checkout"),
];

/// Programs that ask other machines by name.
pub(super) const ASK: &[Row] = &[
    ("ping", "46nqv", "cWwi", ""),
    ("dig", "46", "t", ""),
    ("nslookup", "", "", ""),
    ("host", "46", "t", ""),
    ("traceroute", "46n", "m", ""),
];

/// Variables that change how a program speaks, not what it runs.
pub(super) const HARMLESS: [&str; 22] = [
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LANG",
    "TZ",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CI",
    "TERM",
    "COLUMNS",
    "VERBOSE",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "RUST_TEST_THREADS",
    "CARGO_TERM_COLOR",
    "NODE_ENV",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "GOOS",
    "GOARCH",
];
