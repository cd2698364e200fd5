/* Keeps a server that cannot be told where to listen to the loopback: LD_PRELOAD=loopback.so. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage ours;

    memcpy(&ours, address, length);
    if (ours.ss_family == AF_INET)
        ((struct sockaddr_in *)&ours)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (ours.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&ours)->sin6_addr = in6addr_loopback;
    return next(fd, (struct sockaddr *)&ours, length);
}
