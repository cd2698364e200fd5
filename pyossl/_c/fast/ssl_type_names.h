/* The methods and attributes of the types of `_ssl`, except those that are C entirely: X(type, name, since, signature,
 * doc).  `since` is the first release of Python that has it: 0x30f is 3.15.  The object with the implementation has
 * methods and attributes of the same names.
 *
 * The first line of a docstring is the signature that inspect.signature() reads. */

#define CONTEXT_METHODS(X) \
    X(context, _set_alpn_protocols, 0, "($self, protos, /)", "Sets the application protocols, in wire format.") \
    X(context, _wrap_bio, 0, \
      "($self, /, incoming, outgoing, server_side,\n          server_hostname=None, *, owner=None, session=None)", \
      "Makes a connection between two MemoryBIOs.") \
    X(context, _wrap_socket, 0, \
      "($self, /, sock, server_side, server_hostname=None, *,\n             owner=None, session=None)", \
      "Makes a connection over a socket.") \
    X(context, cert_store_stats, 0, "($self, /)", \
      "Returns how many certificates, authorities and CRLs the trust store has.\n\n" \
      "A directory's certificates are counted after their first use.") \
    X(context, get_ca_certs, 0, "($self, /, binary_form=False)", \
      "Returns the authorities' certificates: dictionaries, or with ``binary_form`` their DER.\n\n" \
      "A directory's certificates are in it after their first use.") \
    X(context, get_ciphers, 0, "($self, /)", "Returns the enabled ciphers, a dictionary for each.") \
    X(context, get_groups, 0x30f, "($self, /, *, include_aliases=False)", "Returns the names of the usable groups.") \
    X(context, load_cert_chain, 0, "($self, /, certfile, keyfile=None, password=None)", \
      "Loads the certificate chain and the private key.") \
    X(context, load_dh_params, 0, "($self, path, /)", "Loads Diffie-Hellman parameters.") \
    X(context, load_verify_locations, 0, "($self, /, cafile=None, capath=None, cadata=None)", \
      "Trusts the certificates of a file, a directory or a string.") \
    X(context, session_stats, 0, "($self, /)", "Returns the counters of the session cache.") \
    X(context, set_ciphers, 0, "($self, cipherlist, /)", "Sets the ciphers of TLS 1.2 and before.") \
    X(context, set_ciphersuites, 0x30f, "($self, ciphersuites, /)", "Sets the ciphersuites of TLS 1.3.") \
    X(context, set_client_sigalgs, 0x30f, "($self, sigalgslist, /)", \
      "Sets the signature algorithms for a client's certificate.") \
    X(context, set_default_verify_paths, 0, "($self, /)", "Trusts the certificates of OpenSSL's default paths.") \
    X(context, set_ecdh_curve, 0, "($self, name, /)", "Sets the group of the key exchange.") \
    X(context, set_groups, 0x30f, "($self, grouplist, /)", "Sets the groups of the key exchange.") \
    X(context, set_psk_client_callback, 0x30d, "($self, /, callback)", "Sets a client's pre-shared key callback.") \
    X(context, set_psk_server_callback, 0x30d, "($self, /, callback, identity_hint=None)", \
      "Sets a server's pre-shared key callback.") \
    X(context, set_server_sigalgs, 0x30f, "($self, sigalgslist, /)", \
      "Sets the signature algorithms for a server's certificate.")

/* P: can be set; Q: can only be read. */
#define CONTEXT_ATTRIBUTES(P, Q) \
    P(context, _host_flags, 0, NULL) \
    P(context, _msg_callback, 0, NULL) \
    P(context, check_hostname, 0, NULL) \
    P(context, keylog_filename, 0, NULL) \
    P(context, maximum_version, 0, NULL) \
    P(context, minimum_version, 0, NULL) \
    P(context, num_tickets, 0, "The number of session tickets that a server sends with TLS 1.3.") \
    P(context, options, 0, NULL) \
    P(context, post_handshake_auth, 0, NULL) \
    Q(context, protocol, 0, NULL) \
    Q(context, security_level, 0, "The security level: from 0 to 5.") \
    P(context, sni_callback, 0, \
      "The function that is called with the connection, the server name that the client sent, and the context;\n" \
      "None: none is called.  It returns None, or the number of an alert that ends the handshake.") \
    P(context, verify_flags, 0, NULL) \
    P(context, verify_mode, 0, NULL)

