/* api/media: what a request body is, and what form of answer the client asks for. Pure. */
#pragma once

#include "rtvmd/base/error.h"

enum media_type {
    MEDIA_MANIFEST, /* JSON or YAML: told apart by reading; also what curl sends when nothing was said */
    MEDIA_JSON_PATCH,
    MEDIA_MERGE_PATCH,
    MEDIA_STRATEGIC_PATCH,
    MEDIA_APPLY,    /* server-side apply */
    MEDIA_PROTOBUF, /* see protobuf.h */
    MEDIA_OTHER,
};
/* Of a Content-Type header; NULL is MEDIA_MANIFEST. */
enum media_type media_type_of(const char *content_type);

enum media_form {
    FORM_OBJECT,
    FORM_TABLE,         /* meta.k8s.io/v1 Table */
    FORM_METADATA,      /* PartialObjectMetadata(List) */
    FORM_DISCOVERY,     /* apidiscovery.k8s.io/v2 APIGroupDiscoveryList */
    FORM_DISCOVERY_OLD, /* …v2beta1 */
};
/* The first of the Accept header's wishes that we have: `offered` is a mask of 1 << form. ERROR_NOT_ACCEPTABLE when
 * nothing fits. */
int media_choose(const char *accept, unsigned offered, enum media_form *ret_form, struct error *err);
