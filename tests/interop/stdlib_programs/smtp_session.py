"""A session with a mail server, after STARTTLS: authority, host, port."""

import smtplib
import ssl
import sys

from evidence import over

with smtplib.SMTP(sys.argv[2], int(sys.argv[3]), timeout=30) as client:
    client._host = "localhost"  # the name that starttls() verifies
    try:
        code, _ = client.starttls(context=ssl.create_default_context(cafile=sys.argv[1]))
        client.ehlo()
        print(code, over(), sorted({"starttls", "size"} & {*client.esmtp_features}))
    except ssl.SSLError as error:
        print("refused", error)
        client.close()
