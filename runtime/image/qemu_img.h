/* Disk images as files: what they are, and making new ones. qemu-img does the work; before it is let near a foreign
 * file, the file's own head is read here, because opening a hostile qcow2 is how qemu-img is attacked (backing and
 * data files that name other files). And qemu-img itself runs confined: this same program started anew with the hidden
 * verb "confined" gives up what qemu-img does not need (rtvmd/verb_confined.c) and becomes it. */
#pragma once

#include "rtvmd/base/error.h"

#define CONFINED_VERB "confined" /* read|write PROGRAM ARGUMENTS… */

struct disk_facts {
    bool qcow2;             /* else raw */
    uint64_t virtual_bytes; /* what the guest sees */
};
/* [blocks] Looks at a file, which must not change meanwhile. ERROR_INVALID, with the remedy, for qcow2 with a backing
 * or data file or encryption, for other formats (VMDK, VDI, VHDX, …), compressed files, and sizes over the limits. */
int disk_inspect(const char *path, struct disk_facts *ret_facts, struct error *err);
/* The first step of disk_inspect alone, on the first bytes of a file. Pure. */
enum { DISK_HEAD_BYTES = 512 };
int disk_judge_head(const unsigned char *head, size_t length, struct disk_facts *ret_facts, struct error *err);

/* [blocks] A new qcow2 file, replacing what is there: empty of `bytes`, or an overlay on a backing file. Mode 0600. */
int disk_make_empty(const char *path, uint64_t bytes, struct error *err);
int disk_make_overlay(const char *path, const char *backing_path, bool backing_qcow2, struct error *err);
