"""An upstream that says exactly what a test tells it to, for replies that a real model cannot be made to give.

    python scripted_upstream.py --script JSON|@FILE [--port N]

The script is a list of replies; the n-th request gets the n-th, the last one repeats. A reply:
  {"chunks": ["…", …],            text, one stream event each
   "split": 3,                    or: cut the joined text into events of so many characters
   "tool": {"name", "arguments"}, a tool call after the text
   "reasoning": "…",              reasoning text before it (OpenAI `reasoning_content`, Anthropic thinking block)
   "write": 7,                    cut the bytes of the stream into writes of so many
   "delay_ms": 5,                 pause before each event
   "cut": true,                   close the connection after the text, without an ending
   "status": 529, "error": {…}}   answer with this error body instead
In texts and string arguments {{system}}, {{user}} and {{tool}} stand for the newest such text of the request.
Speaks OpenAI chat, completions, Responses and models, and Anthropic messages; streaming and not.
"""

import argparse
import json
import pathlib
import threading
import time

import anthropic_upstream
import wire


def heard(request):
    """The newest system, user and tool text of a request in any dialect."""
    texts = {"system": wire.text_of(request.get("system")) or request.get("instructions") or "", "user": "", "tool": ""}
    messages = request.get("messages") or request.get("input") or request.get("prompt") or []
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    for message in messages:
        role, content = message.get("role"), message.get("content")
        results = [p for p in content if p.get("type") == "tool_result"] if isinstance(content, list) else []
        if message.get("type") == "function_call_output":
            texts["tool"] = wire.text_of(message.get("output"))
        elif results:
            texts["tool"] = wire.text_of(results[-1].get("content"))
        elif role in ("system", "developer"):
            texts["system"] = wire.text_of(content)
        elif role in texts:
            texts[role] = wire.text_of(content)
    return texts


def filled(value, texts):
    if isinstance(value, str):
        for name, text in texts.items():
            value = value.replace("{{" + name + "}}", text)
        return value
    if isinstance(value, list):
        return [filled(v, texts) for v in value]
    if isinstance(value, dict):
        return {k: filled(v, texts) for k, v in value.items()}
    return value


class Reply:
    def __init__(self, script, request):
        script = filled(script, heard(request))
        self.request = request
        self.model = request.get("model", "test-model")
        self.chunks = script.get("chunks", [])
        if script.get("split"):
            text = "".join(self.chunks)
            self.chunks = [text[at : at + script["split"]] for at in range(0, len(text), script["split"])]
        self.text = "".join(self.chunks)
        self.tool = script.get("tool")
        self.reasoning = script.get("reasoning")
        self.delay = script.get("delay_ms", 0) / 1000
        self.write = script.get("write")
        self.cut = script.get("cut", False)
        self.status = script.get("status", 200)
        self.error = script.get("error")

    def usage(self):
        return {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}

    def arguments(self):
        return json.dumps(self.tool["arguments"], ensure_ascii=False)

    # OpenAI chat

    def chat(self):
        message = {"role": "assistant", "content": self.text or None, "refusal": None}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool:
            function = {"name": self.tool["name"], "arguments": self.arguments()}
            message["tool_calls"] = [{"id": "call_scripted", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if self.tool else "stop"}
        return {"id": "chatcmpl-scripted", "object": "chat.completion", "created": 1, "model": self.model, "choices": [choice], "usage": self.usage()}

    def chat_events(self):
        def chunk(delta, finish=None):
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": [choice]}

        yield chunk({"role": "assistant", "content": ""})
        if self.reasoning:
            yield chunk({"reasoning_content": self.reasoning})
        for text in self.chunks:
            yield chunk({"content": text})
        if self.cut:
            return
        if self.tool:
            function = {"name": self.tool["name"], "arguments": ""}
            yield chunk({"tool_calls": [{"index": 0, "id": "call_scripted", "type": "function", "function": function}]})
            arguments = self.arguments()
            for at in range(0, len(arguments), 5):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments[at : at + 5]}}]})
        yield chunk({}, "tool_calls" if self.tool else "stop")
        if (self.request.get("stream_options") or {}).get("include_usage"):
            yield {**chunk({}), "choices": [], "usage": self.usage()}

    # OpenAI completions

    def completion(self, text=None, finish="stop"):
        choice = {"index": 0, "text": self.text if text is None else text, "logprobs": None, "finish_reason": finish}
        return {"id": "cmpl-scripted", "object": "text_completion", "created": 1, "model": self.model, "choices": [choice], "usage": self.usage()}

    def completion_events(self):
        for text in self.chunks:
            yield self.completion(text, None)
        if not self.cut:
            yield self.completion("")

    # OpenAI Responses

    def response(self, items=None, status="completed"):
        if items is None:
            items = [self.response_message(self.text)] if self.text else []
            if self.tool:
                items.append({**self.response_call(), "arguments": self.arguments()})
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        return {
            "id": "resp_scripted", "object": "response", "created_at": 1, "status": status, "error": None, "incomplete_details": None,
            "instructions": None, "metadata": {}, "model": self.model, "output": items, "parallel_tool_calls": True, "temperature": 0,
            "tool_choice": "auto", "tools": [], "top_p": 1, "usage": usage if status == "completed" else None,
        }  # fmt: skip

    def response_message(self, text, status="completed"):
        content = [{"type": "output_text", "text": text, "annotations": []}] if status == "completed" else []
        return {"id": "msg_scripted", "type": "message", "role": "assistant", "status": status, "content": content}

    def response_call(self):
        return {"id": "fc_scripted", "type": "function_call", "call_id": "call_scripted", "name": self.tool["name"], "arguments": "", "status": "completed"}

    def response_events(self):
        for number, event in enumerate(self.unnumbered_response_events()):
            yield {**event, "sequence_number": number}

    def unnumbered_response_events(self):
        yield {"type": "response.created", "response": self.response([], "in_progress")}
        index = 0
        if self.chunks:
            at = {"item_id": "msg_scripted", "output_index": index, "content_index": 0}
            part = {"type": "output_text", "text": "", "annotations": []}
            yield {"type": "response.output_item.added", "output_index": index, "item": self.response_message("", "in_progress")}
            yield {"type": "response.content_part.added", **at, "part": part}
            for text in self.chunks:
                yield {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
            if self.cut:
                return
            yield {"type": "response.output_text.done", **at, "text": self.text, "logprobs": []}
            yield {"type": "response.content_part.done", **at, "part": {**part, "text": self.text}}
            yield {"type": "response.output_item.done", "output_index": index, "item": self.response_message(self.text)}
            index += 1
        if self.tool:
            at = {"item_id": "fc_scripted", "output_index": index}
            arguments = self.arguments()
            yield {"type": "response.output_item.added", "output_index": index, "item": {**self.response_call(), "status": "in_progress"}}
            for start in range(0, len(arguments), 5):
                yield {"type": "response.function_call_arguments.delta", **at, "delta": arguments[start : start + 5]}
            yield {"type": "response.function_call_arguments.done", **at, "name": self.tool["name"], "arguments": arguments}
            yield {"type": "response.output_item.done", "output_index": index, "item": {**self.response_call(), "arguments": arguments}}
        yield {"type": "response.completed", "response": self.response()}

    # Anthropic messages

    def stop_reason(self):
        return "tool_use" if self.tool else "end_turn"

    def tool_block(self):
        return {"type": "tool_use", "id": "toolu_scripted", "name": self.tool["name"], "input": self.tool["arguments"]}

    def thinking(self):
        return {"type": "thinking", "thinking": self.reasoning, "signature": "c2NyaXB0ZWQ="}

    def message(self):
        blocks = [self.thinking()] if self.reasoning else []
        blocks += [{"type": "text", "text": self.text}] if self.text else []
        blocks += [self.tool_block()] if self.tool else []
        return anthropic_upstream.envelope({"model": self.model}, blocks, self.stop_reason(), (1, 1))

    def message_events(self):
        yield from anthropic_upstream.start_events({"model": self.model})
        index = 0
        if self.reasoning:
            block = self.thinking()
            yield {"type": "content_block_start", "index": index, "content_block": {**block, "thinking": "", "signature": ""}}
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "thinking_delta", "thinking": self.reasoning}}
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "signature_delta", "signature": block["signature"]}}
            yield {"type": "content_block_stop", "index": index}
            index += 1
        if self.chunks:
            events = list(anthropic_upstream.text_events(index, self.chunks))
            yield from events[:-1] if self.cut else events
            index += 1
        if self.cut:
            return
        if self.tool:
            yield from anthropic_upstream.tool_events(index, self.tool_block())
        yield from anthropic_upstream.stop_events(self.stop_reason(), 1)


