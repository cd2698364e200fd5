"""The settings of a context about certificates and raw public keys: its own, and how it checks the peer's.

OCSP stapling, certificate transparency, DANE, and the callbacks that choose a certificate or check a chain.
"""
