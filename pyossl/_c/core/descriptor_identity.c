/* Whether a descriptor still belongs to the file for which it was given.
 *
 * The caller can close its own socket or file while a BIO uses the descriptor.  The next file that is opened then gets
 * the same number: a record or a close_notify would be written into that file, and its data would be read.  So the
 * device and the inode of the file are stored, and compared before each read and write: fstat(2), which needs neither
 * Python nor the GIL.  Another thread can still close the descriptor between the comparison and the call.  For a
 * descriptor that pyossl owns nothing is stored or compared. */

typedef struct {
    int is_known;
    dev_t device;
    ino_t inode;
} pyossl_file;

static void pyossl_know_file(pyossl_file *file, int fd)
{
    struct stat found;

    if (fstat(fd, &found) != 0 || found.st_ino == 0)    /* 0: a system on which sockets have no inode */
        return;
    file->is_known = 1;
    file->device = found.st_dev;
    file->inode = found.st_ino;
}

/* 1 if it is the same file; else 0 with errno EBADF, as for a closed descriptor. */
static int pyossl_is_still(const pyossl_file *file, int fd)
{
    struct stat found;

    if (!file->is_known || (fstat(fd, &found) == 0 && found.st_ino == file->inode && found.st_dev == file->device))
        return 1;
    errno = EBADF;
    return 0;
}
