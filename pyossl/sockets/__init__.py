"""Blocking TLS sockets and listeners; waiting for descriptors; non-blocking steps for event loops."""
