"""A real model behind llama.cpp's own OpenAI and Anthropic server, on loopback.

    python model_server.py MODEL.gguf [--port N] [--context N] [--parallel N] [--shim]

One thread and no polling: with spinning threads a busy machine slows it down a hundredfold.
`--parallel` answers so many questions at once, which one thread does faster than one after the other.
`--shim` turns a tool call that the model wrote as JSON text into a real one (OpenAI chat; streaming is then
synthesised from the whole reply, only where tools are offered).
"""

import argparse
import json
import os
import sys
import time
import uuid

import wire


def start_llama(model, port, context, parallel):
    # llama.cpp logs to standard output as well; the ready line has to be alone there.
    out = os.dup(1)
    os.dup2(2, 1)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {os.environ.get("BARTIZAN_MODEL_NAME", "test-model")}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = context * parallel
    params.n_parallel = parallel
    params.use_jinja = True
    params.warmup = False
    params.offline = True
    # A second run of the same questions is not the faster one.
    params.cache_ram_mib = 0
    params.sampling.temp = 0.0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = 1
        cpu.poll = 0
    server = xllamacpp.Server(params)
    sys.stdout.flush()
    os.dup2(out, 1)
    return server


def with_tool_call(completion):
    """The completion with the call that its content spells out, or as it is."""
    choice = completion["choices"][0]
    message = choice["message"]
    found = None if message.get("tool_calls") else wire.call_in(message.get("content"))
    if found:
        name, arguments = found
        function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        message["content"] = None
        message["tool_calls"] = [{"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}]
        choice["finish_reason"] = "tool_calls"
    return completion


def chunks(completion):
    """The event stream that says the same as the completion."""
    base = {"id": completion["id"], "object": "chat.completion.chunk", "created": int(time.time()), "model": completion["model"]}
    choice = completion["choices"][0]
    message = choice["message"]

    def chunk(delta, finish=None):
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": None if message.get("tool_calls") else ""})
    for word in (message.get("content") or "").splitlines(keepends=True):
        yield chunk({"content": word})
    for index, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": {"name": function["name"], "arguments": ""}}]})
        # Real providers split the arguments, also inside a string.
        for at in range(0, len(function["arguments"]), 12):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": function["arguments"][at : at + 12]}}]})
    yield chunk({}, choice["finish_reason"])


def shim(origin):
    class Shim(wire.Handler):
        def do_GET(self):
            wire.forward(self, origin, b"")

        def do_POST(self):
            body = self.body()
            try:
                request = json.loads(body)
            except ValueError:
                request = {}
            if self.path != "/v1/chat/completions" or not request.get("tools"):
                wire.forward(self, origin, body)
                return
            whole = {k: v for k, v in request.items() if k not in ("stream", "stream_options")}
            response = wire.call(origin, "POST", self.path, whole)
            data = response.read()
            if response.status != 200:
                self.reply(response.status, data)
                return
            completion = with_tool_call(json.loads(data))
            if not request.get("stream"):
                self.reply(200, completion)
                return
            self.begin_stream()
            for chunk in chunks(completion):
                self.openai_event(chunk)
            if (request.get("stream_options") or {}).get("include_usage"):
                self.openai_event({**chunk, "choices": [], "usage": completion["usage"]})
            self.openai_event(b"[DONE]")
            self.end_stream()

    return Shim


def main():
    options = argparse.ArgumentParser()
    options.add_argument("model")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--context", type=int, default=4096)
    options.add_argument("--parallel", type=int, default=1)
    options.add_argument("--shim", action="store_true")
    options = options.parse_args()
    server = start_llama(options.model, 0 if options.shim else options.port, options.context, options.parallel)
    if options.shim:
        wire.serve(shim(server.listening_address), options.port)
    else:
        wire.announce(int(server.listening_address.rsplit(":", 1)[1]))
        wire.wait_for_stdin()


if __name__ == "__main__":
    main()
