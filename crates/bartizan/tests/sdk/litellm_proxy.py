"""A LiteLLM proxy with a configuration file of the test's choice.

    python litellm_proxy.py --config FILE [--port N]

Run with the interpreter that has LiteLLM. What the file refers to as os.environ/NAME comes from the environment.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_alive(origin):
    try:
        with urllib.request.urlopen(f"{origin}/health/liveliness", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--config", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    port = options.port or free_port()
    origin = f"http://127.0.0.1:{port}"
    # Nothing outside this machine is asked: no price list, no telemetry.
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*"}
    command = [sys.executable, "-m", "litellm.proxy.proxy_cli", "--config", options.config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env={**os.environ, **quiet})
    try:
        while not is_alive(origin):
            if proxy.poll() is not None:
                sys.exit(f"LiteLLM ended with {proxy.returncode}")
            time.sleep(0.2)
        print(json.dumps({"ready": True, "port": port, "origin": origin}), flush=True)
        ended = threading.Thread(target=sys.stdin.read, daemon=True)
        ended.start()
        while ended.is_alive() and proxy.poll() is None:
            time.sleep(0.1)
    finally:
        proxy.terminate()
        proxy.wait()


if __name__ == "__main__":
    main()
