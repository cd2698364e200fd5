"""``python -m pyossl``."""

import sys

from pyossl.cli import main

if __name__ == "__main__":
    sys.exit(main())
