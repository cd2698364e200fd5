"""Compares the speed of pyossl with a C program and other bindings on the same machine: ``python -m benchmarks``.

``rows`` lists the kinds of work, ``measuring`` measures them, ``worker`` and ``contenders`` run in each process,
``root`` runs all of them in a Debian with one libssl, ``goals`` compares the results with the goals, ``page`` writes
docs/performance.md, and ci/performance runs ``gate``.
"""
