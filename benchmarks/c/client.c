/* The reference contender: a C program on the same libssl, with the default settings of the library.
 *
 *     client KIND SIZE COUNT FOLDER PORT
 *
 * It does COUNT operations of a kind (see benchmarks/rows.py) with messages or pieces of SIZE bytes.  It connects to the
 * peer at PORT of 127.0.0.1, uses the certificates in FOLDER, and prints the cost as JSON.  benchmarks/worker.py does
 * the same for contenders in Python.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAME "localhost"
#define IDLE_BYTES 16384

static const char *folder;
static int port;
static size_t size;
static long count;
static char *buffer;
static SSL_CTX *context;

static double wall_at_start, cpu_at_start;
static long memory_at_start;

static void fail(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static const char *path_of(const char *file)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

/* The cost of the process */

static double wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static long memory(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* The file of libssl in the memory map of this process. */
static const char *libssl(void)
{
    static char line[4608];
    char *found = NULL;
    FILE *file = fopen("/proc/self/maps", "r");
    if (file == NULL)
        return "";
    while (found == NULL && fgets(line, sizeof line, file) != NULL)
        if (strstr(line, "/libssl") != NULL)
            found = strchr(line, '/');
    fclose(file);
    if (found == NULL)
        return "";
    found[strcspn(found, "\n")] = '\0';
    return found;
}

static void start(void)
{
    memory_at_start = memory();
    wall_at_start = wall();
    cpu_at_start = cpu();
}

static void stop(void)
{
    double cpu_taken = cpu() - cpu_at_start, wall_taken = wall() - wall_at_start;
    printf("{\"cpu\": %.9f, \"wall\": %.9f, \"memory\": %ld, \"openssl\": \"%s\", ", cpu_taken, wall_taken,
           memory() - memory_at_start, OpenSSL_version(OPENSSL_VERSION));
    printf("\"libssl\": [\"%s\"]}\n", libssl());
    fflush(stdout);
}

/* Connections */

static SSL_CTX *client_context(void)
{
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());
    if (made == NULL || SSL_CTX_load_verify_locations(made, path_of("ca.pem"), NULL) != 1)
        fail("SSL_CTX_new");
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    return made;
}

static SSL_CTX *server_context(void)
{
    SSL_CTX *made = SSL_CTX_new(TLS_server_method());
    if (made == NULL || SSL_CTX_use_certificate_chain_file(made, path_of("certificate.pem")) != 1
        || SSL_CTX_use_PrivateKey_file(made, path_of("key.pem"), SSL_FILETYPE_PEM) != 1)
        fail("SSL_CTX_new");
    return made;
}

static SSL *new_client(SSL_SESSION *session)
{
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || !SSL_set_tlsext_host_name(ssl, NAME) || !SSL_set1_host(ssl, NAME)
        || (session != NULL && !SSL_set_session(ssl, session)))
        fail("SSL_new");
    return ssl;
}

static SSL *connect_peer(SSL_SESSION *session)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    SSL *ssl = new_client(session);
    address.sin_port = htons((uint16_t)port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1)
        fail("SSL_connect");
    return ssl;
}

static void disconnect(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static void write_all(SSL *ssl, const void *data, size_t length)
{
    size_t written;
    if (SSL_write_ex(ssl, data, length, &written) != 1)
        fail("SSL_write_ex");
}

static void read_all(SSL *ssl, uint64_t length)
{
    for (size_t got; length > 0; length -= got)
        if (SSL_read_ex(ssl, buffer, length < size ? length : size, &got) != 1)
            fail("SSL_read_ex");
}

static void write_count(SSL *ssl, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 7; i >= 0; i--, number >>= 8)
        bytes[i] = (unsigned char)number;
    write_all(ssl, bytes, sizeof bytes);
}

/* Kinds of work */

static void connect_and_disconnect(long times)
{
    for (long i = 0; i < times; i++) {
        SSL *ssl = connect_peer(NULL);
        read_all(ssl, 1);
        disconnect(ssl);
    }
}

static void handshake(void)
{
    connect_and_disconnect(1);
    start();
    connect_and_disconnect(count);
    stop();
}

static SSL_SESSION *resume(SSL_SESSION *session, long times)
{
    for (long i = 0; i < times; i++) {
        SSL *ssl = connect_peer(session);
        read_all(ssl, 1);
        if (session != NULL && !SSL_session_reused(ssl))
            fail("SSL_session_reused");
        SSL_SESSION_free(session);
        session = SSL_get1_session(ssl);
        disconnect(ssl);
    }
    return session;
}

