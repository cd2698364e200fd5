"""Two library contexts side by side: a client that uses OpenSSL's FIPS provider, if there is one, and one without FIPS.

The second line says why, if there is no FIPS provider.

Prints:
    default: TLS_…
    FIPS: …
"""

import pyossl

plain = pyossl.Context.client()
print("default:", ", ".join(plain.ciphers[:3]))
try:
    library = pyossl.LibraryContext(fips=True)
except (pyossl.Error, OSError) as error:
    print("FIPS:", error)
else:
    restricted = pyossl.Context.client(library_context=library)
    print("FIPS:", ", ".join(restricted.ciphers[:3]))
