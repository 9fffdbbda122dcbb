#!/usr/bin/env python3
"""helloweb: a front end that asks the greeter. An ordinary program; it knows nothing of Fairlead.

    GET /                        one call:  greeter /hello
    GET /?separateRequest=true   two calls: greeter /hello and greeter /version

The answer shows what each call gave; its status is the worst of theirs. GREETER_URL says where the greeter is
(default http://greeter-service:3000).
"""
import argparse
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETER_URL = os.environ.get("GREETER_URL", "http://greeter-service:3000")
GIVE_UP_AFTER_SECONDS = 5

# A tracing system can join a request with the calls it causes only if the program in between passes these on.
FORWARDED_HEADERS = (
    "x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags", "b3",
    "x-ot-span-context", "traceparent", "tracestate", "user-agent",
)


def call_greeter(path, headers):
    request = urllib.request.Request(GREETER_URL + path, headers=headers)
    started = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=GIVE_UP_AFTER_SECONDS) as response:
            status, body = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    except OSError as error:
        status, body = 502, str(error).encode()
    seconds = round(time.monotonic() - started, 3)
    try:
        value = json.loads(body)
    except ValueError:
        value = body.decode(errors="replace")
    return {"status": status, "seconds": seconds, "body": value}


class Helloweb(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/":
            self.answer(404, {"error": "try / or /?separateRequest=true"})
            return
        headers = {name: self.headers[name] for name in FORWARDED_HEADERS if name in self.headers}
        calls = {"hello": call_greeter("/hello", headers)}
        if urllib.parse.parse_qs(url.query).get("separateRequest") == ["true"]:
            calls["version"] = call_greeter("/version", headers)
        self.answer(max(call["status"] for call in calls.values()), calls)

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="A front end that asks the greeter.")
    parser.add_argument("--listen", default="127.0.0.1:3100", metavar="HOST:PORT")
    arguments = parser.parse_args()
    host, _, port = arguments.listen.rpartition(":")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server((host, int(port)), Helloweb)
    print(f"helloweb listens on {host}:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
