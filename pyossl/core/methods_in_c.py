"""The classes that have the frequent methods, and the types of ``_ssl``: pyossl/_c/fast.c.

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
        new_certificate as new_certificate,
        new_ssl_error_type as new_ssl_error_type,
        new_ssl_session as new_ssl_session,
        new_ssl_socket as new_ssl_socket,
        queue_of as queue_of,
        report_unraisable as report_unraisable,
        socket_methods as socket_methods,
        ssl_types as ssl_types,
        state_of as state_of,
        use_calls,
        use_ssl_errors as use_ssl_errors,
    )

    use_calls(lib.pyossl_hot_calls_address())
except ImportError as error:
    from pyossl.core.import_failure import explained

    raise explained(error) from error
