#include "runtime/hypervisor/process_cache.h"

#include <stdlib.h>
#include <string.h>

void process_cache_finish(struct process_cache *cache)
{
    free(take(cache->row));
    cache->count = 0;
}

struct cached_process *process_cache_copy(struct process_cache *cache, size_t *ret_count, unsigned *ret_epoch)
{
    pthread_mutex_lock(&cache->lock);
    struct cached_process *copy = must_calloc(cache->count + 1, sizeof *copy);
    if (cache->count > 0)
        memcpy(copy, cache->row, cache->count * sizeof *copy);
    *ret_count = cache->count;
    *ret_epoch = cache->epoch;
    pthread_mutex_unlock(&cache->lock);
    return copy;
}

void process_cache_replace(struct process_cache *cache, unsigned epoch, struct cached_process *row, size_t count)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->epoch == epoch) {
        struct cached_process *old = cache->row;
        cache->row = row;
        cache->count = count;
        row = old;
    }
    pthread_mutex_unlock(&cache->lock);
    free(row);
}

void process_cache_forget(struct process_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->epoch++;
    process_cache_finish(cache);
    pthread_mutex_unlock(&cache->lock);
}
