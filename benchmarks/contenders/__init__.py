"""Each contender: the library's own way of doing the work of ``benchmarks.work``, and nothing else."""
