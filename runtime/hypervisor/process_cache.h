/* What is learnt about a running domain by expensive means (its process, its agent channel), kept until the domain runs
 * anew (its libvirt id changes), an agent comes or goes, or the connection is lost. */
#pragma once

#include <pthread.h>

#include "rtvmd/base/base.h"

struct cached_process {
    unsigned char uuid[16];
    unsigned id;
    int pid;
    unsigned user;
    bool has_agent;
};

struct process_cache {
    pthread_mutex_t lock;
    unsigned epoch; /* grows when everything was forgotten */
    size_t count;
    struct cached_process *row;
};

/* An empty cache is a zeroed one with an initialized lock. */
void process_cache_finish(struct process_cache *cache);
/* A copy of the rows and the epoch they belong to; the caller frees. */
struct cached_process *process_cache_copy(struct process_cache *cache, size_t *ret_count, unsigned *ret_epoch);
/* Takes the rows over as the new content, unless everything was forgotten since the copy was made. */
void process_cache_replace(struct process_cache *cache, unsigned epoch, struct cached_process *row, size_t count);
void process_cache_forget(struct process_cache *cache);
