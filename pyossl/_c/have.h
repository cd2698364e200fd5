/* What this OpenSSL has.  Only this file and compat.h name versions.  All other code, C or Python, uses HAVE_x, which
 * is always 0 or 1.  A feature is listed under the first release that has it.
 *
 * A linked build asks the headers, and HAVE_x is a constant.  A late-bound build has the newest headers and asks the
 * library in use: HAVE_x is an expression.  build_late.py writes it, from the release in the #if line and from the
 * question after "asks:", which every feature has that can be left out of a build of OpenSSL. */

#ifndef PYOSSL_HAVE_H
#define PYOSSL_HAVE_H

#include <openssl/opensslv.h>
#include <openssl/opensslconf.h>

#define PYOSSL_OLDEST 0x10101000L

#if defined(LIBRESSL_VERSION_NUMBER)
#  error "pyossl: the headers are LibreSSL's; pyossl needs OpenSSL 1.1.1 or later"
#elif !defined(OPENSSL_VERSION_NUMBER) || defined(OPENSSL_IS_BORINGSSL) || defined(OPENSSL_IS_AWSLC)
#  error "pyossl: the headers are BoringSSL's or AWS-LC's; pyossl needs OpenSSL 1.1.1 or later"
#elif OPENSSL_VERSION_NUMBER < PYOSSL_OLDEST
#  error "pyossl: the headers are of an OpenSSL older than 1.1.1; pyossl needs OpenSSL 1.1.1 or later"
#endif

#ifndef PYOSSL_LATE
#  define PYOSSL_LATE 0
#endif

enum { PYOSSL_HEADERS_NUMBER = OPENSSL_VERSION_NUMBER };
static unsigned long pyossl_version;    /* OpenSSL_version_num(3) of the library in use */

#define PYOSSL_NUMBER(major, minor) (((unsigned long)(major) << 28) | ((unsigned long)(minor) << 20))
#define PYOSSL_RUNS(major, minor) (pyossl_version >= PYOSSL_NUMBER(major, minor))
#if PYOSSL_LATE
#  define PYOSSL_SINCE PYOSSL_RUNS
#else
#  define PYOSSL_SINCE(major, minor) (OPENSSL_VERSION_NUMBER >= (((major) << 28) | ((minor) << 20)))
#endif

/* The part of the version that must be the same in headers and library: major, minor, and before 3.0 also fix. */
#define PYOSSL_RELEASE(number) (((number) >> 28) < 3 ? (number) >> 12 : ((number) >> 20) << 8)
#define PYOSSL_MAJOR(number) ((number) >> 28)

/* Names that were added or deprecated with a release, and cannot be configured away. */
#define HAVE_API_3_0 PYOSSL_SINCE(3, 0)
#define HAVE_API_3_2 PYOSSL_SINCE(3, 2)
#define HAVE_API_3_3 PYOSSL_SINCE(3, 3)
#define HAVE_API_3_4 PYOSSL_SINCE(3, 4)
#define HAVE_API_3_5 PYOSSL_SINCE(3, 5)
#define HAVE_API_3_6 PYOSSL_SINCE(3, 6)
#define HAVE_API_4_0 PYOSSL_SINCE(4, 0)

#if PYOSSL_LATE
#  include "facts.h"
#else

/* OpenSSL 1.1.1 */
#if !defined(OPENSSL_NO_TLS1_3)
#  define HAVE_TLS1_3 1    /* asks: pyossl_can_begin(TLS_client_method(), TLS1_3_VERSION) */
#else
#  define HAVE_TLS1_3 0
#endif
#if !defined(OPENSSL_NO_DTLS)
#  define HAVE_DTLS 1    /* asks: pyossl_can_begin(DTLS_client_method(), 0) */
#else
#  define HAVE_DTLS 0
#endif
#if !defined(OPENSSL_NO_PSK)
#  define HAVE_PSK 1    /* asks: PYOSSL_HAS(SSL_CTX_use_psk_identity_hint) */
#else
#  define HAVE_PSK 0
#endif
#if !defined(OPENSSL_NO_OCSP)
#  define HAVE_OCSP 1    /* asks: PYOSSL_HAS(OCSP_RESPONSE_new) */
#else
#  define HAVE_OCSP 0
#endif
#if !defined(OPENSSL_NO_SSL_TRACE)
#  define HAVE_SSL_TRACE 1    /* asks: PYOSSL_HAS(SSL_trace) */
#else
#  define HAVE_SSL_TRACE 0
#endif

