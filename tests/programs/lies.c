/* System calls that fail, succeed without effect or take their time: put before the C library's by LD_PRELOAD. Each is chosen by its name on
 * the compiler's command line. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((unused)) static int refuse(void) { errno = EPERM; return -1; }

#ifdef SETGROUPS_FAILS
int setgroups(size_t count, const gid_t *groups) { (void)count, (void)groups; return refuse(); }
#endif

#ifdef SETGROUPS_LIES
int setgroups(size_t count, const gid_t *groups) { (void)count, (void)groups; return 0; }
#endif

#ifdef SETRESGID_FAILS
int setresgid(gid_t real, gid_t effective, gid_t saved) { (void)real, (void)effective, (void)saved; return refuse(); }
#endif

#ifdef SETRESGID_LIES
int setresgid(gid_t real, gid_t effective, gid_t saved) { (void)real, (void)effective, (void)saved; return 0; }
#endif

#ifdef SETRESUID_FAILS
int setresuid(uid_t real, uid_t effective, uid_t saved) { (void)real, (void)effective, (void)saved; return refuse(); }
#endif

#ifdef SETRESUID_LIES
int setresuid(uid_t real, uid_t effective, uid_t saved) { (void)real, (void)effective, (void)saved; return 0; }
#endif

#if defined(SETRESUID_SAVES_ROOT) || defined(SETRESUID_HIDES_ROOT)
int setresuid(uid_t real, uid_t effective, uid_t saved) { (void)saved; return syscall(SYS_setresuid, real, effective, 0); }
#endif

#ifdef SETRESUID_HIDES_ROOT
int getresuid(uid_t *real, uid_t *effective, uid_t *saved) { *real = *effective = *saved = geteuid(); return 0; }
#endif

#ifdef SETRESGID_HIDES_ROOT
int setresgid(gid_t real, gid_t effective, gid_t saved) { (void)saved; return syscall(SYS_setresgid, real, effective, 0); }
int getresgid(gid_t *real, gid_t *effective, gid_t *saved) { *real = *effective = *saved = getegid(); return 0; }
#endif

#ifdef SETFSUID_TELLS_ROOT
int setfsuid(uid_t user) { (void)user; return 0; }
#endif

/* As on a file system that has no numbers of its own for its files: a name leads to another one at each look. */
#ifdef INODES_CHANGE
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static ino_t looks;

static int is_pidfile(const char *path) {
  const char *name = strrchr(path, '/');
  return strcmp(name == NULL ? path : name + 1, "pid") == 0;
}

int fstatat(int directory, const char *restrict path, struct stat *restrict found, int flags) {
  int result = syscall(SYS_newfstatat, directory, path, found, flags);
  if (result == 0 && directory == AT_FDCWD && is_pidfile(path)) found->st_ino += ++looks;
  return result;
}
#endif

/* As on NFS from version 4 on, flock(2): an exclusive lock takes a file that is open for writing. */
#ifdef FLOCK_AS_ON_NFS
#include <fcntl.h>
#include <sys/file.h>

