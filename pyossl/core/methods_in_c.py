"""The classes that have the frequent methods: pyossl/_c/fast.c.

They are loaded with the first class that needs them.  ``import pyossl`` does without them.
"""

from __future__ import annotations

from pyossl.core import lib

try:
    from pyossl._fast import (
        ConnectionMethods as ConnectionMethods,
        EventLoopMethods as EventLoopMethods,
        FaceMethods as FaceMethods,
        SocketMethods as SocketMethods,
        use_calls,
    )

    use_calls(lib.pyossl_hot_calls_address())
except ImportError as error:
    from pyossl.core.import_failure import explained

    raise explained(error) from error
