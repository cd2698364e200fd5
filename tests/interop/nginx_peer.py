"""nginx with a configuration and a folder of its own."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interop import http_requests as http
from interop.authorities import Identity
from interop.bodies import Body
from interop.free_ports import reserved_port
from interop.programs import Program, program
from interop.server_peers import Running, ServerPeer, Service

import pyossl

_CONFIGURATION = """\
daemon off;
master_process off;
error_log stderr info;
pid {own}/pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {own}/client;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    client_max_body_size 0;
    ssl_protocols {protocols};
    {clients}
    {more}
    add_header Seen "$ssl_protocol $ssl_session_reused $ssl_client_verify $ssl_client_s_dn";
{servers}
}}
"""

_SERVER = """\
    server {{
        listen {address} ssl {default};
        server_name {name};
        ssl_certificate {certificate};
        ssl_certificate_key {private_key};
        {stapling}
        root {folder};
        location /upload {{
            root {own};
            dav_methods PUT;
        }}
    }}
"""


class _RunningNginx(Running):
    own: Path

    def upload(self, tls: pyossl.Socket, body: Body) -> str:
        """nginx saves the body as a file."""
        tls.sendall(http.put("upload", body.size))
        for block in body.blocks():
            tls.sendall(block)
        lines, _ = http.receive_head(tls)
        assert lines[0] == "HTTP/1.1 201 Created", lines
        with (self.own / "upload").open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1_000_000):
                digest.update(block)
        return digest.hexdigest()


class Nginx(ServerPeer):
    """nginx, which has the ALPN protocols of HTTP only, and refuses a client by an HTTP answer."""

    name = "nginx"
    refusals = None
    more = ""
    """More lines of the configuration."""

    @contextlib.contextmanager
    def serving(self, service: Service) -> Iterator[Running]:
        with tempfile.TemporaryDirectory() as folder, reserved_port(service.host) as port:
            own = Path(folder)
            address = f"[{service.host}]:{port}" if ":" in service.host else f"{service.host}:{port}"
            (own / "nginx.conf").write_text(_configuration(service, own, address, self.more))
            with Program(*self.command(service), "-c", own / "nginx.conf") as run:
                # It prints this when it has opened its sockets.
                run.wait_for(rb"getrlimit\(RLIMIT_NOFILE\)")
                running = _RunningNginx(run, (service.host, port))
                running.own = own
                yield running

    def command(self, service: Service) -> list[str | Path]:
        return [program("nginx"), "-e", "stderr"]


def _configuration(service: Service, own: Path, address: str, more: str) -> str:
    def server(name: str, identity: Identity, default: str) -> str:
        return _SERVER.format(
            address=address,
            default=default,
            name=name,
            certificate=identity.certificate,
            private_key=identity.private_key,
            stapling=f"ssl_stapling on; ssl_stapling_file {service.stapled};" if service.stapled else "",
            folder=service.folder,
            own=own,
        )

    servers = server("_", service.identity, "default_server reuseport")
    if service.second:
        servers += server(*service.second, "")
    protocols = service.version.name.replace("v1_", "v1.") if service.version else "TLSv1.2 TLSv1.3"
    clients = ""
    if service.clients:
        clients = f"ssl_verify_client on; ssl_verify_depth 5; ssl_client_certificate {service.clients};"
    return _CONFIGURATION.format(own=own, protocols=protocols, clients=clients, servers=servers, more=more)
