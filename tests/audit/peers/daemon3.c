/* daemon(3) of the C library, and what every program of the audit does in `main`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { UNKNOWN_OPTION = 99 };

static void *linger(void *nothing)
{
    sleep(1000);
    return nothing;
}

static void read_options(char **option)
{
    for (; *option; option++) {
        pthread_t thread;
        if (!strcmp(*option, "--print") && option[1])
            fputs(*++option, stdout);
        else if (!strcmp(*option, "--thread"))
            pthread_create(&thread, NULL, linger, NULL);
        else
            exit(UNKNOWN_OPTION);
    }
}

static int spawn(void)
{
    int child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Tells the auditor that `main` has begun, and obeys one command a line. */
static int serve(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char line[4096];
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    FILE *commands = fdopen(connection, "r");

    strncpy(address.sun_path, getenv("PROBE_SOCKET"), sizeof address.sun_path - 1);
    if (!commands || connect(connection, (struct sockaddr *)&address, sizeof address))
        return 1;
    dprintf(connection, "pid=%d\n.\n", getpid());
    while (fgets(line, sizeof line, commands)) {
        char *rest, *word = strtok_r(line, " \n", &rest);
        rest[strcspn(rest, "\n")] = '\0';
        if (!strcmp(word, "return"))
            return 0;
        else if (!strcmp(word, "exit"))
            exit(atoi(rest));
        else if (!strcmp(word, "stdout"))
            puts(rest), fflush(stdout);
        else if (!strcmp(word, "stderr"))
            fprintf(stderr, "%s\n", rest);
        else if (!strcmp(word, "spawn"))
            dprintf(connection, "%d", spawn());
        else if (!strcmp(word, "variable"))
            dprintf(connection, "%s", getenv(rest) ? getenv(rest) : "");
        else if (!strcmp(word, "open-terminal"))
            close(open(rest, O_RDWR));
        dprintf(connection, "\n.\n");
    }
    _exit(0); /* the audit is over */
}

int main(int count, char **arguments)
{
    read_options(arguments + (count > 0));
    if (daemon(0, 0)) {
        perror("daemon");
        return 1;
    }
    return serve();
}
