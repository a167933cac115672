"""A LiteLLM proxy with a configuration file of the test's choice.

    python litellm_proxy.py --config FILE [--port N]

Run with the interpreter that has LiteLLM. What the file refers to as os.environ/NAME comes from the environment.
"""

import argparse
import json
import os
import socket
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


def tell_when_ready(origin, port, out):
    while not is_alive(origin):
        time.sleep(0.2)
    out.write(json.dumps({"ready": True, "port": port, "origin": origin}) + "\n")
    out.flush()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--config", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    port = options.port or free_port()
    # Nothing outside this machine is asked: no price list, no telemetry.
    os.environ.update({"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*"})
    # Standard output is for the ready line; what LiteLLM prints goes to standard error.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=tell_when_ready, args=(f"http://127.0.0.1:{port}", port, out), daemon=True).start()
    threading.Thread(target=end_with_input, daemon=True).start()
    # In this process, so that whoever kills it kills the proxy.
    from litellm.proxy.proxy_cli import run_server

    sys.argv = ["litellm", "--config", options.config, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    run_server()


if __name__ == "__main__":
    main()
