#include "runtime/spec/address.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool address_is_pci(const char *text)
{
    static const char SHAPE[] = "xxxx:xx:xx.7";
    for (size_t i = 0; i < sizeof SHAPE; i++) {
        char want = SHAPE[i];
        bool fits = want == 'x' ? is_hex(text[i]) : want == '7' ? text[i] >= '0' && text[i] <= '7' : text[i] == want;
        if (!fits)
            return false;
    }
    return true;
}

/* Digits per group and the separator between groups. */
static size_t groups_of(const char *text, size_t digits, char separator)
{
    size_t groups = 0;
    for (;;) {
        for (size_t i = 0; i < digits; i++)
            if (!is_hex(*text++))
                return 0;
        groups++;
        if (*text == '\0')
            return groups;
        if (*text++ != separator)
            return 0;
    }
}

size_t address_mac_length(const char *text)
{
    size_t bytes = groups_of(text, 2, ':');
    if (!bytes)
        bytes = groups_of(text, 2, '-');
    if (!bytes)
        bytes = 2 * groups_of(text, 4, '.');
    return bytes == 6 || bytes == 8 || bytes == 20 ? bytes : 0;
}

bool address_is_ipv4(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

bool address_is_ip(const char *text)
{
    struct in6_addr address;
    return address_is_ipv4(text) || inet_pton(AF_INET6, text, &address) == 1;
}

bool address_is_serial(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-");
    return length > 0 && text[length] == '\0';
}
