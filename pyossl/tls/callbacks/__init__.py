"""The functions that OpenSSL calls in a handshake, and the values that they are called with.

callbacks.py explains the life of a callback, suspension.py how one answers later.
"""
