"""Python's ``ssl`` as a peer, in a separate process: it may use another OpenSSL than pyossl's.

ssl_peer.py server OPTIONS         prints ACCEPT host:port, then for each connection a line of facts
ssl_peer.py client ADDRESS OPTIONS fetches /PATH, or sends --upload FILE; it prints the answer
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # PYTHONSAFEPATH may be set

import http_requests as http

_TIMEOUT = 60


def _context(options: argparse.Namespace, purpose: ssl.Purpose) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cafile=options.trust)
    if options.certificate:
        context.load_cert_chain(options.certificate, options.private_key)
    if options.version:
        context.minimum_version = context.maximum_version = ssl.TLSVersion(options.version)
    if options.alpn:
        context.set_alpn_protocols(options.alpn.split(","))
    return context


def _report(**facts: object) -> None:
    print(json.dumps(facts), file=sys.stderr, flush=True)


def _facts(tls: ssl.SSLSocket) -> dict[str, object]:
    return {
        "version": tls.version(),
        "alpn": tls.selected_alpn_protocol(),
        "reused": tls.session_reused,
        "peer": tls.getpeercert(),
    }


def _serve(options: argparse.Namespace) -> None:
    context = _context(options, ssl.Purpose.CLIENT_AUTH)
    if options.trust:
        context.verify_mode = ssl.CERT_REQUIRED
    second = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if options.second_name:
        second.load_cert_chain(options.second_certificate, options.second_private_key)

    def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        _report(sni=name)
        if name is not None and name == options.second_name:
            tls.context = second

    context.sni_callback = choose  # type: ignore[assignment]  # typeshed wants a function of SSLSocket
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.create_server((options.host, 0), family=family) as listener:
        host, port = listener.getsockname()[:2]
        print(f"ACCEPT {host}:{port}", flush=True)
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_serve_one, args=(context, plain, Path(options.folder)), daemon=True).start()


def _serve_one(context: ssl.SSLContext, plain: socket.socket, folder: Path) -> None:
    plain.settimeout(_TIMEOUT)
    try:
        with context.wrap_socket(plain, server_side=True) as tls:
            facts = _facts(tls)
            http.answer(tls, folder)
            tls.unwrap().close()
        _report(**facts)
    except OSError as error:
        plain.close()
        _report(refused=type(error).__name__, reason=str(error))


def _fetch(options: argparse.Namespace) -> None:
    context = _context(options, ssl.Purpose.SERVER_AUTH)
    session = None
    for _ in range(options.times):
        with (
            socket.create_connection((options.host, options.port), timeout=_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=options.server_name, session=session) as tls,
        ):
            if options.upload:
                body = Path(options.upload)
                tls.sendall(http.put("upload", body.stat().st_size))
                with body.open("rb") as file:
                    while block := file.read(1_000_000):
                        tls.sendall(block)
            else:
                tls.sendall(http.get(options.path))
            _, body = http.receive_head(tls)
            sys.stdout.buffer.write(body)
            while body := tls.recv(65536):
                sys.stdout.buffer.write(body)
            session = tls.session
            _report(**_facts(tls))
            tls.unwrap().close()
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    for name in ("--certificate", "--private-key", "--trust", "--alpn"):
        common.add_argument(name)
    common.add_argument("--version", type=int, help="the one version spoken, by its number on the wire")
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(required=True)
    server = roles.add_parser("server", parents=[common])
    server.set_defaults(run=_serve)
    for name in ("--host", "--folder", "--second-name", "--second-certificate", "--second-private-key"):
        server.add_argument(name)
    client = roles.add_parser("client", parents=[common])
    client.set_defaults(run=_fetch)
    client.add_argument("host")
    client.add_argument("port", type=int)
    client.add_argument("--server-name")
    client.add_argument("--path", default="")
    client.add_argument("--upload")
    client.add_argument("--times", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = _options()
    chosen.run(chosen)
