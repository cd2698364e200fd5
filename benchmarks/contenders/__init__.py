"""The contenders: each does the work of ``benchmarks.work`` with the API of one library."""
