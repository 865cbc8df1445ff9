/* The libraries this binary was linked with; the table is made at build time by dist/linked.sh. */
#pragma once

struct linked_library {
    const char *name;
    const char *version; /* of the Debian package */
    const char *license; /* SPDX */
};
extern const struct linked_library LINKED[]; /* ends with a NULL name */