int flock(int file, int operation) {
  if (operation & LOCK_EX && (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDONLY) { errno = EBADF; return -1; }
  return syscall(SYS_flock, file, operation);
}
#endif

/* As on NFS where another host removed the file. */
#ifdef REMOVED_IS_STALE
#include <fcntl.h>
#include <sys/stat.h>

int fstat(int file, struct stat *status) {
  int result = syscall(SYS_newfstatat, file, "", status, AT_EMPTY_PATH);
  if (result == 0 && S_ISREG(status->st_mode) && status->st_nlink == 0) { errno = ESTALE; return -1; }
  return result;
}
#endif

/* The server of what somebody has open on descriptor 0 is gone: whoever asks waits. */
#ifdef STAT_WAITS
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int stat(const char *path, struct stat *status) {
  const char *number = strstr(path, "/fd/");
  if (number != NULL && strcmp(number, "/fd/0") == 0) pause();
  return fstatat(AT_FDCWD, path, status, 0);
}
#endif

/* The user is quicker: between the check and the step, `LINK` becomes one to `TARGET`. */
#ifdef CHDIR_FINDS_ANOTHER_LINK
int chdir(const char *path) {
  const char *link = getenv("LINK"), *target = getenv("TARGET");
  if (link != NULL && target != NULL && unlink(link) == 0 && symlink(target, link) != 0) abort();
  return syscall(SYS_chdir, path);
}
#endif

/* As a user's file system may answer at the second look: when the file `log` is opened, its directory `LINK` is somewhere
 * else, and in its place is a link to `TARGET`. */
#ifdef OPENAT_FINDS_ANOTHER_DIRECTORY
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int open_elsewhere(int directory, const char *path, int flags, mode_t mode) {
  const char *link = getenv("LINK"), *target = getenv("TARGET"), *name = strrchr(path, '/');
  char elsewhere[4096];
  if (strcmp(name == NULL ? path : name + 1, "log") == 0 && snprintf(elsewhere, sizeof elsewhere, "%s.moved", link) > 0 &&
      access(elsewhere, F_OK) != 0 && (rename(link, elsewhere) != 0 || symlink(target, link) != 0))
    abort();
  return syscall(SYS_openat, directory, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_elsewhere(directory, path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_elsewhere(AT_FDCWD, path, flags, mode);
}
#endif

/* A thread that comes upon the file `wait` takes it away, and does not go on until there is a file `go`. */
#ifdef DUP2_WAITS
int dup2(int from, int to) {
  const char *wait = getenv("WAIT"), *go = getenv("GO");
  if (to == STDOUT_FILENO && wait != NULL && go != NULL && unlink(wait) == 0)
    while (unlink(go) != 0) usleep(1000);
  return syscall(SYS_dup3, from, to, 0);
}
#endif

/* The launcher of a program that calls `spawn` stops as soon as it has reported. */
#ifdef SEND_STOPS_THE_LAUNCHER
#include <sys/socket.h>

static pid_t program;
__attribute__((constructor)) static void note_program(void) { program = getpid(); }

ssize_t send(int to, const void *bytes, size_t count, int flags) {
  ssize_t sent = sendto(to, bytes, count, flags, NULL, 0);
  if (getppid() == program && count > 1) raise(SIGSTOP);
  return sent;
}
#endif

/* Before the first line is written, its writer asks its parent for an upgrade. */
#ifdef WRITEV_ASKS_AGAIN
#include <sys/uio.h>

ssize_t writev(int to, const struct iovec *parts, int count) {
  const char *once = getenv("ONCE");
  if (to == STDERR_FILENO && once != NULL && unlink(once) == 0) kill(getppid(), SIGUSR2);
  return syscall(SYS_writev, to, parts, count);
}
#endif

/* Before a line is written, its writer ends the other children of its parent. */
#ifdef WRITEV_KILLS_SIBLINGS
#include <stdio.h>
#include <sys/uio.h>

static char state(pid_t process) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", process);
  FILE *file = fopen(path, "r");
  if (file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 0;
  if (file != NULL) fclose(file);
  return state;
}

ssize_t writev(int to, const struct iovec *parts, int count) {
  char path[64];
  pid_t parent = getppid(), child;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
  FILE *children = to == STDERR_FILENO ? fopen(path, "r") : NULL;
  while (children != NULL && fscanf(children, "%d", &child) == 1) {
    if (child == getpid()) continue;
    kill(child, SIGKILL);
    while (state(child) != 'Z' && state(child) != 0) usleep(1000);
  }
  if (children != NULL) fclose(children);
  return syscall(SYS_writev, to, parts, count);
}
#endif

#ifdef MADVISE_DOES_NOTHING
int madvise(void *address, size_t length, int advice) { (void)address, (void)length, (void)advice; return 0; }
#endif

/* The look-up of a user, or of its group, starts a thread, as a service of nsswitch.conf(5) may. */
#ifdef LOOK_UP_STARTS_A_THREAD
#include <pthread.h>
#include <pwd.h>

static void *look_up(void *unused) { for (;;) pause(); return unused; }

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
  static int (*next)(const char *, struct passwd *, char *, size_t, struct passwd **);
  pthread_t thread;
  if (pthread_create(&thread, NULL, look_up, NULL) == 0) pthread_setname_np(thread, "look-up");
  if (next == NULL) next = dlsym(RTLD_NEXT, "getpwnam_r");
  return next(name, entry, buffer, size, found);
}
#endif

/* A process in the same memory, which ends with its parent. */
#ifdef A_PROCESS_SHARES_MEMORY
#include <sched.h>
#include <signal.h>

static char stack[1 << 16] __attribute__((aligned(16)));
static long program;

static int helper(void *unused) {
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    while (syscall(SYS_getppid) == program) syscall(SYS_pause); // it may have ended before
    syscall(SYS_exit, 0);
    return unused != NULL;
}

__attribute__((constructor)) static void start(void) { program = syscall(SYS_getpid); clone(helper, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL); }
#endif

/* A thread of which the C library knows nothing. */
#ifdef A_THREAD_IS_NOT_LIBCS
#include <sched.h>

static char stack[1 << 16] __attribute__((aligned(16)));
static int helper(void *unused) { for (;;) syscall(SYS_pause); return unused != NULL; }

__attribute__((constructor)) static void start(void) {
  clone(helper, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL);
}
#endif

/* The leader's second word, its answer to `ready()`, is its last: it is stopped, or killed, before. */
#if defined(ANSWER_STOPS) || defined(ANSWER_KILLS)
#include <signal.h>
#include <sys/socket.h>

ssize_t send(int socket, const void *bytes, size_t length, int flags) {
  static int words;
  int is_answer = ++words == 2 && length == 1; /* a daemon that takes its report back has a second word, too */
#ifdef ANSWER_STOPS
  if (is_answer) kill(getpid(), SIGSTOP);
#else
  if (is_answer) kill(getpid(), SIGKILL);
#endif
  return syscall(SYS_sendto, socket, bytes, length, flags, NULL, 0);
}
#endif

/* Whoever allocates or locks in the handler of SIGHUP is ended: who was interrupted may be at it. */
#ifdef HANDLER_ALLOCATES_NOTHING
#include <pthread.h>
#include <signal.h>

static _Thread_local int in_handler;
static void (*handlers[NSIG])(int, siginfo_t *, void *);

static void guarded(int number, siginfo_t *info, void *context) {
  in_handler = 1;
  handlers[number](number, info, context);
  in_handler = 0;
}

int sigaction(int number, const struct sigaction *new, struct sigaction *old) {
  static int (*next)(int, const struct sigaction *, struct sigaction *);
  if (next == NULL) next = dlsym(RTLD_NEXT, "sigaction");
  if ((number == SIGHUP || number == SIGTERM) && new != NULL && new->sa_handler != SIG_DFL && new->sa_handler != SIG_IGN) {
    struct sigaction own = *new;
    handlers[number] = new->sa_sigaction;
    own.sa_sigaction = guarded;
    return next(number, &own, old);
  }
  int done = next(number, new, old);
  if (old != NULL && old->sa_sigaction == guarded) old->sa_sigaction = handlers[number];
  return done;
}

static void refuse_in_handler(void) { if (in_handler) abort(); }

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), __libc_free(void *);
void *malloc(size_t size) { refuse_in_handler(); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { refuse_in_handler(); return __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { refuse_in_handler(); return __libc_realloc(old, size); }
void free(void *old) { refuse_in_handler(); __libc_free(old); }

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  static int (*next)(pthread_mutex_t *);
  refuse_in_handler();
  if (next == NULL) next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
  return next(mutex);
}
#endif

#ifdef SETEUID_ROOT_FAILS
int seteuid(uid_t user) { return user == 0 ? refuse() : syscall(SYS_setresuid, -1, user, -1); }
#endif

#ifdef NO_NEW_PRIVS_FAILS
int prctl(int option, ...)
{
    unsigned long a[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++) a[i] = va_arg(list, unsigned long);
    va_end(list);
    return option == PR_SET_NO_NEW_PRIVS ? refuse() : syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}
#endif

/* A thread that is about to rename a file to what ends with `STEP`, and comes upon the file `wait`, takes that away, and does not go on until
 * there is a file `go`. */
#ifdef RENAME_WAITS
#include <stdio.h>
#include <string.h>

static void wait_before(const char *name) {
  const char *step = getenv("STEP"), *wait = getenv("WAIT"), *go = getenv("GO");
  size_t length = strlen(name), end = step == NULL ? 0 : strlen(step);
  if (step != NULL && wait != NULL && go != NULL && length >= end && strcmp(name + length - end, step) == 0 && unlink(wait) == 0)
    while (unlink(go) != 0) usleep(1000);
}

int renameat(int from, const char *old, int to, const char *new) {
  wait_before(new);
  return renameat2(from, old, to, new, 0);
}
#endif

#if defined(CAPSET_FAILS) || defined(CAPSET_LIES) || defined(KEYCTL_FAILS) || defined(RENAME_WAITS) || defined(RENAMEAT2_FAILS) || \
    defined(SIGNAL_WAITS) || defined(STATX_FAILS)
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
#ifdef KEYCTL_FAILS
    if (number == SYS_keyctl) { errno = KEYCTL_FAILS; return -1; }
#elif defined(RENAMEAT2_FAILS)
    if (number == SYS_renameat2) { errno = RENAMEAT2_FAILS; return -1; }
#elif defined(SIGNAL_WAITS)
    static int has_waited;
    if (number == SYS_pidfd_send_signal && !has_waited++) raise(SIGSTOP);
#elif defined(STATX_FAILS)
    if (number == SYS_statx) { errno = STATX_FAILS; return -1; }
#elif defined(RENAME_WAITS)
    if (number == SYS_renameat2) wait_before((const char *)a[3]);
#elif defined(CAPSET_FAILS)
    if (number == SYS_capset) return refuse();
#else
    if (number == SYS_capset) return 0;
#endif
    if (!next) next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif
