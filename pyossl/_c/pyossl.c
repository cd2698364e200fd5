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

#include "errors.c"
#include "forks.c"
#include "lock.c"
#include "callbacks.c"
#include "admission.c"
#include "kept_sessions.c"
#include "same_file.c"
#include "socket_bio.c"
#include "guarded_bio.c"
#include "memory_bio.c"
#include "python_bio.c"
#include "connection_lock.c"
#include "io.c"
#include "connection_close.c"
#include "turn.c"
#include "carry.c"
#include "bio_io.c"
#include "failed_write.c"
#include "renegotiation.c"
#include "generic.c"
#include "iterations.c"
#include "schemes.c"
#include "stores.c"
#include "wait.c"
#include "evented.c"
#include "ends.c"
#include "callers_socket.c"
#include "start.c"
#include "system.c"
#include "trust.c"
#include "extensions.c"

#include "held.h"
