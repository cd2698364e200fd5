"""Three server processes share their TLS sessions in a Redis, which stops in the middle.

The servers send no tickets with keys in them: they keep each session in Redis, encrypted. A client goes from one
process to the next and resumes its session. When Redis does not answer any more, a handshake waits for it for 50 ms at
most, the next ones do not ask for a second, and all of them are full handshakes.

It needs the program redis-server.

Prints:
    with Redis: 29 of 30 handshakes resumed, by 3 processes
    Redis stopped: 0 of 30 handshakes resumed, by 3 processes, and none failed
    Redis goes on: … of 30 handshakes resumed, by 3 processes
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pyossl

PATIENCE, PAUSE = 0.05, 1.0  # seconds: for one answer of Redis; and without a question after none came


class Redis:
    """A client of Redis, over its Unix socket. One thread at a time asks."""

    def __init__(self, path):
        self.path, self.lock, self.socket, self.not_before = path, threading.Lock(), None, 0.0

    def ask(self, *words):
        """The data in the answer to a command; ``b""`` for none. Raises ``OSError`` if there is no answer in time."""
        with self.lock:
            if time.monotonic() < self.not_before:
                raise ConnectionError("Redis did not answer a moment ago")
            try:
                return self.answer_to(words, time.monotonic() + PATIENCE)
            except BaseException:  # of any kind: the answer may still come, so the next command needs a new connection
                self.not_before = time.monotonic() + PAUSE
                if self.socket is not None:
                    self.socket.close()
                self.socket = None
                raise

    def answer_to(self, words, deadline):
        if self.socket is None:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(self.path)
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in words))
        answer = b""
        while len(answer) < self.size_of(answer):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("Redis does not answer")
            self.socket.settimeout(left)
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError("Redis has closed the connection")
            answer += received
        if answer.startswith(b"-"):
            raise ConnectionError(f"Redis answers {answer[:80]!r}")
        return answer.partition(b"\r\n")[2][:-2]

    def size_of(self, answer):
        """The size of an answer, by its first line; while that is not complete, more than there is."""
        line, is_complete, _ = answer.partition(b"\r\n")
        if not is_complete:
            return len(answer) + 1
        has_data = line.startswith(b"$") and line != b"$-1"
        return len(line) + 2 + (int(line[1:]) + 2 if has_data else 0)


def serve(folder):
    """One server process: prints its port, and how the handshake was to each client."""
    context = pyossl.Context.server(folder / "chain.pem", folder / "key.pem")
    context.options |= pyossl.Options.NO_TICKET
    keys = pyossl.TicketKeys([(folder / "ticket.key").read_bytes()])
    redis = Redis(str(folder / "redis"))
    lifetime = b"%d" % context.session_timeout

    def new(connection, session):
        with contextlib.suppress(OSError):
            redis.ask(b"SET", session.id, keys.encrypt(session.to_der(), session.id), b"EX", lifetime)

    def get(connection, session_id):
        with contextlib.suppress(OSError, pyossl.DecodeError):
            der = keys.decrypt(redis.ask(b"GET", session_id), session_id)
            return None if der is None else pyossl.Session.load(der, connection.context)

    def removed(connection, session):
        with contextlib.suppress(OSError):
            redis.ask(b"DEL", session.id)

    context.new_session_callback = new
    context.get_session_callback = get
    context.removed_session_callback = removed

    def answer(tls):
        with contextlib.suppress(OSError), tls:
            tls.settimeout(10)
            tls.handshake()
            tls.sendall(b"resumed" if tls.connection.session_reused else b"in full")

    with pyossl.listen(("127.0.0.1", 0), context) as listener:
        print(listener.address[1], flush=True)
        for tls, _ in listener:
            threading.Thread(target=answer, args=(tls,), daemon=True).start()


@contextlib.contextmanager
def fleet(processes):
    """Starts Redis and the servers; gives Redis's process, the servers' ports, and a client's context."""
    with contextlib.ExitStack() as at_the_end:
        folder = Path(at_the_end.enter_context(tempfile.TemporaryDirectory()))
        ca = pyossl.Authority()
        own = ca.issue("localhost")
        (folder / "chain.pem").write_bytes(own.certificate_pem())
        for name, secret in ("key.pem", own.private_key.to_pem()), ("ticket.key", pyossl.TicketKeys.generate()):
            with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secret)
        command = ["redis-server", "--port", "0", "--unixsocket", folder / "redis", "--save", ""]
        redis = at_the_end.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        at_the_end.callback(redis.kill)
        while not (folder / "redis").exists():
            time.sleep(0.01)
        ports = []
        for _ in range(processes):
            server = subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE)
            at_the_end.enter_context(server)
            at_the_end.callback(server.kill)
            ports.append(int(server.stdout.readline()))
        yield redis, ports, pyossl.Context.client(trust=ca.certificate)


def visit(port, context, session=None):
    """The session of a new connection, and whether it was resumed."""
    with pyossl.connect(("127.0.0.1", port), context, server_hostname="localhost", session=session, timeout=10) as tls:
        is_resumed = tls.recv(100) == b"resumed"
        return tls.connection.session, is_resumed


def main():
    with fleet(3) as (redis, ports, context):
        turns = itertools.cycle(ports)

        def resumed():
            session, count = None, 0
            for port in itertools.islice(turns, 30):
                session, is_resumed = visit(port, context, session)
                count += is_resumed
            return count

        print(f"with Redis: {resumed()} of 30 handshakes resumed, by {len(ports)} processes")
        redis.send_signal(signal.SIGSTOP)
        print(f"Redis stopped: {resumed()} of 30 handshakes resumed, by {len(ports)} processes, and none failed")
        redis.send_signal(signal.SIGCONT)
        time.sleep(PAUSE)
        print(f"Redis goes on: {resumed()} of 30 handshakes resumed, by {len(ports)} processes")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    else:
        main()
