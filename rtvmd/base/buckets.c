#include "rtvmd/base/buckets.h"

#define US(n) (UINT64_C(1000) * (n))
#define MS(n) (UINT64_C(1000000) * (n))

const uint64_t BUCKET_BOUND_NS[BUCKET_COUNT] = {US(100),  US(250),  US(500),  MS(1),    US(2500), MS(5),
                                                MS(10),   MS(25),   MS(50),   MS(100),  MS(250),  MS(500),
                                                MS(1000), MS(2500), MS(5000), MS(10000)};

void buckets_add(struct buckets *buckets, uint64_t ns)
{
    unsigned i = 0;
    while (i < BUCKET_COUNT && ns > BUCKET_BOUND_NS[i])
        i++;
    buckets->count[i]++;
    buckets->sum_ns += ns;
}

uint64_t buckets_total(const struct buckets *buckets)
{
    uint64_t total = 0;
    for (unsigned i = 0; i <= BUCKET_COUNT; i++)
        total += buckets->count[i];
    return total;
}
