#!/usr/bin/env python3
"""greeter: says hello. An ordinary HTTP service; it knows nothing of Fairlead.

    GET /hello    {"message": "...", "version": "v1"}
    GET /version  {"version": "v1"}          (v3 thinks about it for two seconds)

Each arrival is one line of JSON on standard output. SIGUSR1 makes /hello answer 503 until SIGUSR2, so that one can see
what callers notice of a broken instance.
"""
import argparse
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MESSAGES = {"v1": "hello", "v2": "good day to you", "v3": "a very warm welcome"}
VERSION_DELAY_SECONDS = {"v3": 2.0}


class Greeter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave in one piece

    version = "v1"
    broken = threading.Event()
    output = threading.Lock()

    def do_GET(self):
        self.report_arrival()
        path = self.path.partition("?")[0]
        if path == "/hello" and self.broken.is_set():
            self.answer(503, {"error": f"greeter {self.version} is broken", "version": self.version})
        elif path == "/hello":
            self.answer(200, {"message": MESSAGES[self.version], "version": self.version})
        elif path == "/version":
            time.sleep(VERSION_DELAY_SECONDS.get(self.version, 0))
            self.answer(200, {"version": self.version})
        else:
            self.answer(404, {"error": "try /hello or /version"})

    def report_arrival(self):
        line = json.dumps({
            "time": time.time(),
            "version": self.version,
            "path": self.path,
            "attempt": self.headers.get("x-envoy-attempt-count"),
            "request_id": self.headers.get("x-request-id"),
        })
        with self.output:
            print(line, flush=True)

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:  # the caller did not want to wait any longer
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
    parser = argparse.ArgumentParser(description="A service that says hello.")
    parser.add_argument("--version", choices=sorted(MESSAGES), default="v1")
    parser.add_argument("--listen", default="127.0.0.1:3001", metavar="HOST:PORT")
    arguments = parser.parse_args()
    host, _, port = arguments.listen.rpartition(":")

    Greeter.version = arguments.version
    signal.signal(signal.SIGUSR1, lambda *_: Greeter.broken.set())
    signal.signal(signal.SIGUSR2, lambda *_: Greeter.broken.clear())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server((host, int(port)), Greeter)
    print(f"greeter {arguments.version} listens on {host}:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
