/* All C of the extension, in one translation unit: the file that cffi generates begins with this one. */

#ifndef _GNU_SOURCE
#  define _GNU_SOURCE 1
#endif
#define OPENSSL_SUPPRESS_DEPRECATED 1

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if PYOSSL_LATE
#  include "pointers.h"
#endif
#include "have.h"

#include <openssl/asn1.h>
#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/ct.h>
#include <openssl/dh.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#if PYOSSL_LATE
#  include "older_functions.h"
#endif
#include "compat.h"
#include "hot_calls.h"

/* Each file uses functions of the files above it, and a few of later ones, which it declares itself.  So some folders
 * come in several parts. */

/* core: the error queue, fork and the locks */
#include "core/error_queue.c"
#include "core/forks_wait.c"
#include "core/lock.c"
#include "core/descriptor_identity.c"
#include "core/borrowed_pointer.c"

/* tls: the connection, and the callbacks of OpenSSL */
#include "tls/connection/connection.c"
#include "tls/mutable/live_context.c"
#include "tls/connection/unused_buffers.c"
#include "tls/callbacks/callbacks.c"
#include "tls/callbacks/suspending_callbacks.c"
#include "tls/sessions/pre_shared_keys.c"
#include "tls/settings/custom_extensions.c"
#include "tls/settings/record_padding.c"
#include "tls/authentication/certificate_transparency.c"
#include "tls/authentication/required_peer_certificate.c"
#include "tls/settings/allow_early_data.c"
#include "tls/authentication/raw_public_keys.c"
#include "tls/settings/switch_context.c"
#include "tls/sessions/session_cache_memory.c"
#include "tls/sessions/session_callbacks.c"
#include "tls/sessions/ticket_keys.c"
#include "tls/mutable/diffie_hellman.c"
#include "tls/authentication/distrusted_keys.c"

/* bio: the BIOs of pyossl */
#include "bio/socket_bio.c"
#include "bio/bio_workarounds.c"
#include "bio/memory_bio.c"
#include "bio/queue_bio.c"
#include "bio/python_bio.c"

/* tls: the calls of a connection, none of which waits for a descriptor */
#include "tls/connection/connection_lock.c"
#include "tls/connection/connection_new.c"
#include "tls/authentication/dane.c"
#include "tls/connection/call_outcome.c"
#include "tls/connection/handshake_job.c"
#include "tls/connection/handshake.c"
#include "tls/connection/read.c"
#include "tls/connection/write.c"
#include "tls/connection/shutdown.c"
#include "tls/connection/read_after_failed_write.c"
#include "tls/connection/early_data.c"
#include "tls/connection/renegotiation.c"
#include "tls/connection/post_handshake.c"
#include "tls/connection/connection_close.c"

/* core: questions that Python answers under the lock of a connection or a BIO */
#include "core/calls_under_lock.c"

/* tls: functions that only some connections need */
#include "tls/connection/memory_transfer.c"
#include "tls/mutable/mutable_connection_settings.c"
#include "tls/authentication/ocsp_stapling.c"
#include "tls/mutable/dtls.c"

/* bio: reading and writing a BIO of the program */
#include "bio/bio_read_and_write.c"

/* x509: certificates, keys and stores */
#include "x509/password_iterations.c"
#include "x509/encryption_algorithm_names.c"
#include "x509/dsa_key.c"
#include "x509/quick_key.c"
#include "x509/pkcs12_friendly_name.c"
#include "x509/load_without_prompt.c"
#include "x509/system_trust.c"
#include "x509/store_objects.c"
#include "tls/mutable/credential_files.c"
#include "x509/certificates.c"
#include "x509/certificate_facts.c"
#include "tls/mutable/ssl_module_calls.c"
#include "x509/verify_time.c"
#include "x509/malformed_extensions.c"
#include "x509/ocsp_response.c"

/* sockets: the calls that wait for a descriptor */
#include "sockets/wait_for_descriptor.c"
#include "sockets/writers_turn.c"
#include "sockets/read_waiting.c"
#include "sockets/write_waiting.c"
#include "sockets/shutdown_waiting.c"
#include "sockets/post_handshake_waiting.c"
#include "sockets/close_and_detach.c"
#include "sockets/event_loop_read.c"
#include "sockets/mutable_connection_calls.c"
#include "sockets/timeout_calls.c"

/* the functions that the methods in C call */
#include "hot_calls.c"

#if PYOSSL_LATE
#  include "late/load.c"
#endif

/* core: the start of the library, and facts about it */
#include "core/initialise.c"
#include "core/openssl_facts.c"
#include "core/library_configuration.c"

/* cffi's own code calls Python by the function of tls/connection/handshake_job.c. */
#ifdef _cffi_call_python
#  undef _cffi_call_python
#  define _cffi_call_python pyossl_call_python
#endif

/* Always last: from here on its macros stand for OpenSSL's functions, in cffi's own code only. */
#include "core/calls_that_hold_forks.h"
