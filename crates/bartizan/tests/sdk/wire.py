"""What the test servers share: a threaded HTTP server, the ready line, SSE, and forwarding. Standard library only."""

import http.client
import http.server
import json
import os
import sys
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    """Keep-alive, quiet, and able to stream chunked replies."""

    protocol_version = "HTTP/1.1"
    # Small writes go out at once: a delayed acknowledgement would look like latency of whatever is being tested.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            # The client left, which is what a cut stream looks like from here.
            self.close_connection = True

    def body(self):
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return data
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def reply(self, status, data, content_type="application/json", headers=()):
        if not isinstance(data, bytes):
            data = json.dumps(data, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self, content_type="text/event-stream", status=200, headers=()):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def openai_event(self, value):
        self.chunk(b"data: " + (value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()) + b"\n\n")

    def anthropic_event(self, value):
        data = json.dumps(value, ensure_ascii=False)
        self.chunk(f"event: {value['type']}\ndata: {data}\n\n".encode())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def serve(handler, port=0, **ready):
    """Serves on loopback, prints the ready line and ends when standard input closes."""
    server = Server(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    announce(server.server_address[1], **ready)
    wait_for_stdin()


def announce(port, **more):
    origin = f"http://127.0.0.1:{port}"
    print(json.dumps({"ready": True, "port": port, "origin": origin, **more}), flush=True)


def wait_for_stdin():
    """The parent holds the other end: when it dies, however it dies, this process ends too."""
    try:
        while os.read(sys.stdin.fileno(), 4096):
            pass
    except OSError:
        pass
    # Native threads of the model server may be busy; nothing is worth waiting for.
    os._exit(0)


def connect(origin, timeout=120):
    url = urllib.parse.urlsplit(origin)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)


def call(origin, method, path, value=None, headers=()):
    """One request with a JSON body; the reply is not read yet."""
    connection = connect(origin)
    data = None if value is None else json.dumps(value, ensure_ascii=False).encode()
    connection.request(method, path, data, {"content-type": "application/json", **dict(headers)})
    return connection.getresponse()


def openai_stream(response):
    """The JSON values of an OpenAI event stream, without the closing `[DONE]`."""
    for line in response:
        if line.startswith(b"data:"):
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            yield json.loads(data)


HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade", "proxy-connection"}


def forward(handler, origin, body):
    """Passes a request on and its reply back, streaming, byte for byte."""
    connection = connect(origin)
    headers = {n: v for n, v in handler.headers.items() if n.lower() not in HOP}
    connection.request(handler.command, handler.path, body or None, headers)
    response = connection.getresponse()
    back = [(n, v) for n, v in response.getheaders() if n.lower() not in HOP | {"content-type", "cache-control"}]
    content_type = response.getheader("content-type") or "application/octet-stream"
    if response.getheader("content-length") is not None:
        handler.reply(response.status, response.read(), content_type, back)
        return
    handler.begin_stream(content_type, response.status, back)
    while data := response.read1(65536):
        handler.chunk(data)
    handler.end_stream()
    connection.close()


def text_of(content):
    """The text of a message's content in either dialect."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        if part.get("type") in ("text", "input_text", "output_text"):
            texts.append(part.get("text") or "")
        elif part.get("type") == "tool_result":
            texts.append(text_of(part.get("content")))
    return "\n".join(texts)


def call_in(content):
    """A tool call that a model wrote as text: bare or fenced JSON with a name and arguments, or nothing.

    Qwen2.5-Coder answers so instead of using its template's tags, and llama.cpp then leaves it in the content.
    """
    text = (content or "").strip()
    if text.startswith("```"):
        first, _, rest = text.partition("\n")
        text = rest.rsplit("```", 1)[0].strip() if first in ("```", "```json") else ""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get("arguments")
    return (value["name"], arguments) if isinstance(arguments, dict) else None
