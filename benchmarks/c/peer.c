/* The TLS server that every contender talks to: peer CERTIFICATE KEY
 *
 * It prints a line "NAME PORT" for each of its services.  It exits at the end of its standard input, so that it never
 * outlives the process that started it.  The services:
 *
 *     echo        sends back what it receives
 *     source      reads a count of eight bytes, big-endian, and sends that many bytes; then it repeats
 *     sink        reads a count, then that many bytes, and answers with one byte; then it repeats
 *     handshake   finishes the handshake, sends one byte and the close_notify
 *
 * Each connection has a blocking thread.  The program is simple, because only the other end is measured.  It accepts one
 * protocol, one cipher, one group and one kind of certificate, so that a contender with other settings cannot connect.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (1 << 20)
#define STACK (256 << 10)

static SSL_CTX *context;
static char zeros[CHUNK];

struct service {
    const char *name;
    void (*serve)(SSL *ssl);
    int fd;
};

struct client {
    const struct service *service;
    int fd;
};

static void fail(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int read_all(SSL *ssl, void *buffer, int size)
{
    for (int done = 0; done < size;) {
        int n = SSL_read(ssl, (char *)buffer + done, size - done);
        if (n <= 0)
            return 0;
        done += n;
    }
    return 1;
}

static int read_count(SSL *ssl, uint64_t *count)
{
    unsigned char bytes[8];
    if (!read_all(ssl, bytes, sizeof bytes))
        return 0;
    *count = 0;
    for (int i = 0; i < 8; i++)
        *count = *count << 8 | bytes[i];
    return 1;
}

static void echo(SSL *ssl)
{
    char buffer[16384];
    int n;
    while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0)
        if (SSL_write(ssl, buffer, n) != n)
            return;
}

static void source(SSL *ssl)
{
    uint64_t count;
    while (read_count(ssl, &count))
        while (count > 0) {
            int size = count < CHUNK ? (int)count : CHUNK;
            if (SSL_write(ssl, zeros, size) != size)
                return;
            count -= (uint64_t)size;
        }
}

static void sink(SSL *ssl)
{
    char *buffer = malloc(CHUNK);
    uint64_t count;
    int n = 1;
    while (n > 0 && read_count(ssl, &count)) {
        for (; count > 0; count -= (uint64_t)n)
            if ((n = SSL_read(ssl, buffer, count < CHUNK ? (int)count : CHUNK)) <= 0)
                break;
        if (n > 0)
            n = SSL_write(ssl, "", 1);
    }
    free(buffer);
}

static void handshake(SSL *ssl)
{
    char byte;
    SSL_write(ssl, "", 1);
    SSL_shutdown(ssl);
    /* The contender closes first, so that the ports in TIME_WAIT are on its side, which has many ports. */
    SSL_read(ssl, &byte, 1);
}

static void *serve(void *argument)
{
    struct client client = *(struct client *)argument;
    SSL *ssl = SSL_new(context);
    free(argument);
    if (ssl == NULL || !SSL_set_fd(ssl, client.fd))
        fail("SSL_new");
    if (SSL_accept(ssl) == 1)
        client.service->serve(ssl);
    else
        ERR_print_errors_fp(stderr);
    SSL_free(ssl);
    close(client.fd);
    return NULL;
}

static void *accept_clients(void *argument)
{
    const struct service *service = argument;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    for (int fd; (fd = accept(service->fd, NULL, NULL)) >= 0;) {
        pthread_t thread;
        struct client *client = malloc(sizeof *client);
        int on = 1;
        *client = (struct client){ service, fd };
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pthread_create(&thread, &attributes, serve, client) != 0)
            fail("pthread_create");
    }
    fail("accept");
    return NULL;
}

static SSL_CTX *server_context(const char *certificate, const char *key)
{
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (made == NULL || !SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(made, "TLS_AES_128_GCM_SHA256") || !SSL_CTX_set1_groups_list(made, "X25519")
        || SSL_CTX_use_certificate_chain_file(made, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1)
        fail("SSL_CTX_new");
    /* Tickets only: a cache would fill up and make each turn slower than the turn before. */
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    return made;
}

static int listen_anywhere(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0
        || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        fail("listen");
    *port = ntohs(address.sin_port);
    return fd;
}

int main(int argc, char **argv)
{
    static struct service services[] = {
        { "echo", echo, -1 }, { "source", source, -1 }, { "sink", sink, -1 }, { "handshake", handshake, -1 },
    };
    char byte;
    if (argc != 3) {
        fprintf(stderr, "usage: peer CERTIFICATE KEY\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    context = server_context(argv[1], argv[2]);
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        pthread_t thread;
        int port;
        services[i].fd = listen_anywhere(&port);
        printf("%s %d\n", services[i].name, port);
        if (pthread_create(&thread, NULL, accept_clients, &services[i]) != 0)
            fail("pthread_create");
    }
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
