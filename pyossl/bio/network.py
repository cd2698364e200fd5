"""BIOs that make their own TCP connections, and BIOs over datagrams."""

from __future__ import annotations

from _socket import htons, inet_pton, ntohs  # without the enumerations of socket, a third of the import
from typing import TYPE_CHECKING, Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import LARGEST_INT, flag, instance, integer
from pyossl.core.descriptors import socket_descriptor
from pyossl.core.errors import UsageError, check, check_ptr, require
from pyossl.core.lock import Lock
from pyossl.core.outcome import Want

if TYPE_CHECKING:
    import socket

Address = tuple[str, int]


def _encoded(address: Address) -> bytes:
    """``host:port``, in the form of BIO_parse_hostserv(3)."""
    if not isinstance(address, (tuple, list)) or len(address) != 2:
        raise TypeError(f"an address is a host and a port, not {address!r:.80}")
    host, port = instance(address[0], str, "a host"), integer(address[1], "a port", 0, 0xFFFF)
    if not host or set(host) & set("[]\0"):
        raise ValueError(f"{host[:80]!r} is not a host")
    try:
        return f"[{host}]:{port}".encode("ascii") if ":" in host else f"{host}:{port}".encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{host[:80]!a} is not a host: {error}") from None


class ConnectBIO(BIO):
    """A BIO that makes a TCP connection, and then reads from it and writes to it.

    - ``address``: a tuple of the host, a name or an IP address, and the port, 0 to 65535.
    - ``blocking``: False if calls must not wait.  A call that would have to wait then returns ``Want.CONNECT`` (wait
      until the descriptor is writable), ``Want.READ`` or ``Want.WRITE``.  The look-up of a name still waits.

    ``handshake`` connects; so does the first read or write.  Closing the BIO closes the connection.  Raises
    ``TypeError`` or ``ValueError`` for another address.  BIO_s_connect(3)
    """

    def __init__(self, address: Address, *, blocking: bool = True) -> None:
        flag(blocking, "blocking")
        pointer = lib.pyossl_guarded(lib.BIO_new(lib.BIO_s_connect()))
        super().__init__(own(check_ptr(pointer, "BIO_new"), lib.BIO_free_all))
        name = ffi.new("char[]", _encoded(address))
        check(lib.BIO_set_conn_hostname(self._bio, name), "BIO_set_conn_hostname")
        check(lib.BIO_set_nbio(self._bio, not blocking), "BIO_set_nbio")


class AcceptBIO(BIO):
    """A BIO that listens for TCP connections.  It accepts one, and then reads from it and writes to it.

    - ``address``: a tuple of the host, a name or an IP address, and the port; port 0 is any free port.
    - ``blocking``: False if calls must not wait.  A call that would have to wait then returns ``Want.ACCEPT`` (wait
      until the descriptor is readable), ``Want.READ`` or ``Want.WRITE``.

    ``handshake`` accepts a connection; so does the first read or write.  ``accepted`` returns a BIO of its own for each
    connection.  Raises ``TransportError`` if it cannot listen, and ``TypeError`` or ``ValueError`` for another address.
    BIO_s_accept(3)
    """

    def __init__(self, address: Address, *, blocking: bool = True) -> None:
        flag(blocking, "blocking")
        pointer = lib.pyossl_guarded(lib.BIO_new(lib.BIO_s_accept()))
        super().__init__(own(check_ptr(pointer, "BIO_new"), lib.BIO_free_all))
        name = ffi.new("char[]", _encoded(address))
        check(lib.BIO_set_accept_name(self._bio, name), "BIO_set_accept_name")
        check(lib.BIO_set_bind_mode(self._bio, lib.BIO_BIND_REUSEADDR), "BIO_set_bind_mode")
        check(lib.BIO_set_nbio_accept(self._bio, not blocking), "BIO_set_nbio_accept")
        check(lib.BIO_set_nbio(self._bio, not blocking), "BIO_set_nbio")
        self.handshake()  # the first call begins to listen, and accepts nothing

    @property
    def address(self) -> Address:
        """The host and the port on which the BIO listens.  BIO_get_accept_name(3)"""

        def listening() -> tuple[str, str]:
            return text(lib.BIO_get_accept_name(self._bio)), text(lib.BIO_get_accept_port(self._bio))

        host, port = self._in_turn(listening)
        return host.strip("[]"), int(port)

    def accepted(self) -> BIO | Want:
        """Accepts a connection and returns a new BIO over it, or a ``Want`` if it would have to wait.

        Closing the new BIO closes the connection.  This BIO can then accept the next one.  Raises ``TransportError``,
        and ``UsageError`` while a connection is over this BIO itself.  BIO_do_accept(3)
        """

        def accept() -> BIO | Want:
            if self._is_served():
                raise UsageError(f"{self} is under a connection: close that first")
            if isinstance(want := self.handshake(), Want):
                return want
            pointer = lib.BIO_next(self._bio)
            lib.BIO_set_next(self._bio, ffi.NULL)
            return BIO(own(lib.pyossl_guarded(pointer), lib.BIO_free_all))

        return self._in_turn(accept)

    def _descriptor(self) -> int:
        connection = lib.BIO_next(self._bio)
        return int(lib.BIO_get_fd(self._bio if connection == ffi.NULL else connection, ffi.NULL))


