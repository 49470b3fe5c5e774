/* What main does, the same in every program: see body.rs. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct timespec clock_reading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now;
}

static int tell(struct timespec begun, const char *name)
{
    struct sockaddr_un benchmark = {.sun_family = AF_UNIX};
    char report[64];
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int length = snprintf(report, sizeof report, "%d %lld", (int)getpid(), begun.tv_sec * 1000000000LL + begun.tv_nsec);

    strncpy(benchmark.sun_path + 1, name, sizeof benchmark.sun_path - 2); /* abstract: the first byte is NUL */
    return sendto(socket_fd, report, length, 0, (struct sockaddr *)&benchmark,
                  offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)) != length;
}
