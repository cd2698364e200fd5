"""Blocking sockets and listeners, the wait for a descriptor, and the steps of an event loop."""
