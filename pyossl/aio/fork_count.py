"""Counts forks, so that a child process leaves the connections of its parent alone."""

from __future__ import annotations

import os

_forks = 0


def fork_count() -> int:
    """The number of forks between this process and the process that imported this module."""
    return _forks


def _count_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_count_fork)
