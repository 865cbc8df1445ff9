/* Name services for the static build. glibc answers them by loading the host's NSS modules, and with them another
 * libc, into the process: with a different glibc on the host that ends in SIGFPE or SIGABRT. The linker (--wrap)
 * sends the calls here instead: numeric addresses and localhost; users and groups from /etc/passwd and /etc/group;
 * no loading of libraries at all. */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/base.h"

/* The linker makes these names; nobody else calls them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"
/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming) */

/* ---- addresses */

static int port_of(const char *service, in_port_t *ret_port)
{
    *ret_port = 0;
    if (!service)
        return 0;
    char *end;
    unsigned long port = strtoul(service, &end, 10);
    if (*service == '\0' || *end || port > 65535)
        return EAI_SERVICE;
    *ret_port = htons((in_port_t)port);
    return 0;
}

struct answer {
    struct addrinfo info;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    char canonical[256];
};

static struct addrinfo *answer_new(const struct addrinfo *hints, int family, const void *bytes, in_port_t port,
                                   const char *node)
{
    struct answer *a = must_calloc(1, sizeof *a);
    a->info.ai_family = family;
    a->info.ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    a->info.ai_protocol = hints ? hints->ai_protocol : 0;
    if (family == AF_INET) {
        a->address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&a->address.v4.sin_addr, bytes, sizeof a->address.v4.sin_addr);
        a->info.ai_addrlen = sizeof a->address.v4;
    } else {
        a->address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        memcpy(&a->address.v6.sin6_addr, bytes, sizeof a->address.v6.sin6_addr);
        a->info.ai_addrlen = sizeof a->address.v6;
    }
    a->info.ai_addr = (struct sockaddr *)&a->address;
    if (hints && hints->ai_flags & AI_CANONNAME && node) {
        snprintf(a->canonical, sizeof a->canonical, "%s", node);
        a->info.ai_canonname = a->canonical;
    }
    return &a->info;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    in_port_t port;
    int r = port_of(service, &port);
    if (r)
        return r;
    int family = hints ? hints->ai_family : AF_UNSPEC;
    struct in_addr v4 = {.s_addr = htonl(hints && hints->ai_flags & AI_PASSIVE ? INADDR_ANY : INADDR_LOOPBACK)};
    struct in6_addr v6;
    char host[256] = "";
    bool ours =
        !node || strcmp(node, "localhost") == 0 || (gethostname(host, sizeof host - 1) == 0 && strcmp(node, host) == 0);
    if (family != AF_INET6 && (ours || inet_pton(AF_INET, node, &v4) == 1)) {
        *ret = answer_new(hints, AF_INET, &v4, port, node);
        return 0;
    }
    if (family != AF_INET && !ours && inet_pton(AF_INET6, node, &v6) == 1) {
        *ret = answer_new(hints, AF_INET6, &v6, port, node);
        return 0;
    }
    if (family == AF_INET6 && ours) {
        *ret = answer_new(hints, AF_INET6, &in6addr_loopback, port, node);
        return 0;
    }
    return EAI_NONAME;
}

void __wrap_freeaddrinfo(struct addrinfo *info)
{
    free(info); /* the first member of struct answer */
}

int __wrap_getnameinfo(const struct sockaddr *address, socklen_t length, char *host, socklen_t host_size, char *service,
                       socklen_t service_size, int flags)
{
    if (address->sa_family == AF_UNIX) { /* evhttp asks this of every client of a unix socket */
        if (host && snprintf(host, host_size, "localhost") >= (int)host_size)
            return EAI_OVERFLOW;
        if (service && service_size > 0)
            service[0] = '\0';
        return 0;
    }
    char text[INET6_ADDRSTRLEN];
    const void *bytes = address->sa_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return EAI_FAMILY;
    if (!inet_ntop(address->sa_family, bytes, text, sizeof text))
        return EAI_FAIL;
    in_port_t port = address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                                   : ((const struct sockaddr_in6 *)address)->sin6_port;
    if (host && snprintf(host, host_size, "%s", text) >= (int)host_size)
        return EAI_OVERFLOW;
    if (service && snprintf(service, service_size, "%u", ntohs(port)) >= (int)service_size)
        return EAI_OVERFLOW;
    return 0;
}

