"""Plays one scenario against an OpenAI-compatible endpoint with the official SDK and prints what a caller sees.

    python openai_client.py --base-url http://127.0.0.1:8700/v1 --scenario NAME [options]
"""

import json

import openai

import scenarios as s

TOOLS = [{"type": "function", "function": {"name": s.WEATHER["name"], "description": s.WEATHER["description"], "parameters": s.WEATHER["schema"]}}]
RESPONSE_TOOLS = [{"type": "function", "name": s.WEATHER["name"], "description": s.WEATHER["description"], "parameters": s.WEATHER["schema"], "strict": False}]


def client_of(options):
    return openai.OpenAI(base_url=options.base_url, api_key=options.api_key, max_retries=0, timeout=120, default_headers=options.headers)


def messages(options, user, system=None):
    system = options.system or system
    out = [{"role": "system", "content": system}] if system else []
    return [*out, {"role": "user", "content": options.text or user}]


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def tell_calls(calls):
    return [{"id": c.id, "name": c.function.name, "arguments": parsed(c.function.arguments)} for c in calls or []]


def ask(client, options, history, step="reply", **more):
    done = client.chat.completions.create(model=options.model, messages=history, max_tokens=options.max_tokens, temperature=0, **more)
    choice = done.choices[0]
    usage = done.usage.model_dump(exclude_none=True) if done.usage else None
    s.tell(step, text=choice.message.content, refusal=choice.message.refusal, finish=choice.finish_reason, tool_calls=tell_calls(choice.message.tool_calls), usage=usage, model=done.model)
    return choice.message


def listen(client, options, deltas, history, step="reply", **more):
    stream = client.chat.completions.create(model=options.model, messages=history, max_tokens=options.max_tokens, temperature=0, stream=True, stream_options={"include_usage": True}, **more)
    finish, usage, calls, refusal = None, None, {}, ""
    for chunk in stream:
        usage = chunk.usage.model_dump(exclude_none=True) if chunk.usage else usage
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            refusal += choice.delta.refusal or ""
            if choice.delta.content:
                deltas.append(choice.delta.content)
            for part in choice.delta.tool_calls or []:
                call = calls.setdefault(part.index, {"id": None, "name": "", "arguments": ""})
                call["id"] = part.id or call["id"]
                call["name"] += (part.function and part.function.name) or ""
                call["arguments"] += (part.function and part.function.arguments) or ""
    for call in calls.values():
        call["arguments"] = parsed(call["arguments"])
    s.tell(step, text="".join(deltas), refusal=refusal or None, finish=finish, tool_calls=list(calls.values()), usage=usage, deltas=deltas)


def models(client, options, deltas):
    s.tell("models", ids=[m.id for m in client.models.list()])


def chat(client, options, deltas):
    ask(client, options, messages(options, s.BENIGN))


def stream(client, options, deltas):
    listen(client, options, deltas, messages(options, s.BENIGN))


def tool_history(options, result, call=None):
    """A finished call with its result; where the model made none, one in its place."""
    call = call or {"id": "call_made_up", "type": "function", "function": {"name": s.WEATHER["name"], "arguments": '{"city": "Paris"}'}}
    return [
        *messages(options, s.ASK_WEATHER),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": options.tool_result or result},
    ]


def tools(client, options, deltas):
    message = ask(client, options, messages(options, s.ASK_WEATHER), "call", tools=TOOLS)
    call = message.tool_calls[0].model_dump(exclude_none=True) if message.tool_calls else None
    ask(client, options, tool_history(options, s.TOOL_RESULT, call), tools=TOOLS)


def tools_stream(client, options, deltas):
    listen(client, options, deltas, messages(options, s.ASK_WEATHER), "call", tools=TOOLS)


def injected_tool(client, options, deltas):
    result = options.tool_result or s.injected_tool_result(options.canary)
    s.tell("sent", canary=options.canary, tool_result=result)
    ask(client, options, tool_history(options, result), tools=TOOLS)


def secret(client, options, deltas):
    found = s.secrets(options.seed)
    s.tell("sent", secrets=found)
    ask(client, options, messages(options, "Which of these keys is older? " + " or ".join(found.values())))


def canary(client, options, deltas):
    s.tell("sent", canary=options.canary)
    listen(client, options, deltas, messages(options, "Please help me find a book about the sea.", s.system_prompt(options.canary)))


def blocked(client, options, deltas):
    ask(client, options, messages(options, s.ATTACK, s.system_prompt(options.canary)))


def blocked_stream(client, options, deltas):
    listen(client, options, deltas, messages(options, s.ATTACK, s.system_prompt(options.canary)))


def responses(client, options, deltas):
    done = client.responses.create(model=options.model, input=options.text or s.BENIGN, instructions=options.system, max_output_tokens=options.max_tokens)
    s.tell("reply", text=done.output_text, status=done.status, tool_calls=response_calls(done))


def responses_tools_stream(client, options, deltas):
    responses_stream(client, options, deltas, tools=RESPONSE_TOOLS)


def responses_stream(client, options, deltas, **more):
    last, done = None, None
    for event in client.responses.create(model=options.model, input=options.text or s.BENIGN, instructions=options.system, max_output_tokens=options.max_tokens, stream=True, **more):
        last = event.type
        if event.type == "response.output_text.delta":
            deltas.append(event.delta)
        if event.type in ("response.completed", "response.incomplete", "response.failed"):
            done = event.response
    s.tell("reply", text="".join(deltas), status=done and done.status, last_event=last, tool_calls=response_calls(done), deltas=deltas)


def responses_tools(client, options, deltas):
    history = [{"role": "user", "content": options.text or s.ASK_WEATHER}]
    first = client.responses.create(model=options.model, input=history, tools=RESPONSE_TOOLS, max_output_tokens=options.max_tokens)
    calls = response_calls(first)
    s.tell("call", text=first.output_text, status=first.status, tool_calls=calls)
    call = calls[0] if calls else {"id": "call_made_up", "name": s.WEATHER["name"], "arguments": {"city": "Paris"}}
    history += [
        {"type": "function_call", "call_id": call["id"], "name": call["name"], "arguments": json.dumps(call["arguments"])},
        {"type": "function_call_output", "call_id": call["id"], "output": options.tool_result or s.TOOL_RESULT},
    ]
    done = client.responses.create(model=options.model, input=history, tools=RESPONSE_TOOLS, max_output_tokens=options.max_tokens)
    s.tell("reply", text=done.output_text, status=done.status, tool_calls=response_calls(done))


def moderations(client, options, deltas):
    done = client.moderations.create(model="omni-moderation-latest", input=[options.text or s.ATTACK, s.BENIGN])
    for result in done.results:
        s.tell("moderation", flagged=result.flagged, categories=result.categories.model_dump(exclude_none=True), scores=result.category_scores.model_dump(exclude_none=True), hate=getattr(result.categories, "hate", None))


def response_calls(response):
    items = response.output if response else []
    return [{"id": i.call_id, "name": i.name, "arguments": parsed(i.arguments)} for i in items if i.type == "function_call"]


SCENARIOS = {
    f.__name__.replace("_", "-"): f
    for f in (models, chat, stream, tools, tools_stream, injected_tool, secret, canary, blocked, blocked_stream, responses, responses_stream, responses_tools, responses_tools_stream, moderations)
}

if __name__ == "__main__":
    s.play(SCENARIOS, openai.OpenAIError, client_of)
