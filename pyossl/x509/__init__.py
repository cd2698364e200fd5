"""Certificates, keys, names, CRLs, trust stores, PKCS#12, URIs, and a development authority.  x509(7)"""
