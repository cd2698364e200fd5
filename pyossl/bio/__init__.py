"""BIOs: memory, pairs, sockets, files, the network, filters, chains, and BIOs written in Python.  bio(7)"""