#if !defined(OPENSSL_NO_CT)
#  define HAVE_CT 1    /* asks: PYOSSL_HAS(SSL_CTX_enable_ct) */
#else
#  define HAVE_CT 0
#endif
#if !defined(OPENSSL_NO_NEXTPROTONEG)
#  define HAVE_NEXTPROTONEG 1    /* asks: PYOSSL_HAS(SSL_CTX_set_next_protos_advertised_cb) */
#else
#  define HAVE_NEXTPROTONEG 0
#endif
#if !defined(OPENSSL_NO_SCTP)
#  define HAVE_SCTP 1    /* asks: PYOSSL_HAS(BIO_s_datagram_sctp) */
#else
#  define HAVE_SCTP 0
#endif
#if !defined(OPENSSL_NO_SRP)
#  define HAVE_SRP 1    /* asks: PYOSSL_HAS(SSL_CTX_SRP_CTX_init) */
#else
#  define HAVE_SRP 0
#endif
#if !defined(OPENSSL_NO_SRTP)
#  define HAVE_SRTP 1    /* asks: PYOSSL_HAS(SSL_CTX_set_tlsext_use_srtp) */
#else
#  define HAVE_SRTP 0
#endif

#if !defined(OPENSSL_NO_ASYNC)
#  define HAVE_ASYNC_JOBS 1    /* asks: ASYNC_is_capable() */
#else
#  define HAVE_ASYNC_JOBS 0
#endif

/* OpenSSL 3.0 */
#if PYOSSL_SINCE(3, 0)
#  define HAVE_PROVIDERS 1
#  define HAVE_ERR_ALL 1
#  define HAVE_OPTIONS_UINT64 1
#  define HAVE_UNEXPECTED_EOF 1
#  define HAVE_RETRY_VERIFY 1
#  define HAVE_NEW_SESSION_TICKET 1
#else
#  define HAVE_PROVIDERS 0
#  define HAVE_ERR_ALL 0
#  define HAVE_OPTIONS_UINT64 0
#  define HAVE_UNEXPECTED_EOF 0
#  define HAVE_RETRY_VERIFY 0
#  define HAVE_NEW_SESSION_TICKET 0
#endif
#if PYOSSL_SINCE(3, 0) && !defined(OPENSSL_NO_KTLS)
#  define HAVE_KTLS 1    /* asks: pyossl_has_ktls() */
#else
#  define HAVE_KTLS 0
#endif

/* OpenSSL 3.2 */
#if PYOSSL_SINCE(3, 2)
#  define HAVE_GROUP_NAMES 1
#  define HAVE_RAW_PUBLIC_KEYS 1
#  define HAVE_CERTIFICATE_COMPRESSION 1
#else
#  define HAVE_GROUP_NAMES 0
#  define HAVE_RAW_PUBLIC_KEYS 0
#  define HAVE_CERTIFICATE_COMPRESSION 0
#endif
#if PYOSSL_SINCE(3, 2) && !defined(OPENSSL_NO_QUIC)
#  define HAVE_QUIC 1    /* asks: PYOSSL_HAS(OSSL_QUIC_client_method) */
#else
#  define HAVE_QUIC 0
#endif

/* OpenSSL 3.3 */
#if PYOSSL_SINCE(3, 3)
#  define HAVE_SSL_POLL 1
#  define HAVE_X509_STORE_GET1_OBJECTS 1
#else
#  define HAVE_SSL_POLL 0
#  define HAVE_X509_STORE_GET1_OBJECTS 0
#endif

/* OpenSSL 3.5 */
#if PYOSSL_SINCE(3, 5)
#  define HAVE_POST_QUANTUM 1
#else
#  define HAVE_POST_QUANTUM 0
#endif
#if PYOSSL_SINCE(3, 5) && !defined(OPENSSL_NO_QUIC)
#  define HAVE_QUIC_SERVER 1    /* asks: PYOSSL_HAS(OSSL_QUIC_server_method) */
#else
#  define HAVE_QUIC_SERVER 0
#endif

/* OpenSSL 3.6 */
#if PYOSSL_SINCE(3, 6) && !defined(OPENSSL_NO_OCSP)
#  define HAVE_OCSP_MULTI_STAPLING 1    /* asks: PYOSSL_HAS(OCSP_RESPONSE_new) */
#else
#  define HAVE_OCSP_MULTI_STAPLING 0
#endif

/* OpenSSL 3.5.8, 3.6.4, 4.0.2, and older ones that a distribution has patched: only the header shows it. */
#include <openssl/ssl.h>
#if defined(SSL_VALUE_QUIC_MAX_PENDING_CONNS)
#  define HAVE_QUIC_MAX_PENDING_CONNS 1    /* asks: pyossl_limits_pending_connections() */
#else
#  define HAVE_QUIC_MAX_PENDING_CONNS 0
#endif

/* OpenSSL 4.0 */
#if PYOSSL_SINCE(4, 0)
#  define HAVE_TYPED_NAMES 1
#else
#  define HAVE_TYPED_NAMES 0
#endif
#if PYOSSL_SINCE(4, 0) && !defined(OPENSSL_NO_ECH)
#  define HAVE_ECH 1    /* asks: PYOSSL_HAS(OSSL_ECHSTORE_new) */
#else
#  define HAVE_ECH 0
#endif

#endif    /* PYOSSL_LATE */

#endif
