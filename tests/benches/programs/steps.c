/* What a start asks the system beside the double fork: each question once, as the first of its kind in a process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "body.h"

static void tell_since(struct timespec begun)
{
    struct timespec now = clock_reading();
    printf("%lld\n", (now.tv_sec - begun.tv_sec) * 1000000000LL + now.tv_nsec - begun.tv_nsec);
}

static void signals(void)
{
    struct sigaction action;
    for (int signal = 1; signal <= 64; signal++)
        sigaction(signal, NULL, &action);
}

static void descriptors(void)
{
    struct stat status;
    for (int number = 0; number <= 2; number++)
        fcntl(number, F_GETFD);
    stat("/proc/self/fd", &status);
}

static void parent(void)
{
    char path[64];
    int parent = getppid();
    getpgid(parent);
    readlink("/proc/self", path, sizeof path);
    snprintf(path, sizeof path, "/proc/%d/comm", parent);
    int name = open(path, O_RDONLY | O_CLOEXEC);
    read(name, path, sizeof path);
    close(name);
}

static void directory_and_null_device(void)
{
    struct stat status;
    char path[4096];
    getcwd(path, sizeof path);
    faccessat(AT_FDCWD, "/.", X_OK, AT_EACCESS);
    fstat(open("/dev/null", O_RDWR | O_CLOEXEC), &status);
}

static void line_to_the_leader(void)
{
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
    void (*steps[])(void) = {signals, descriptors, parent, directory_and_null_device, line_to_the_leader};
    clock_reading();
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++) {
        struct timespec begun = clock_reading();
        steps[step]();
        tell_since(begun);
    }
    return 0;
}