struct protoent *__wrap_getprotobynumber(int number)
{
    return NULL;
}

struct servent *__wrap_getservbyname(const char *name, const char *protocol)
{
    return NULL;
}

/* ---- users and groups */

static int passwd_find(const char *name, uid_t uid, struct passwd *entry, char *buffer, size_t size,
                       struct passwd **ret)
{
    *ret = NULL;
    FILE *file = fopen("/etc/passwd", "re");
    if (!file)
        return errno == ENOENT ? 0 : errno;
    int r;
    while ((r = fgetpwent_r(file, entry, buffer, size, ret)) == 0)
        if (name ? strcmp(entry->pw_name, name) == 0 : entry->pw_uid == uid)
            break;
    fclose(file);
    if (r != 0)
        *ret = NULL;
    return r == ENOENT ? 0 : r;
}

int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret)
{
    return passwd_find(name, 0, entry, buffer, size, ret);
}

int __wrap_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **ret)
{
    return passwd_find(NULL, uid, entry, buffer, size, ret);
}

static struct passwd *passwd_static(const char *name, uid_t uid)
{
    static struct passwd entry;
    static char buffer[4096];
    struct passwd *found;
    passwd_find(name, uid, &entry, buffer, sizeof buffer, &found);
    return found;
}

struct passwd *__wrap_getpwuid(uid_t uid)
{
    return passwd_static(NULL, uid);
}

struct passwd *__wrap_getpwnam(const char *name)
{
    return passwd_static(name, 0);
}

static int group_find(const char *name, gid_t gid, struct group *entry, char *buffer, size_t size, struct group **ret)
{
    *ret = NULL;
    FILE *file = fopen("/etc/group", "re");
    if (!file)
        return errno == ENOENT ? 0 : errno;
    int r;
    while ((r = fgetgrent_r(file, entry, buffer, size, ret)) == 0)
        if (name ? strcmp(entry->gr_name, name) == 0 : entry->gr_gid == gid)
            break;
    fclose(file);
    if (r != 0)
        *ret = NULL;
    return r == ENOENT ? 0 : r;
}

int __wrap_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **ret)
{
    return group_find(name, 0, entry, buffer, size, ret);
}

int __wrap_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, struct group **ret)
{
    return group_find(NULL, gid, entry, buffer, size, ret);
}

static struct group *group_static(const char *name, gid_t gid)
{
    static struct group entry;
    static char buffer[16384];
    struct group *found;
    group_find(name, gid, &entry, buffer, sizeof buffer, &found);
    return found;
}

struct group *__wrap_getgrnam(const char *name)
{
    return group_static(name, 0);
}

struct group *__wrap_getgrgid(gid_t gid)
{
    return group_static(NULL, gid);
}

int __wrap_getgrouplist(const char *user, gid_t primary, gid_t *groups, int *count)
{
    int found = 0;
    if (found < *count)
        groups[found] = primary;
    found++;
    FILE *file = fopen("/etc/group", "re");
    struct group entry;
    struct group *one;
    char buffer[16384];
    while (file && fgetgrent_r(file, &entry, buffer, sizeof buffer, &one) == 0) {
        for (char **member = entry.gr_mem; *member; member++) {
            if (strcmp(*member, user) != 0 || entry.gr_gid == primary)
                continue;
            if (found < *count)
                groups[found] = entry.gr_gid;
            found++;
        }
    }
    if (file)
        fclose(file);
    int room = *count;
    *count = found;
    return found <= room ? found : -1;
}

int __wrap_initgroups(const char *user, gid_t primary)
{
    gid_t groups[256];
    int count = (int)ARRAY_SIZE(groups);
    __wrap_getgrouplist(user, primary, groups, &count);
    return setgroups((size_t)(count < (int)ARRAY_SIZE(groups) ? count : (int)ARRAY_SIZE(groups)), groups);
}

/* ---- loading of libraries */

void *__wrap_dlopen(const char *file, int flags)
{
    return NULL;
}

void *__wrap_dlsym(void *handle, const char *symbol)
{
    return NULL;
}

int __wrap_dlclose(void *handle)
{
    return -1;
}

char *__wrap_dlerror(void)
{
    static char text[] = "loading of libraries is not possible in a static program";
    return text;
}
/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */
