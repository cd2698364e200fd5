/* The extension's own C, one translation unit: cffi's generated file includes this one as its preamble. */

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
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "have.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/dh.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
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
#if HAVE_PROVIDERS
#  include <openssl/core_names.h>
#  include <openssl/params.h>
#  include <openssl/provider.h>
#endif

#include "compat.h"

#include "core/error_queue.c"
#include "core/forks.c"
#include "core/lock.c"
#include "tls/callbacks.c"
#include "tls/peer_certificate.c"
#include "tls/kept_sessions.c"
#include "core/descriptor_identity.c"
#include "bio/socket_bio.c"
#include "bio/bio_workarounds.c"
#include "bio/memory_bio.c"
#include "bio/python_bio.c"
#include "tls/connection_lock.c"
#include "tls/io.c"
#include "tls/connection_close.c"
#include "core/calls_under_lock.c"
#include "tls/memory_transfer.c"
#include "bio/bio_calls.c"
#include "tls/failed_write.c"
#include "tls/renegotiation.c"
#include "tls/mutable_connection.c"
#include "x509/password_iterations.c"
#include "x509/encryption_schemes.c"
#include "x509/uri_store.c"
#include "sockets/wait.c"
#include "sockets/event_loop_read.c"
#include "tls/connection_life.c"
#include "sockets/callers_socket.c"
#include "core/initialise.c"
#include "core/library_and_providers.c"
#include "x509/system_trust.c"
#include "x509/extensions.c"

#include "core/calls_that_hold_forks.h"
