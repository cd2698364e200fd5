/* The functions of pyossl that the methods in fast.c call.
 *
 * fast.c is an extension of its own, which does not link to OpenSSL.  It gets the address of this struct, filled in by
 * hot_calls.c, from Python. */

#include <stddef.h>

enum {
    PYOSSL_RECORD = 16384,          /* the most bytes of plaintext in a record: SSL3_RT_MAX_PLAIN_LENGTH */
    PYOSSL_LARGEST_READ = 262144,   /* the most bytes that one call reads */
    PYOSSL_SLICE = 1 << 20          /* the most bytes that one step of a write writes */
};

/* Added to the number of bytes of a result: there are more, and the next call returns them without waiting. */
#define PYOSSL_MORE (1LL << 40)

typedef struct pyossl_connection pyossl_connection;
typedef struct pyossl_queue pyossl_queue;

typedef long long pyossl_read_call(pyossl_connection *connection, void *buffer, size_t size);
typedef long long pyossl_write_call(pyossl_connection *connection, const void *data, size_t size);
typedef long long pyossl_transfer_call(pyossl_connection *connection, const void *data, size_t size, void *buffer,
                                       size_t room);

typedef struct {
    size_t size;    /* of this struct: the two extensions must come from one build */

    /* A connection's own calls, which wait only if its transport does. */
    pyossl_read_call *read, *peek;
    pyossl_write_call *write;

    /* The calls of a socket, which wait with the connection's timeout. */
    pyossl_read_call *recv, *recv_peek;
    pyossl_write_call *send;

    /* The calls of an event loop. */
    pyossl_read_call *read_step;

    /* The calls of a connection without a transport. */
    pyossl_write_call *receive_data;
    pyossl_read_call *data_to_send;
    long long (*bytes_to_send)(pyossl_connection *connection);
    pyossl_transfer_call *encrypt, *decrypt;

    /* The connection's lock: see hot_calls.c. */
    int (*try_lock)(pyossl_connection *connection);
    long long (*lock)(pyossl_connection *connection);
    void (*unlock)(pyossl_connection *connection);
    int (*begin_short)(pyossl_connection *connection, size_t size);
    void (*end_short)(pyossl_connection *connection);

    /* The calls of Python's ssl, with a timeout in seconds: sockets/timeout_calls.c. */
    long long (*timeout_read)(pyossl_connection *connection, void *buffer, size_t size, double timeout);
    long long (*timeout_write)(pyossl_connection *connection, const void *data, size_t size, double timeout);
    long long (*bytes_pending)(pyossl_connection *connection);

    /* The queue of a MemoryBIO: bio/queue_bio.c. */
    pyossl_queue *(*queue_new)(void);
    void (*queue_free)(pyossl_queue *queue);
    int (*queue_write)(pyossl_queue *queue, const void *data, size_t size);
    size_t (*queue_read)(pyossl_queue *queue, void *buffer, size_t size);
    size_t (*queue_length)(pyossl_queue *queue);
    void (*queue_end)(pyossl_queue *queue);
    int (*queue_is_at_end)(pyossl_queue *queue);

    void (*fail_with_lost_bytes)(pyossl_connection *connection);
} pyossl_hot_calls;
