"""``ffi`` and ``lib``, ownership, outcomes and exceptions, locks, arguments and buffers: all else stands on these."""
