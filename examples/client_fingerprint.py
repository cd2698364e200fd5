"""Prints the JA3 and JA4 fingerprints of clients, as a server sees them before it answers.

Two clients connect, one of them with another cipher list and ALPN. Their fingerprints depend on the OpenSSL in use, but
not on the connection: the same client has the same fingerprint again.

Prints:
    first client: example.com, … ciphers, … extensions, ALPN none
      JA3 …
      JA4 t13d…00_…_…
    second client: example.com, … ciphers, … extensions, ALPN h2
      JA3 …
      JA4 t13d…h2_…_…
    the first client again: the same fingerprints
"""

import pyossl

ca = pyossl.Authority()
own = ca.issue("example.com")
server_context = pyossl.Context.server(own.certificate, own.private_key)


def hello_of(client_context: pyossl.Context) -> pyossl.ClientHello:
    """The ClientHello that a server gets from a client with this context."""
    hellos = []

    def collect(message: pyossl.Message) -> None:
        if message.name == "ClientHello" and not message.outgoing:
            hellos.append(pyossl.ClientHello.parse(message.data))

    client = pyossl.Connection(client_context, "example.com")
    server = pyossl.Connection(server_context, message_callback=collect)
    while client.handshake() is not None:
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
    return hellos[0]


first = hello_of(pyossl.Context.client(trust=ca.certificate))
context = pyossl.Context.client(trust=ca.certificate, alpn=["h2"])
context.set_cipher_list("ECDHE+AESGCM")
second = hello_of(context)

for which, hello in (("first client", first), ("second client", second)):
    counts = f"{len(hello.ciphers)} ciphers, {len(hello.extensions)} extensions"
    print(f"{which}: {hello.server_name}, {counts}, ALPN {b', '.join(hello.alpn).decode() or 'none'}")
    print(f"  JA3 {hello.ja3()}")
    print(f"  JA4 {hello.ja4()}")

again = hello_of(pyossl.Context.client(trust=ca.certificate))
assert again.random != first.random
if (again.ja3(), again.ja4()) == (first.ja3(), first.ja4()):
    print("the first client again: the same fingerprints")
