"""Plays one scenario against an Anthropic-compatible endpoint with the official SDK and prints what a caller sees.

    python anthropic_client.py --base-url http://127.0.0.1:8700 --scenario NAME [options]
"""

import anthropic
import httpx2

import scenarios as s

TOOLS = [{"name": s.WEATHER["name"], "description": s.WEATHER["description"], "input_schema": s.WEATHER["schema"]}]


def client_of(options):
    return anthropic.Anthropic(base_url=options.base_url, api_key=options.api_key, max_retries=0, timeout=120, default_headers=options.headers)


def request(options, user, system=None, history=(), **more):
    system = options.system or system
    if system:
        more["system"] = system
    messages = [{"role": "user", "content": options.text or user}, *history]
    # This SDK has no parameter for the temperature any more; the wire still has.
    more["extra_body"] = {"temperature": 0}
    return {"model": options.model, "max_tokens": options.max_tokens, "messages": messages, **more}


def tell_message(step, message, **more):
    texts = [b.text for b in message.content if b.type == "text"]
    calls = [{"id": b.id, "name": b.name, "arguments": b.input} for b in message.content if b.type == "tool_use"]
    blocks = [b.type for b in message.content]
    usage = message.usage.model_dump(exclude_none=True) if message.usage else None
    s.tell(step, text="".join(texts), finish=message.stop_reason, tool_calls=calls, blocks=blocks, usage=usage, model=message.model, **more)


def ask(client, options, user, system=None, history=(), step="reply", **more):
    message = client.messages.create(**request(options, user, system, history, **more))
    tell_message(step, message)
    return message


def listen(client, options, deltas, user, system=None, step="reply", **more):
    with client.messages.stream(**request(options, user, system, **more)) as stream:
        events = []
        for event in stream:
            events.append(event.type)
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                deltas.append(event.delta.text)
        tell_message(step, stream.get_final_message(), deltas=deltas, last_event=events[-1] if events else None)


def models(client, options, deltas):
    s.tell("models", ids=[m.id for m in client.models.list()])


def chat(client, options, deltas):
    ask(client, options, s.BENIGN)


def stream(client, options, deltas):
    listen(client, options, deltas, s.BENIGN)


def tool_history(options, result, call=None):
    """A finished call with its result; where the model made none, one in its place."""
    call = call or {"type": "tool_use", "id": "toolu_made_up", "name": s.WEATHER["name"], "input": {"city": "Paris"}}
    content = [{"type": "text", "text": options.tool_result or result}]
    return [
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": content}]},
    ]


def tools(client, options, deltas):
    message = ask(client, options, s.ASK_WEATHER, step="call", tools=TOOLS)
    made = [b for b in message.content if b.type == "tool_use"]
    call = {"type": "tool_use", "id": made[0].id, "name": made[0].name, "input": made[0].input} if made else None
    ask(client, options, s.ASK_WEATHER, history=tool_history(options, s.TOOL_RESULT, call), tools=TOOLS)


def tools_stream(client, options, deltas):
    listen(client, options, deltas, s.ASK_WEATHER, step="call", tools=TOOLS)


def injected_tool(client, options, deltas):
    result = options.tool_result or s.injected_tool_result(options.canary)
    s.tell("sent", canary=options.canary, tool_result=result)
    ask(client, options, s.ASK_WEATHER, history=tool_history(options, result), tools=TOOLS)


def secret(client, options, deltas):
    found = s.secrets(options.seed)
    s.tell("sent", secrets=found)
    ask(client, options, "Which of these keys is older? " + " or ".join(found.values()))


def canary(client, options, deltas):
    s.tell("sent", canary=options.canary)
    listen(client, options, deltas, "Please help me find a book about the sea.", s.system_prompt(options.canary))


def blocked(client, options, deltas):
    ask(client, options, s.ATTACK, s.system_prompt(options.canary))


def blocked_stream(client, options, deltas):
    listen(client, options, deltas, s.ATTACK, s.system_prompt(options.canary))


SCENARIOS = {
    f.__name__.replace("_", "-"): f
    for f in (models, chat, stream, tools, tools_stream, injected_tool, secret, canary, blocked, blocked_stream)
}

if __name__ == "__main__":
    # The SDK passes on the transport's own error when a stream breaks off.
    s.play(SCENARIOS, (anthropic.AnthropicError, httpx2.HTTPError), client_of)
