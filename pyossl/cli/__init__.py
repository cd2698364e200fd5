"""The command line, ``python -m pyossl COMMAND``."""
