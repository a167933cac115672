"""Stands between the gateway and an upstream and writes down what the upstream was sent.

    python recorder.py --upstream ORIGIN --log FILE [--port N]

One JSON line a request, written before it is passed on: {"method", "path", "headers", "body"}; `body` is the text as
it came over the wire, so that a test can search it for what must never be there.
"""

import argparse
import json
import threading

import wire


def recorder(origin, log):
    lock = threading.Lock()

    class Recorder(wire.Handler):
        def relay(self):
            body = self.body()
            entry = {
                "method": self.command,
                "path": self.path,
                "headers": {n.lower(): v for n, v in self.headers.items()},
                "body": body.decode("utf-8", "backslashreplace"),
            }
            with lock, open(log, "a", encoding="utf-8") as out:
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            wire.forward(self, origin, body)

        do_GET = do_POST = do_DELETE = relay

    return Recorder


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--upstream", required=True)
    options.add_argument("--log", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    open(options.log, "a", encoding="utf-8").close()
    wire.serve(recorder(options.upstream, options.log), options.port)


if __name__ == "__main__":
    main()
