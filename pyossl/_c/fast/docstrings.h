/* The docstrings of the methods in fast.c.  The first line of each is the signature that inspect.signature() reads. */

#define DOC(signature, text) signature "\n--\n\n" text

#define connection_read_doc DOC( \
    "read($self, /, size=16384)", \
    "Reads up to ``size`` bytes (16 KiB by default) that the peer sent.\n\n" \
    "Returns ``b\"\"`` after the peer has closed, and a ``Want`` if there is no data yet.  Finishes the handshake\n" \
    "first if necessary.  Raises ``TruncationError`` if the transport ended without a close_notify, and the\n" \
    "exceptions of ``handshake``.  SSL_read_ex(3)")

#define connection_peek_doc DOC( \
    "peek($self, /, size=16384)", \
    "Like ``read``, up to ``size`` bytes, but the next read returns the same bytes again.  SSL_peek_ex(3)")

#define connection_read_into_doc DOC( \
    "read_into($self, /, buffer, size=None)", \
    "Like ``read``, but writes the bytes into ``buffer`` and returns their number.\n\n" \
    "Reads at most ``size`` bytes; None or 0 means the size of the buffer.  Returns 0 after the peer has closed, and\n" \
    "a ``Want`` if there is no data yet.  Raises ``TypeError`` for a buffer that cannot be written, ``ValueError``\n" \
    "for a size that is larger than the buffer, and the exceptions of ``read``.  SSL_read_ex(3)")

#define connection_write_doc DOC( \
    "write($self, /, data)", \
    "Encrypts and sends bytes.  Returns how many were taken, or a ``Want`` if none could be taken.\n\n" \
    "If it returns a ``Want``, or fewer bytes than ``data`` has, part of a record may have been sent.  Then call it\n" \
    "again with all bytes that were not taken; with fewer of them it raises ``UsageError``, and no data is lost.  An\n" \
    "empty write does nothing.  Finishes the handshake first if necessary.  Raises the exceptions of ``handshake``.\n" \
    "SSL_write_ex(3)")

#define connection_receive_data_doc DOC( \
    "receive_data($self, /, data)", \
    "Takes ``data``, encrypted bytes that came from the peer; ``b\"\"`` means that the transport has ended.\n\n" \
    "Raises ``UsageError`` for a connection with a BIO of the caller.  BIO_s_mem(3)")

#define connection_data_to_send_doc DOC( \
    "data_to_send($self, /, size=-1)", \
    "Returns the encrypted bytes to send to the peer, and removes them; ``b\"\"`` if there are none.\n\n" \
    "At most ``size`` bytes; all of them if ``size`` is negative.  Raises ``UsageError`` for a connection with a BIO\n" \
    "of the caller.  BIO_s_mem(3)")

#define connection_encrypt_doc DOC( \
    "encrypt($self, /, data)", \
    "``write`` and ``data_to_send`` in one call: returns all bytes to send, the records of ``data`` included.\n\n" \
    "Returns a ``Want`` if the handshake is not finished; then nothing has been written.  Raises the exceptions of\n" \
    "``write``.  SSL_write_ex(3), BIO_s_mem(3)")

#define connection_decrypt_doc DOC( \
    "decrypt($self, /, data)", \
    "``receive_data`` and ``read`` in one call: takes ``data``, and returns all plaintext that is complete.\n\n" \
    "Returns ``b\"\"`` after the peer has closed, and a ``Want`` if there is no plaintext yet.  If the plaintext is\n" \
    "followed by the end or a failure, the next ``read`` reports that.  Raises the exceptions of ``read``.\n" \
    "BIO_s_mem(3), SSL_read_ex(3)")

#define socket_recv_doc DOC( \
    "recv($self, /, size, flags=0)", \
    "Reads up to ``size`` bytes; returns ``b\"\"`` after the peer has closed.\n\n" \
    "It waits for the first record, and takes more records if they have arrived.  With ``MSG_PEEK`` as ``flags`` the\n" \
    "bytes stay to be read again; other flags raise ``ValueError``.  Finishes the handshake first, if necessary.\n\n" \
    "Raises ``TruncationError`` if the transport ended without a close_notify, ``TimeoutError`` after the timeout,\n" \
    "``WouldBlockError`` if the timeout is 0 and there is no data, and the errors of ``Connection.read``.\n" \
    "SSL_read_ex(3)")

#define socket_recv_into_doc DOC( \
    "recv_into($self, /, buffer, size=0, flags=0)", \
    "Reads into a writable buffer; returns the number of bytes, 0 after the peer has closed.\n\n" \
    "It reads at most ``size`` bytes, or as many as the buffer holds if ``size`` is 0.  ``flags`` and the errors are\n" \
    "those of ``recv``; ``ValueError`` if the buffer is smaller than ``size``.  SSL_read_ex(3)")

