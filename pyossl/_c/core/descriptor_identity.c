/* Whether a descriptor's number still is the file's that it was given for.
 *
 * A socket or a file that stays the caller's can be closed below us, and its number is the next one's that is opened: a
 * record, or a close_notify, would go into a stranger's stream, and what a stranger's peer has sent would be taken off
 * it.  So the kernel's own name of the file is noted, and looked at before the descriptor is read from or written to:
 * fstat(2), which asks neither Python nor for the GIL.  Another thread can still close it between the look and the
 * call.  Where pyossl owns the descriptor nothing is noted, and nothing looked at. */

typedef struct {
    int is_known;
    dev_t device;
    ino_t inode;
} pyossl_file;

static void pyossl_know_file(pyossl_file *file, int fd)
{
    struct stat found;

    if (fstat(fd, &found) != 0 || found.st_ino == 0)    /* a system that does not tell sockets apart says 0 */
        return;
    file->is_known = 1;
    file->device = found.st_dev;
    file->inode = found.st_ino;
}

/* 1; or 0 and errno, as a call with a descriptor that is closed would have it. */
static int pyossl_is_still(const pyossl_file *file, int fd)
{
    struct stat found;

    if (!file->is_known || (fstat(fd, &found) == 0 && found.st_ino == file->inode && found.st_dev == file->device))
        return 1;
    errno = EBADF;
    return 0;
}