class DatagramBIO(BIO):
    """A BIO over a UDP socket: each write sends one datagram, and each read returns one.

    ``sock`` is the socket, which the caller closes.  ``peer`` is the address to which datagrams are sent: a tuple of an
    IP address, of the socket's family, and a port.  Without it they are sent to the address to which the socket is
    connected, or from which the last datagram came.  Raises ``TypeError`` or ``ValueError`` for another socket or
    address, and ``UsageError`` for a ``peer`` if the socket is connected.  BIO_s_datagram(3)
    """

    def __init__(self, sock: socket.socket, peer: Address | None = None) -> None:
        descriptor = socket_descriptor(sock)
        if not hasattr(sock, "getpeername") or not hasattr(sock, "family"):
            raise TypeError(f"a UDP socket is needed, not {type(sock).__name__}")
        pointer = lib.pyossl_guarded_of_caller(lib.BIO_new_dgram(descriptor, lib.BIO_NOCLOSE), descriptor)
        super().__init__(own(check_ptr(pointer, "BIO_new_dgram"), lib.BIO_free_all, sock), keep=sock)
        self._family = int(sock.family)
        try:
            connected = sock.getpeername()
        except OSError:
            connected = None
        if connected is not None:
            if peer is not None:
                raise UsageError("the socket is connected: its datagrams go to one address alone")
            # This sends nothing: it makes the BIO use send(2) and not sendto(2).
            lib.BIO_ctrl_set_connected(self._bio, self._address(connected))
        elif peer is not None:
            self.peer = peer

    @classmethod
    def pair(cls, first_size: int = 0, second_size: int = 0) -> tuple[BIO, BIO]:
        """Two BIOs; the datagrams that are written to one are read, one by one, from the other.

        ``first_size`` and ``second_size`` are the sizes of their buffers in bytes; 0 is OpenSSL's default.
        OpenSSL 3.2 or newer; else raises ``UnsupportedError``.  BIO_new_bio_dgram_pair(3)
        """
        require(lib.HAVE_API_3_2, "BIO_s_dgram_pair")
        for size in (first_size, second_size):
            integer(size, "a BIO's size", 0, LARGEST_INT)
        halves = ffi.new("BIO *[2]")
        check(lib.BIO_new_bio_dgram_pair(halves, first_size, halves + 1, second_size), "BIO_new_bio_dgram_pair")
        first, second = own(halves[0], lib.BIO_free_all), own(halves[1], lib.BIO_free_all)
        lock = Lock()
        return BIO(first, keep=second, lock=lock), BIO(second, keep=first, lock=lock)

    @property
    def peer(self) -> Address | None:
        """The address to which datagrams are sent, a host and a port; None if there is none yet.  It can be set.
        BIO_dgram_get_peer(3), BIO_dgram_set_peer(3)
        """
        address = own(check_ptr(lib.BIO_ADDR_new(), "BIO_ADDR_new"), lib.BIO_ADDR_free)
        self._in_turn(lambda: lib.BIO_dgram_get_peer(self._bio, address))
        if lib.BIO_ADDR_family(address) == 0:
            return None
        host = own(lib.BIO_ADDR_hostname_string(address, 1), lib.OPENSSL_free)
        return text(host), ntohs(lib.BIO_ADDR_rawport(address))

    @peer.setter
    def peer(self, peer: Address) -> None:
        address = self._address(peer)
        self._do("BIO_dgram_set_peer", lib.BIO_dgram_set_peer, address)

    def _address(self, address: Any) -> Any:
        if not isinstance(address, (tuple, list)) or len(address) < 2:
            raise TypeError(f"an address is a host's IP address and a port, not {address!r:.80}")
        host, port = instance(address[0], str, "a host"), integer(address[1], "a port", 0, 0xFFFF)
        try:
            raw = inet_pton(self._family, host.partition("%")[0])
        except ValueError:  # a NUL, or a character that UTF-8 cannot encode
            raise ValueError(f"{host[:80]!a} is not an IP address") from None
        made = own(check_ptr(lib.BIO_ADDR_new(), "BIO_ADDR_new"), lib.BIO_ADDR_free)
        check(lib.BIO_ADDR_rawmake(made, self._family, raw, len(raw), htons(port)), "BIO_ADDR_rawmake")
        return made
