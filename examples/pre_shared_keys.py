"""A server and its devices, which know a key each and have no certificates.

The identity of a device is binary: a type, and a serial number.  The server finds the key by it, and refuses a device
that it does not know.

Prints:
    TLSv1.3 without certificates: 21.5 degrees
    a device with another key: refused
    an unknown device: refused
"""

import secrets
import struct

import pyossl

SUITES = "TLS_AES_256_GCM_SHA384"


def identity(serial: int) -> bytes:
    return struct.pack("!HQ", 7, serial)


def device_key(serial: int) -> pyossl.PreSharedKey:
    return pyossl.PreSharedKey(identity(serial), secrets.token_bytes(48), "sha384")


known = device_key(1)
keys = {known.identity: known}
serving = pyossl.Context(is_server=True)
serving.psk_find_session_callback = lambda connection, name: keys.get(name)
serving.set_ciphersuites(SUITES)


def measure(key: pyossl.PreSharedKey) -> str:
    """What the server gets from a device with this key."""
    context = pyossl.Context.client(trust=pyossl.Store.empty())
    context.psk_use_session_callback = lambda connection, digest: key
    ours, theirs = pyossl.BIO.pair()
    client, server = pyossl.Connection(context, "example.com", bio=ours), pyossl.Connection(serving, bio=theirs)
    try:
        while (client.handshake(), server.handshake()) != (None, None):
            pass
    except pyossl.TLSError:
        return "refused"
    client.write(b"21.5 degrees")
    data = server.read(100)
    assert isinstance(data, bytes)
    assert client.peer_certificate is server.peer_certificate is None
    return data.decode()


print("TLSv1.3 without certificates:", measure(known))
print("a device with another key:", measure(pyossl.PreSharedKey(identity(1), secrets.token_bytes(48), "sha384")))
print("an unknown device:", measure(device_key(2)))
