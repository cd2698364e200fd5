"""A session with an IMAP server, after STARTTLS: authority, host, port."""

import imaplib
import ssl
import sys

from evidence import over

client = imaplib.IMAP4("localhost", int(sys.argv[3]), timeout=30)
try:
    client.starttls(ssl_context=ssl.create_default_context(cafile=sys.argv[1]))
    print(client.noop()[0], over(), "STARTTLS" in client.capabilities)
    client.logout()
except ssl.SSLError as error:
    print("refused", error)