ROUTES = {
    "/v1/chat/completions": (Reply.chat, Reply.chat_events, "openai", True),
    "/v1/completions": (Reply.completion, Reply.completion_events, "openai", True),
    "/v1/responses": (Reply.response, Reply.response_events, "named", False),
    "/v1/messages": (Reply.message, Reply.message_events, "named", False),
}


def encoded(event, framing):
    data = json.dumps(event, ensure_ascii=False)
    return (f"event: {event['type']}\ndata: {data}\n\n" if framing == "named" else f"data: {data}\n\n").encode()


def handler(script):
    counter = {"next": 0}
    lock = threading.Lock()

    def next_reply(request):
        with lock:
            at = min(counter["next"], len(script) - 1)
            counter["next"] += 1
        return Reply(script[at], request)

    class Scripted(wire.Handler):
        def do_GET(self):
            model = {"id": "test-model", "object": "model", "created": 1, "owned_by": "test"}
            both = {**anthropic_upstream.MODEL, **model}
            self.reply(200, {"object": "list", "data": [both], "has_more": False, "first_id": "test-model", "last_id": "test-model"})

        def do_POST(self):
            body = self.body()
            route = ROUTES.get(self.path.split("?")[0])
            if route is None:
                self.reply(404, {"error": {"message": "not found", "type": "invalid_request_error", "param": None, "code": None}})
                return
            whole, events, framing, done = route
            request = json.loads(body)
            reply = next_reply(request)
            if reply.error is not None:
                self.reply(reply.status, reply.error)
            elif not request.get("stream"):
                time.sleep(reply.delay)
                self.reply(200, whole(reply))
            else:
                self.stream(reply, events(reply), framing, done)

        def stream(self, reply, events, framing, done):
            self.begin_stream()
            for event in events:
                time.sleep(reply.delay)
                self.pieces(encoded(event, framing), reply.write)
            if reply.cut:
                self.close_connection = True
                return
            if done:
                self.pieces(b"data: [DONE]\n\n", reply.write)
            self.end_stream()

        def pieces(self, data, size):
            for at in range(0, len(data), size or len(data)):
                self.chunk(data[at : at + (size or len(data))])

    return Scripted


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--script", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    text = pathlib.Path(options.script[1:]).read_text("utf-8") if options.script.startswith("@") else options.script
    wire.serve(handler(json.loads(text)), options.port)


if __name__ == "__main__":
    main()
