/* Tar archives on the fly, as memory files whose descriptors stand at the start. */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct tar_entry {
    const char *path;
    char type;        /* f file, d folder, s symbolic link, h hard link, c device */
    const char *data; /* contents, or target */
};

static inline int tar_make(const struct tar_entry *entries, size_t count, int filter)
{
    int fd = memfd_create("tar", MFD_CLOEXEC);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_add_filter(a, filter);
    archive_write_open_fd(a, fd);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, entries[i].path);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_filetype(e, entries[i].type == 'd'   ? AE_IFDIR
                                      : entries[i].type == 's' ? AE_IFLNK
                                      : entries[i].type == 'c' ? AE_IFCHR
                                                               : AE_IFREG);
        if (entries[i].type == 's')
            archive_entry_set_symlink(e, entries[i].data);
        if (entries[i].type == 'h')
            archive_entry_set_hardlink(e, entries[i].data);
        size_t size = entries[i].type == 'f' ? strlen(entries[i].data) : 0;
        archive_entry_set_size(e, (la_int64_t)size);
        if (archive_write_header(a, e) != ARCHIVE_OK ||
            (size && archive_write_data(a, entries[i].data, size) != (la_ssize_t)size))
            abort();
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
    lseek(fd, 0, SEEK_SET);
    return fd;
}
