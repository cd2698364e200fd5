"""A device says in its first message which firmware it has, and the server refuses one that is too old.

The extension has a number for private use.  The server answers with the newest firmware; only this answer is encrypted.

Prints:
    firmware 7: accepted, the newest is 9
    firmware 3: refused with INSUFFICIENT_SECURITY
"""

import pyossl

FIRMWARE = 0xFF20
NEWEST, OLDEST = 9, 5

authority = pyossl.Authority()


def judge(connection: pyossl.Connection, extension: pyossl.CustomExtension) -> pyossl.Alert | None:
    if len(extension.data) != 1:
        return pyossl.Alert.DECODE_ERROR
    return pyossl.Alert.INSUFFICIENT_SECURITY if extension.data[0] < OLDEST else None


serving = pyossl.Context.server(authority.issue("example.com"))
serving.add_extension(FIRMWARE, add=lambda connection, extension: bytes([NEWEST]), parse=judge)


def connect(firmware: int) -> str:
    """What a device with this firmware gets to know."""
    answers: list[int] = []
    context = pyossl.Context.client(trust=authority.certificate)
    context.add_extension(
        FIRMWARE,
        add=lambda connection, extension: bytes([firmware]),
        parse=lambda connection, extension: answers.extend(extension.data),
    )
    ours, theirs = pyossl.BIO.pair()
    client, server = pyossl.Connection(context, "example.com", bio=ours), pyossl.Connection(serving, bio=theirs)
    try:
        client.handshake()
        server.handshake()
    except pyossl.TLSError:  # the server's side: the device gets the alert
        pass
    try:
        while (client.handshake(), server.handshake()) != (None, None):
            pass
    except pyossl.AlertError as error:
        return f"refused with {pyossl.Alert(error.number).name}"
    return f"accepted, the newest is {answers[0]}"


for firmware in (7, 3):
    print(f"firmware {firmware}: {connect(firmware)}")
