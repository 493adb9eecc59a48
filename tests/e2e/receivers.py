"""Fake receivers of alerts on this machine: Slack's webhook and a mail server."""

import base64
import email
import email.policy
import json
import time
from http.server import BaseHTTPRequestHandler
from queue import Queue
from socketserver import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Self

HOOK = "/services/T0/B0/secret"
PASSWORD = "hunter2"


class Receiver(ThreadingTCPServer):
    """A server in a thread; `inbox` has the title and the text of each message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler: type[BaseRequestHandler], host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), handler)
        self.inbox: Queue[tuple[str, str]] = Queue()
        self.port: int = self.socket.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def wait_for(self, title: str, text: str = "") -> str:
        """Return the text of the next message with these words in its title and its text."""
        end = time.monotonic() + 60
        while True:
            found, body = self.inbox.get(timeout=end - time.monotonic())
            if title in found and text in body:
                return body


class Slack(BaseHTTPRequestHandler):
    """Accepts messages like Slack's incoming webhooks, where the path is the secret."""

    server: Receiver

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = self.path == HOOK
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(b"ok" if known else b"invalid_token")
        if known:
            [attachment] = message["attachments"]
            self.server.inbox.put((attachment["title"], attachment["text"]))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Mail(StreamRequestHandler):
    """Accepts mail like a server that requires a password (RFC 5321, RFC 4954)."""

    server: Receiver
    welcome = False

    def handle(self) -> None:
        self.say("220 stand-in")
        while line := self.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            if word.upper() == "DATA":
                self.take()
            else:
                self.say(self.answer(word.upper(), rest))
            if word.upper() == "QUIT":
                return

    def answer(self, word: str, rest: str) -> str:
        """Return the response to a command."""
        if word == "EHLO":
            return "250-stand-in\r\n250 AUTH PLAIN"
        if word == "AUTH":
            _, _, password = base64.b64decode(rest.split()[1]).split(b"\0")
            self.welcome = password.decode() == PASSWORD
            return "235 welcome" if self.welcome else "535 who are you?"
        return {"QUIT": "221 bye"}.get(word, "250 fine" if self.welcome else "530 who are you?")

    def take(self) -> None:
        """Read a message up to the line that contains only a full stop."""
        self.say("354 go on")
        lines = [*iter(self.rfile.readline, b".\r\n")]
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        body = message.get_body(("plain",))
        text = body.get_content().replace("\r\n", "\n") if body else ""
        self.server.inbox.put((message["Subject"], text))
        self.say("250 taken")

    def say(self, line: str) -> None:
        """Send a line."""
        self.wfile.write(f"{line}\r\n".encode())
