"""``python -m pyossl.stdlib``: runs a program whose ``ssl`` is over pyossl."""

from pyossl.stdlib.run_program import main

main()