static void resumed(void)
{
    SSL_SESSION *session = resume(NULL, 2);
    start();
    session = resume(session, count);
    stop();
    SSL_SESSION_free(session);
}

static void receive(void)
{
    SSL *ssl = connect_peer(NULL);
    write_count(ssl, size);
    read_all(ssl, size);
    start();
    write_count(ssl, (uint64_t)size * (uint64_t)count);
    read_all(ssl, (uint64_t)size * (uint64_t)count);
    stop();
    disconnect(ssl);
}

static void send_pieces(SSL *ssl, long pieces)
{
    write_count(ssl, (uint64_t)size * (uint64_t)pieces);
    for (long i = 0; i < pieces; i++)
        write_all(ssl, buffer, size);
    read_all(ssl, 1);
}

static void send_all(void)
{
    SSL *ssl = connect_peer(NULL);
    send_pieces(ssl, 1);
    start();
    send_pieces(ssl, count);
    stop();
    disconnect(ssl);
}

static void exchange(SSL *ssl, long times)
{
    for (long i = 0; i < times; i++) {
        write_all(ssl, buffer, size);
        read_all(ssl, size);
    }
}

static void ping_pong(void)
{
    SSL *ssl = connect_peer(NULL);
    exchange(ssl, 10);
    start();
    exchange(ssl, count);
    stop();
    disconnect(ssl);
}

/* Without a socket: both ends are in this process, and it moves the bytes between them */

static SSL *in_memory(SSL *ssl)
{
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    return ssl;
}

static void carry(SSL *from, SSL *to)
{
    static char records[65536];
    int n;
    while ((n = BIO_read(SSL_get_wbio(from), records, sizeof records)) > 0)
        BIO_write(SSL_get_rbio(to), records, n);
}

static void shake_hands(SSL *client, SSL *server)
{
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int done = 0; !done;) {
        done = SSL_do_handshake(client) == 1;
        carry(client, server);
        done &= SSL_do_handshake(server) == 1;
        carry(server, client);
        ERR_clear_error();
    }
}

static void memory_handshake(void)
{
    SSL_CTX *servers = server_context();
    for (long i = -1; i < count; i++) {
        SSL *client = in_memory(new_client(NULL)), *server = in_memory(SSL_new(servers));
        shake_hands(client, server);
        SSL_free(client);
        SSL_free(server);
        if (i < 0)
            start();
    }
    stop();
    SSL_CTX_free(servers);
}

static void memory_transfers(void)
{
    SSL_CTX *servers = server_context();
    SSL *client = in_memory(new_client(NULL)), *server = in_memory(SSL_new(servers));
    shake_hands(client, server);
    start();
    for (long i = 0; i < count; i++) {
        write_all(client, buffer, size);
        carry(client, server);
        read_all(server, size);
    }
    stop();
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(servers);
}

/* Idle connections and trust stores */

static void idle(void)
{
    SSL **all = calloc((size_t)count, sizeof *all);
    disconnect(connect_peer(NULL));
    start();
    for (long i = 0; i < count; i++) {
        all[i] = connect_peer(NULL);
        write_count(all[i], IDLE_BYTES);
        read_all(all[i], IDLE_BYTES);
    }
    stop();
    free(all);
}

static void idle_released(void)
{
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    idle();
}

static void trust(void)
{
    start();
    for (long i = 0; i < count; i++) {
        SSL_CTX *made = SSL_CTX_new(TLS_client_method());
        if (made == NULL || !SSL_CTX_set_default_verify_paths(made))
            fail("SSL_CTX_set_default_verify_paths");
        SSL_CTX_free(made);
    }
    stop();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } kinds[] = {
        { "handshake", handshake },         { "resumed", resumed },
        { "recv_into", receive },           { "recv", receive },
        { "sendall", send_all },            { "ping_pong", ping_pong },
        { "memory_handshake", memory_handshake }, { "memory_transfers", memory_transfers },
        { "idle", idle },                   { "idle_released", idle_released },
        { "trust", trust },
    };
    if (argc < 6) {
        fprintf(stderr, "usage: client KIND SIZE COUNT FOLDER PORT\n");
        return 2;
    }
    size = (size_t)atol(argv[2]);
    count = atol(argv[3]);
    folder = argv[4];
    port = atoi(argv[5]);
    buffer = calloc(1, size < IDLE_BYTES ? IDLE_BYTES : size);
    signal(SIGPIPE, SIG_IGN);
    context = client_context();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) {
            kinds[i].run();
            SSL_CTX_free(context);
            return 0;
        }
    fprintf(stderr, "client: there is no kind of work %s\n", argv[1]);
    return 2;
}
