"""Why ``ssl`` cannot be put over pyossl."""


class InstallError(RuntimeError):
    """``ssl`` cannot be put over pyossl, or back, now.  Nothing has been changed.  The message says why."""

    __module__ = "pyossl.stdlib"  # the name that programs import
