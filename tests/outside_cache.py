"""A cache in which servers keep their sessions outside of their contexts."""

from __future__ import annotations

import threading

from pyossl import Connection, Context, Options, Session


class Outside:
    """A cache outside of the server's processes, which stores sessions as bytes; and what was done with it.

    ``threads`` are those in which it was asked.
    """

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.asked: list[bytes] = []
        self.removed: list[bytes] = []
        self.threads: set[int] = set()

    def serve(self, context: Context) -> Context:
        context.options |= Options.NO_TICKET
        context.new_session_callback = self.new
        context.get_session_callback = self.get
        context.removed_session_callback = self.remove
        return context

    def new(self, connection: Connection, session: Session) -> None:
        self.stored[session.id] = session.to_der()

    def get(self, connection: Connection, session_id: bytes) -> Session | None:
        self.asked.append(session_id)
        self.threads.add(threading.get_ident())
        stored = self.stored.get(session_id)
        return None if stored is None else Session.load(stored, connection.context)

    def remove(self, connection: Connection, session: Session) -> None:
        self.removed.append(session.id)
        self.stored.pop(session.id, None)
