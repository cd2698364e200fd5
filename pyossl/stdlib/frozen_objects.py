"""What ``gc.freeze()`` has put aside: the collector does not look there, and the searches must."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unfrozen() -> Iterator[None]:
    """Lets ``gc.get_objects`` and ``gc.get_referrers`` see every object for as long as the context lasts."""
    if gc.get_freeze_count() == 0:
        yield
        return
    # Python 3.12 itself puts a few hundred objects aside when it starts. If nothing else is frozen, freezing at the
    # end would put aside a program that never asked for it, and its garbage would stay.
    main = sys.modules.get("__main__")
    is_frozen_by_program = not any(each is main for each in gc.get_objects())
    gc.unfreeze()
    try:
        yield
    finally:
        if is_frozen_by_program:
            gc.freeze()
