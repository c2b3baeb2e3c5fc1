/* Faults of the machine, for tests: preloaded into an engine (LD_PRELOAD), told
 * what to do through a small file that both sides map (WAREST_FAULTS).
 *
 * Writes and syncs fail only for the database's files, so that sockets and logs
 * go on; the clock is moved for everything that asks for the time of day. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The control file; tests/tests/matrix/shim.rs writes it. */
struct control {
    int32_t write_errno;  /* what a write to the database fails with; 0: none */
    int32_t sync_errno;   /* the same for a sync */
    int64_t clock_ms;     /* by how much the time of day is wrong */
    uint64_t struck;      /* how often something failed; written here */
};

static volatile struct control *control;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WAREST_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        control = mapped;
    close(fd);
}

/* The function of this name that this library stands before. */
#define REAL(name)                                                  \
    static __typeof__(&name) real;                                  \
    if (!real)                                                      \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Whether a descriptor is one of the database's files. */
static int database(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, ".sqlite") != NULL;
}

/* Whether this call is to fail; sets errno then. */
static int fails(int fd, int error)
{
    if (!error || !database(fd))
        return 0;
    __atomic_fetch_add(&control->struck, 1, __ATOMIC_SEQ_CST);
    errno = error;
    return 1;
}

#define WRITE_FAILS(fd) (control && fails(fd, control->write_errno))
#define SYNC_FAILS(fd) (control && fails(fd, control->sync_errno))

ssize_t write(int fd, const void *bytes, size_t count)
{
    REAL(write);
    return WRITE_FAILS(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    REAL(pwrite);
    return WRITE_FAILS(fd) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    REAL(pwrite64);
    return WRITE_FAILS(fd) ? -1 : real(fd, bytes, count, at);
}

int fsync(int fd)
{
    REAL(fsync);
    return SYNC_FAILS(fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return SYNC_FAILS(fd) ? -1 : real(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(clock_gettime);
    int result = real(clock, now);
    if (result == 0 && control && control->clock_ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanos = now->tv_nsec + (control->clock_ms % 1000) * 1000000;
        now->tv_sec += control->clock_ms / 1000;
        if (nanos < 0) {
            nanos += 1000000000;
            now->tv_sec -= 1;
        } else if (nanos >= 1000000000) {
            nanos -= 1000000000;
            now->tv_sec += 1;
        }
        now->tv_nsec = nanos;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (out)
        *out = precise.tv_sec;
    return precise.tv_sec;
}
