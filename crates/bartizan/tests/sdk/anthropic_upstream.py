"""A strict Anthropic Messages upstream in front of an OpenAI-compatible model server.

    python anthropic_upstream.py --openai ORIGIN [--port N]

Where llama.cpp's own /v1/messages is lenient this one is as strict as the provider: the key and version headers are
required, bad requests get the provider's error shape, and streams carry `ping`. Tool calls that a model wrote as JSON
text become `tool_use` blocks.
"""

import argparse
import json
import uuid

import wire

STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
MODEL = {"type": "model", "id": "test-model", "display_name": "Test model", "created_at": "2025-01-01T00:00:00Z"}


class Invalid(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Invalid(message)


def to_openai(request):
    """The same request in OpenAI's dialect."""
    require(isinstance(request, dict), "request body: expected an object")
    require(isinstance(request.get("model"), str), "model: field required")
    require(isinstance(request.get("max_tokens"), int) and request["max_tokens"] > 0, "max_tokens: field required")
    require(isinstance(request.get("messages"), list) and request["messages"], "messages: at least one message is required")
    messages = []
    if request.get("system"):
        messages.append({"role": "system", "content": wire.text_of(request["system"])})
    for message in request["messages"]:
        messages += messages_of(message)
    out = {"model": request["model"], "messages": messages, "max_tokens": request["max_tokens"]}
    for key in ("temperature", "top_p", "stream"):
        if key in request:
            out[key] = request[key]
    if request.get("stop_sequences"):
        out["stop"] = request["stop_sequences"]
    if request.get("tools"):
        out["tools"] = [
            {"type": "function", "function": {"name": t["name"], "description": t.get("description", ""), "parameters": t["input_schema"]}}
            for t in request["tools"]
        ]
    return out


def messages_of(message):
    role, content = message.get("role"), message.get("content")
    require(role in ("user", "assistant"), "messages: role must be `user` or `assistant`")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    require(isinstance(content, list), "messages: content must be a string or a list of blocks")
    results, texts, calls = [], [], []
    for block in content:
        kind = block.get("type")
        if kind == "text":
            texts.append(block["text"])
        elif kind == "tool_use":
            require(role == "assistant", "messages: `tool_use` blocks belong to the assistant")
            function = {"name": block["name"], "arguments": json.dumps(block["input"], ensure_ascii=False)}
            calls.append({"id": block["id"], "type": "function", "function": function})
        elif kind == "tool_result":
            require(role == "user", "messages: `tool_result` blocks belong to the user")
            results.append({"role": "tool", "tool_call_id": block["tool_use_id"], "content": wire.text_of(block.get("content", ""))})
        elif kind in ("thinking", "redacted_thinking"):
            continue
        elif kind in ("image", "document"):
            texts.append(f"[{kind}]")
        else:
            raise Invalid(f"messages: unknown block type `{kind}`")
    if texts or calls:
        text = {"role": role, "content": "\n".join(texts)}
        results.append({**text, "tool_calls": calls} if calls else text)
    return results


def blocks_of(message):
    """Content blocks for an OpenAI message, and whether a tool is called."""
    calls = [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"] or "{}")) for c in message.get("tool_calls") or []]
    spelled = None if calls else wire.call_in(message.get("content"))
    if spelled:
        calls = [(f"toolu_{uuid.uuid4().hex[:24]}", *spelled)]
    blocks = [] if spelled or not message.get("content") else [{"type": "text", "text": message["content"]}]
    blocks += [{"type": "tool_use", "id": i, "name": n, "input": a} for i, n, a in calls]
    return blocks, bool(calls)


def envelope(request, content=(), stop=None, usage=(0, 0)):
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }


def usage_of(completion):
    usage = completion.get("usage") or {}
    return usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)


def start_events(request):
    yield {"type": "message_start", "message": envelope(request)}
    yield {"type": "ping"}


def text_events(index, deltas):
    yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": delta}}
    yield {"type": "content_block_stop", "index": index}


def tool_events(index, block):
    yield {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
    arguments = json.dumps(block["input"], ensure_ascii=False)
    # The provider sends an empty fragment first and then splits anywhere.
    for fragment in ["", *(arguments[at : at + 12] for at in range(0, len(arguments), 12))]:
        yield {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": fragment}}
    yield {"type": "content_block_stop", "index": index}


def stop_events(stop, output_tokens):
    yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": output_tokens}}
    yield {"type": "message_stop"}


def block_events(blocks):
    """The events of whole blocks, text word by word."""
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            yield from text_events(index, block["text"].splitlines(keepends=True))
        else:
            yield from tool_events(index, block)


def live_events(request, response):
    """The events of a reply without tools, as it arrives."""
    last = {"stop": "end_turn", "tokens": 0}

    def deltas():
        for chunk in wire.openai_stream(response):
            last["tokens"] = usage_of(chunk)[1] or last["tokens"]
            for choice in chunk.get("choices") or []:
                if choice["delta"].get("content"):
                    yield choice["delta"]["content"]
                if choice.get("finish_reason"):
                    last["stop"] = STOP.get(choice["finish_reason"], "end_turn")

    yield from start_events(request)
    yield from text_events(0, deltas())
    yield from stop_events(last["stop"], last["tokens"])


def handler(origin):
    class Upstream(wire.Handler):
        def error(self, status, kind, message):
            self.reply(status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": f"req_{uuid.uuid4().hex[:24]}"})

        def admitted(self):
            if not self.headers.get("x-api-key") and not self.headers.get("authorization"):
                self.error(401, "authentication_error", "x-api-key header is required")
            elif not self.headers.get("anthropic-version"):
                self.error(400, "invalid_request_error", "anthropic-version: header is required")
            else:
                return True
            return False

        def do_GET(self):
            if not self.admitted():
                return
            if self.path.split("?")[0] == "/v1/models":
                self.reply(200, {"data": [MODEL], "has_more": False, "first_id": MODEL["id"], "last_id": MODEL["id"]})
            else:
                self.error(404, "not_found_error", "not found")

        def do_POST(self):
            body = self.body()
            if not self.admitted():
                return
            if self.path.split("?")[0] != "/v1/messages":
                self.error(404, "not_found_error", "not found")
                return
            try:
                request = json.loads(body)
                self.messages(request, to_openai(request))
            except (Invalid, ValueError, KeyError, AttributeError) as error:
                self.error(400, "invalid_request_error", str(error))

        def messages(self, request, openai):
            live = request.get("stream") and not request.get("tools")
            if live:
                openai["stream_options"] = {"include_usage": True}
            else:
                openai.pop("stream", None)
            response = wire.call(origin, "POST", "/v1/chat/completions", openai)
            if response.status != 200:
                detail = response.read().decode("utf-8", "replace")
                self.error(response.status, "invalid_request_error" if response.status < 500 else "api_error", detail)
                return
            if live:
                self.send_events(live_events(request, response))
                return
            completion = json.loads(response.read())
            choice = completion["choices"][0]
            blocks, calls = blocks_of(choice["message"])
            stop = "tool_use" if calls else STOP.get(choice["finish_reason"], "end_turn")
            if request.get("stream"):
                self.send_events([*start_events(request), *block_events(blocks), *stop_events(stop, usage_of(completion)[1])])
            else:
                self.reply(200, envelope(request, blocks, stop, usage_of(completion)), headers=[("request-id", f"req_{uuid.uuid4().hex[:24]}")])

        def send_events(self, events):
            self.begin_stream(headers=[("request-id", f"req_{uuid.uuid4().hex[:24]}")])
            for event in events:
                self.anthropic_event(event)
            self.end_stream()

    return Upstream


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--openai", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    wire.serve(handler(options.openai), options.port)


if __name__ == "__main__":
    main()
