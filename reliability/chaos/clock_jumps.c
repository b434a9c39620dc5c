/* Preloaded: a clock that jumps. From JUMPS_FROM (s since 1970) on it is two days ahead after 4 s, an hour behind after 8 s,
 * and right after 12 s. The monotonic clock goes on as it does; times of files are the kernel's. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(time_t now)
{
    const char *from = getenv("JUMPS_FROM");
    long long since = now - (from ? atoll(from) : now);
    return since < 4 ? 0 : since < 8 ? 2 * 86400 : since < 12 ? -3600 : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift(now->tv_sec);
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place)
{
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (place)
        *place = found.tv_sec;
    return found.tv_sec;
}
