/* One hostile layer. The child that reads it has nothing to lose, but it should not come to that. */
#include "runtime/image/layer.c"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sink(const void *bytes, size_t length, void *arg, struct error *err)
{
    (void)bytes;
    uint64_t *total = arg;
    *total += length;
    return *total > 64 << 20 ? fail(err, ERROR_TOO_LARGE, "enough") : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fds[2] = {-1, -1};
    if (size == 0)
        return 0;
    if (fds[0] < 0)
        for (int i = 0; i < 2; i++)
            fds[i] = memfd_create("layer", 0);
    size_t half = size > 1024 ? size / 1024 / 2 * 1024 : size; /* two layers when it is long enough */
    const size_t part[2] = {half, size - half};
    for (int i = 0; i < 2; i++) {
        if (ftruncate(fds[i], 0) < 0 || pwrite(fds[i], data + (i ? half : 0), part[i], 0) < 0)
            abort();
        lseek(fds[i], 0, SEEK_SET);
    }
    uint64_t total = 0;
    struct error err;
    auto_free char *path = NULL;
    if (layer_find_disk(fds, part[1] ? 2 : 1, data[0] & 1 ? "" : "/disk/x", sink, &total, &path, &err) == 0 && !path)
        abort();
    return 0;
}
