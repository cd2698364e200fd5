"""Encrypted Client Hello: its keys and configurations, and what became of it in a handshake."""