#define CONNECTION_METHODS(X) \
    X(connection, cipher, 0, "($self, /)", "Returns the cipher in use: its name, its protocol version, its bits.") \
    X(connection, client_sigalg, 0x30f, "($self, /)", "Returns the signature algorithm of the client's certificate.") \
    X(connection, compression, 0, "($self, /)", "Returns the compression method, None if there is none.") \
    X(connection, do_handshake, 0, "($self, /)", "Does the handshake.") \
    X(connection, get_channel_binding, 0, "($self, /, cb_type='tls-unique')", \
      "Returns the bytes that bind another protocol to this connection; None before the handshake is done.\n\n" \
      "Raises ValueError for any type but 'tls-unique' of RFC 5929.") \
    X(connection, get_unverified_chain, 0, "($self, /)", "Returns the certificates that the peer sent.") \
    X(connection, get_verified_chain, 0, "($self, /)", "Returns the verified chain, the peer's certificate first.") \
    X(connection, getpeercert, 0, "($self, der=False, /)", \
      "Returns the peer's certificate: a dictionary, or with ``der`` its DER.\n\n" \
      "Returns None if the peer sent none, and an empty dictionary if it was not verified.") \
    X(connection, group, 0x30f, "($self, /)", "Returns the name of the group of the key exchange.") \
    X(connection, selected_alpn_protocol, 0, "($self, /)", "Returns the application protocol, None if there is none.") \
    X(connection, sendfile, 0x30f, "($self, fd, offset, size, flags=0, /)", "Sends bytes of a file by kernel TLS.") \
    X(connection, server_sigalg, 0x30f, "($self, /)", "Returns the signature algorithm of the server's certificate.") \
    X(connection, shared_ciphers, 0, "($self, /)", "Returns the ciphers that both sides support; None on a client.") \
    X(connection, shutdown, 0, "($self, /)", "Sends close_notify, and waits for the peer's.") \
    X(connection, uses_ktls_for_recv, 0x30f, "($self, /)", "Returns whether the kernel decrypts what is received.") \
    X(connection, uses_ktls_for_send, 0x30f, "($self, /)", "Returns whether the kernel encrypts what is sent.") \
    X(connection, verify_client_post_handshake, 0, "($self, /)", "Asks a TLS 1.3 client for its certificate.") \
    X(connection, version, 0, "($self, /)", "Returns the protocol version; None before the handshake is done.")

#define CONNECTION_ATTRIBUTES(P, Q) \
    P(connection, context, 0, \
      "The context.  An SNI callback may replace it, to choose another certificate for the name.") \
    P(connection, owner, 0, "The object that is passed to callbacks for this connection.") \
    Q(connection, server_hostname, 0, "The server name that the client sends and expects.") \
    Q(connection, server_side, 0, "Whether this is the server's side.") \
    P(connection, session, 0, "The session, which a client can offer to the server again.") \
    Q(connection, session_reused, 0, "Whether the handshake has resumed a session.")

#define SESSION_ATTRIBUTES(P, Q) \
    Q(session, has_ticket, 0, "Whether the session has a ticket.") \
    Q(session, id, 0, "The session's id, bytes.") \
    Q(session, ticket_lifetime_hint, 0, "The lifetime of the ticket that the server has named, in seconds.") \
    Q(session, time, 0, "When the session was made, in seconds since 1970.") \
    Q(session, timeout, 0, "How long the session can be resumed, in seconds.")

#define CERTIFICATE_METHODS(X) \
    X(certificate, get_info, 0, "($self, /)", "Returns the certificate as a dictionary.") \
    X(certificate, public_bytes, 0, "($self, /, format=1)", "Returns the certificate in PEM or in DER.")
