/* System calls that fail, succeed without effect or take their time: put before the C library's by LD_PRELOAD. Each is chosen by its name on
 * the compiler's command line. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
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

/* A thread that comes upon the file `wait` takes it away, and does not go on until there is a file `go`. */
#ifdef DUP2_WAITS
int dup2(int from, int to) {
  const char *wait = getenv("WAIT"), *go = getenv("GO");
  if (to == STDOUT_FILENO && wait != NULL && go != NULL && unlink(wait) == 0)
    while (access(go, F_OK) != 0) usleep(1000);
  return syscall(SYS_dup3, from, to, 0);
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

#if defined(CAPSET_FAILS) || defined(CAPSET_LIES)
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_capset) {
#ifdef CAPSET_FAILS
        return refuse();
#else
        return 0;
#endif
    }
    if (!next) next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif
