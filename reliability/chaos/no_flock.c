/* flock as a file system without it answers: NO_FLOCK=38 Lustre without -o flock, 37 NFS without lockd, 95 some FUSE. */
#include <errno.h>
#include <stdlib.h>

int flock(int file, int operation) {
    const char *number = getenv("NO_FLOCK");
    (void)file;
    (void)operation;
    errno = number ? atoi(number) : ENOSYS;
    return -1;
}
