/* The tables of rows by theme, and the shorthand they are written in. Included by fields*.c only. */
#pragma once

#include "runtime/spec/fields.h"

/* A row says what differs from "optional, done, no default". */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct field_table {
    const struct field *row;
    size_t count;
};

extern const struct field_table FIELDS_METADATA;
extern const struct field_table FIELDS_VM;
extern const struct field_table FIELDS_LIFE;
extern const struct field_table FIELDS_CPU;
extern const struct field_table FIELDS_FIRMWARE;
extern const struct field_table FIELDS_FEATURES;
extern const struct field_table FIELDS_DEVICES;
extern const struct field_table FIELDS_DISKS;
extern const struct field_table FIELDS_NETWORK;
extern const struct field_table FIELDS_VOLUMES;
extern const struct field_table FIELDS_KUBERNETES;

#define IGNORED(why) .support = FIELD_IGNORED, .because = (why)
#define REFUSED(why) .support = FIELD_REFUSED, .because = (why)
#define NEEDED .required = FIELD_NEEDED
#define WANTED .required = FIELD_WANTED
#define RULED .ruled = true