#define socket_send_doc DOC( \
    "send($self, /, data, flags=0)", \
    "Sends ``data``, or its beginning, and returns how many bytes were sent.\n\n" \
    "These are all of them, unless the timeout is 0: then it sends at most 1 MiB, and as much of it as the descriptor\n" \
    "takes.  The next call must begin with the first byte that was not sent.  ``flags`` must be 0.\n\n" \
    "Raises ``TimeoutError`` after the timeout, ``WouldBlockError`` if the timeout is 0 and nothing could be sent,\n" \
    "and the errors of ``Connection.write``.  SSL_write_ex(3)")

#define socket_sendall_doc DOC( \
    "sendall($self, /, data, flags=0)", \
    "Sends all bytes of ``data``; the timeout is one deadline for the whole call.\n\n" \
    "If it raises ``TimeoutError``, or ``WouldBlockError`` because the timeout is 0, some of the bytes may have been\n" \
    "sent.  ``flags`` must be 0.  Other errors are those of ``send``.  SSL_write_ex(3)")

#define socket_peek_doc DOC( \
    "_peek($self, /, size)", \
    "Like ``recv``, but the bytes stay to be read.  SSL_peek_ex(3)")

#define ssl_recv_doc DOC( \
    "recv($self, /, buflen=1024, flags=0)", \
    "Reads up to ``buflen`` bytes; returns ``b\"\"`` after the peer has closed.  SSL_read_ex(3)")

#define ssl_recv_into_doc DOC( \
    "recv_into($self, /, buffer, nbytes=None, flags=0)", \
    "Reads into ``buffer``, ``nbytes`` at most, and returns the number of bytes.  SSL_read_ex(3)")

#define ssl_send_doc DOC( \
    "send($self, /, data, flags=0)", \
    "Sends ``data``, or its beginning, and returns how many bytes were sent.  SSL_write_ex(3)")

#define ssl_sendall_doc DOC( \
    "sendall($self, /, data, flags=0)", \
    "Sends all bytes of ``data``.  SSL_write_ex(3)")

#define event_loop_receive_doc DOC( \
    "receive($self, /)", \
    "Reads what has arrived, 256 KiB at most; ``b\"\"`` after the peer has closed.  SSL_read_ex(3)")

#define event_loop_read_some_into_doc DOC( \
    "read_some_into($self, /, buffer)", \
    "Reads into a writable buffer; returns the number of bytes, 0 after the peer has closed.  SSL_read_ex(3)")

#define event_loop_send_doc DOC( \
    "send($self, /, data, start=0)", \
    "Sends at most 1 MiB of ``data`` from ``start`` on; returns how many bytes were taken.\n\n" \
    "As for ``Connection.write``, the next call must begin with the first byte that was not taken.  SSL_write_ex(3)")

#define face_recv_doc DOC( \
    "recv($self, /, bufsiz, flags=None)", \
    "Returns decrypted bytes, ``bufsiz`` at most.\n\n" \
    "With ``socket.MSG_PEEK`` in ``flags`` the bytes stay in the buffer; other flags are ignored.  Raises\n" \
    "``ZeroReturnError`` after the peer's close_notify.  SSL_read_ex(3)")

#define face_recv_into_doc DOC( \
    "recv_into($self, /, buffer, nbytes=None, flags=None)", \
    "Like ``recv``, but writes into ``buffer``, ``nbytes`` at most, and returns how many bytes were written.\n\n" \
    "Without ``nbytes`` it fills the buffer.  ``flags`` are those of ``recv``.  SSL_read_ex(3)")

#define face_send_doc DOC( \
    "send($self, /, buf, flags=0)", \
    "Sends ``buf``, one record (16 KiB) of it at most, and returns how many bytes were sent.\n\n" \
    "``flags`` is ignored.  ``str`` is accepted with a ``DeprecationWarning``.  After ``WantReadError`` or\n" \
    "``WantWriteError`` repeat the call with the same bytes.  Raises ``ValueError`` for more than 2**31-1 bytes.\n" \
    "SSL_write_ex(3)")

#define face_sendall_doc DOC( \
    "sendall($self, /, buf, flags=0)", \
    "Sends all bytes of ``buf`` and returns how many there were.\n\n" \
    "``flags`` is ignored.  ``str`` is accepted with a ``DeprecationWarning``.  After ``WantReadError`` or\n" \
    "``WantWriteError`` repeat the call with the same bytes: those that were sent are not sent again.\n" \
    "SSL_write_ex(3)")

#define face_bio_read_doc DOC( \
    "bio_read($self, /, bufsiz)", \
    "Returns bytes for the peer, ``bufsiz`` at most; for a connection in memory.\n\n" \
    "Raises ``WantReadError`` if there are none, and ``TypeError`` if the connection has a socket.  BIO_read(3)")

#define face_bio_write_doc DOC( \
    "bio_write($self, /, buf)", \
    "Takes ``buf``, bytes from the peer, and returns how many there were; for a connection in memory.\n\n" \
    "Raises ``TypeError`` if the connection has a socket.  BIO_write(3)")
