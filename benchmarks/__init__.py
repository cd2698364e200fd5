"""How fast pyossl is, beside a C program and the other bindings on the same machine: ``python -m benchmarks``.

``rows`` says what is measured, ``measuring`` how, ``worker`` and ``contenders`` are what runs in each process,
``goals`` judges, ``page`` writes docs/performance.md, and ``gate`` is what ci/performance runs.
"""
