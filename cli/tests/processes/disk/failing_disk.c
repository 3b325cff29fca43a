/*
 * A disk that fails when it is told to, under a server's database: loaded before the C library
 * (LD_PRELOAD), it stands between SQLite and the system.
 *
 * FAULTY_CONTROL names a file that says what fails now: nothing if it is not there, "fsync" (EIO),
 * "write" (EIO) or "room" (ENOSPC). Every failure adds a byte to the file of that name with
 * ".failures" behind it.
 *
 * FAULTY_DISK names a directory that holds what would be there after a loss of power. Bytes get
 * there when they were written and a later fsync succeeded; an fsync that fails forgets them, as
 * systems do: they are taken for written, and no later fsync writes them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 2 };
static const char *const NAMES[FILES] = {"sotto.db", "sotto.db-wal"};

struct range {
    off_t start, end;
    struct range *next;
};

/* What was written to each file since the last fsync of it. */
static struct range *dirty[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static int index_of(const char *path) {
    const char *name = strrchr(path, '/');
    for (int i = 0; i < FILES; i++)
        if (strcmp(name ? name + 1 : path, NAMES[i]) == 0) return i;
    return -1;
}

static int file_of(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return index_of(path);
}

static int on_disk(int file) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAULTY_DISK"), NAMES[file]);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int is_told(const char *fault) {
    char told[16] = "";
    int control = open(getenv("FAULTY_CONTROL"), O_RDONLY | O_CLOEXEC);
    if (control < 0) return 0;
    ssize_t length = read(control, told, sizeof told - 1);
    close(control);
    return length > 0 && strcmp(told, fault) == 0;
}

static int failed(int error) {
    char path[4096];
    snprintf(path, sizeof path, "%s.failures", getenv("FAULTY_CONTROL"));
    int failures = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (failures >= 0) {
        if (REAL(write)(failures, "x", 1) != 1) abort();
        close(failures);
    }
    errno = error;
    return -1;
}

static int write_fails(void) {
    if (is_told("write")) return failed(EIO);
    if (is_told("room")) return failed(ENOSPC);
    return 0;
}

static void wrote(int file, off_t start, ssize_t length) {
    if (length <= 0) return;
    struct range *range = malloc(sizeof *range);
    if (!range) abort();
    pthread_mutex_lock(&lock);
    *range = (struct range){start, start + length, dirty[file]};
    dirty[file] = range;
    pthread_mutex_unlock(&lock);
}

/* Copies what is dirty to the disk, or forgets it. */
static void clean(int fd, int file, int keep) {
    int disk = keep ? on_disk(file) : -1;
    pthread_mutex_lock(&lock);
    while (dirty[file]) {
        struct range *range = dirty[file];
        char bytes[65536];
        for (off_t at = range->start; keep && at < range->end;) {
            size_t most = (size_t)(range->end - at);
            ssize_t length = pread(fd, bytes, most < sizeof bytes ? most : sizeof bytes, at);
            /* A file that was cut has less than was written. */
            if (length <= 0) break;
            if (REAL(pwrite)(disk, bytes, (size_t)length, at) != length) abort();
            at += length;
        }
        dirty[file] = range->next;
        free(range);
    }
    pthread_mutex_unlock(&lock);
    if (disk >= 0) close(disk);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    int file = file_of(fd);
    if (file < 0) return REAL(write)(fd, bytes, length);
    if (write_fails()) return -1;
    off_t start = lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, bytes, length);
    wrote(file, start, done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t start) {
    int file = file_of(fd);
    if (file < 0) return REAL(pwrite)(fd, bytes, length, start);
    if (write_fails()) return -1;
    ssize_t done = REAL(pwrite)(fd, bytes, length, start);
    wrote(file, start, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t start) {
    return pwrite(fd, bytes, length, start);
}

static int sync_file(int fd) {
    int file = file_of(fd);
    if (file < 0) return REAL(fsync)(fd);
    if (is_told("fsync")) {
        clean(fd, file, 0);
        return failed(EIO);
    }
    int done = REAL(fsync)(fd);
    if (done == 0) clean(fd, file, 1);
    return done;
}

int fsync(int fd) { return sync_file(fd); }
int fdatasync(int fd) { return sync_file(fd); }

static int cut(int fd, off_t length) {
    int done = REAL(ftruncate)(fd, length), file = file_of(fd);
    if (done == 0 && file >= 0) {
        int disk = on_disk(file);
        if (REAL(ftruncate)(disk, length) != 0) abort();
        close(disk);
    }
    return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

int unlink(const char *path) {
    int done = REAL(unlink)(path), file = index_of(path);
    if (done == 0 && file >= 0) {
        char disk[4096];
        snprintf(disk, sizeof disk, "%s/%s", getenv("FAULTY_DISK"), NAMES[file]);
        REAL(unlink)(disk);
    }
    return done;
}
