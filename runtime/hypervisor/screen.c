#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rtvmd/base/limits.h"
#include "runtime/hypervisor/connection.h"
#include "runtime/hypervisor/failure.h"

int hypervisor_screen(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    int fd = virDomainOpenGraphicsFD(domain, 0, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH);
    return fd >= 0 ? fd : failure_from_libvirt(err, "display of domain %s", name);
}

struct sink {
    int fd;
    size_t length;
};

/* libvirt asks until all is taken. */
static int take_bytes(virStreamPtr stream, const char *bytes, size_t length, void *arg)
{
    (void)stream;
    struct sink *sink = arg;
    if (sink->length + length > LIMIT_SCREENSHOT_BYTES)
        return -1;
    ssize_t n = write(sink->fd, bytes, length);
    sink->length += n > 0 ? (size_t)n : 0;
    return (int)n;
}

static int receive(virDomainPtr domain, virStreamPtr stream, int fd, const char *name, struct error *err)
{
    struct sink sink = {.fd = fd};
    char *type = virDomainScreenshot(domain, stream, 0, 0);
    if (!type)
        return failure_from_libvirt(err, "screenshot of domain %s", name);
    free(type);
    if (virStreamRecvAll(stream, take_bytes, &sink) == 0 && virStreamFinish(stream) == 0)
        return 0;
    return failure_from_libvirt(err, "screenshot of domain %s", name);
}

int hypervisor_screenshot(struct hypervisor *hypervisor, const char *name, struct error *err)
{
    auto_domain domain = connection_find(hypervisor, name, err);
    if (!domain)
        return -1;
    virStreamPtr stream = virStreamNew(virDomainGetConnect(domain), 0);
    if (!stream)
        return failure_from_libvirt(err, "screenshot of domain %s", name);
    int fd = memfd_create("screenshot", MFD_CLOEXEC);
    int r = fd < 0 ? fail_errno(err, "screenshot of domain %s", name) : receive(domain, stream, fd, name, err);
    virStreamFree(stream);
    if (r < 0 && fd >= 0)
        close(fd);
    return r < 0 ? -1 : fd;
}
