/* Kubernetes' rules for names, with its sentences. */
#pragma once

#include "rtvmd/base/text.h"

enum name_kind {
    NAME_DNS_LABEL,     /* RFC 1123 label: hostname, disk names */
    NAME_DNS_SUBDOMAIN, /* labels joined by dots: object names */
    NAME_PORT,          /* IANA service name */
    NAME_LABEL_KEY,     /* [prefix/]name, also of annotations */
    NAME_LABEL_VALUE,
};
/* Appends the complaints, joined by ", "; 0 when there is none. */
size_t name_complaints(enum name_kind kind, const char *name, struct text *ret_text);
bool name_is_valid(enum name_kind kind, const char *name);
