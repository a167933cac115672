"""Follows docs/guide/clients.md: runs its code blocks, as they are, against the program and an upstream that listens.

A block is run where its fence names a how-to: ```python openai. Ports are put in; nothing else is changed.
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs/guide/clients.md"
ADDRESS = "ann.lee@example.org"
KEY = "howto-client-key-0123456789"


class Upstream(http.server.BaseHTTPRequestHandler):
    """Says the same to everybody, and keeps what it was asked."""

    seen: list[str] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        Upstream.seen.append(body)
        asked = json.loads(body)
        choice = {"index": 0, "finish_reason": "stop"}
        base = {"id": "c1", "created": 1, "model": asked.get("model", "m")}
        if asked.get("stream"):
            chunks = [
                {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": f}]}
                for d, f in [({"role": "assistant", "content": "Gladly "}, None), ({"content": "done."}, None), ({}, "stop")]
            ]
            out = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": "Gladly done."}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            out = json.dumps({**base, "object": "chat.completion", "choices": [{**choice, "message": message}], "usage": usage})
            kind = "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(out.encode())))
        self.end_headers()
        self.wfile.write(out.encode())

    def log_message(self, *_):
        pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def blocks() -> dict[tuple[str, str], str]:
    """Code of the page by language and name."""
    found = re.findall(r"^```(\w+) ([\w-]+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    return {(language, name): code for language, name, code in found}


def wait_for(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def client(name: str, code: str, url: str, folder: pathlib.Path) -> None:
    """Runs a client's block: it has to get through masked, and to be told of a refusal."""
    Upstream.seen.clear()
    path = folder / f"follow_{name}.py"
    path.write_text(code)
    env = {**os.environ, "BARTIZAN_URL": url, "BARTIZAN_KEY": KEY, "NO_PROXY": "*", "LANGSMITH_TRACING": "false"}
    done = subprocess.run([sys.executable, path], env=env, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"{name}: ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    checks = {
        "the answer is there": "Gladly done." in done.stdout,
        "a refusal says which event": re.search(r"refused: [0-9a-f-]{36}", done.stdout) is not None,
        "the upstream was asked": len(Upstream.seen) >= 1,
        "the address was masked": not any(ADDRESS in body for body in Upstream.seen),
        "the attack did not arrive": not any("previous instructions" in body for body in Upstream.seen),
    }
    for what, holds in checks.items():
        if not holds:
            raise SystemExit(f"{name}: not so: {what}\n{done.stdout}\n{Upstream.seen}")
    print(f"{name}: followed, {len(checks)} checks hold")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bartizan", required=True)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    page = blocks()
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        port = free_port()
        config = page["toml", "server"].replace("https://api.openai.com", f"http://127.0.0.1:{upstream.server_port}")
        (folder / "bartizan.toml").write_text(config.replace("127.0.0.1:8700", f"127.0.0.1:{port}"))
        env = {**os.environ, "OPENAI_API_KEY": "howto-provider-key", "BARTIZAN_KEY": KEY, "BARTIZAN_LOG": "warn"}
        program = subprocess.Popen([args.bartizan, "up"], cwd=folder, env=env, stdout=subprocess.DEVNULL)
        others = []
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            url = f"http://127.0.0.1:{port}/v1"
            for how in ["openai", "langchain"]:
                if args.only in ("", how):
                    client(how, page["python", how], url, folder)
            if args.only in ("", "envoy"):
                front = free_port()
                envoy = page["yaml", "envoy"].replace("port_value: 8700", f"port_value: {port}")
                (folder / "envoy.yaml").write_text(envoy.replace("port_value: 10000", f"port_value: {front}"))
                binary = pathlib.Path(sys.executable).with_name("envoy")
                flags = ["-c", folder / "envoy.yaml", "--log-level", "error"]
                subprocess.run([binary, "--mode", "validate", *flags], check=True, stdout=subprocess.DEVNULL)
                others.append(subprocess.Popen([binary, *flags, "--use-dynamic-base-id"]))
                wait_for(f"http://127.0.0.1:{front}/livez")
                client("envoy", page["python", "openai"], f"http://127.0.0.1:{front}/v1", folder)
        finally:
            for process in [*others, program]:
                process.terminate()
                process.wait(30)


if __name__ == "__main__":
    main()
