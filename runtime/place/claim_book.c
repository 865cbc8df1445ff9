/* The other direction of a plan: a placement becomes what is promised. Names are kept once and lent to every CPU and
 * page row, so that a refusal can say who has them and what would be free without them. */
#include <stdlib.h>
#include <string.h>

#include "runtime/place/place.h"

struct claim_book {
    struct claims claims;
    const char *cpu_owner[CPUSET_MAX];
    size_t owner_count;
    char **owner;
};

struct claim_book *claim_book_new(void)
{
    struct claim_book *book = must_calloc(1, sizeof(*book));
    book->claims.cpu_owner = book->cpu_owner;
    return book;
}

void claim_book_free(struct claim_book *book)
{
    if (!book)
        return;
    for (size_t i = 0; i < book->owner_count; i++)
        free(book->owner[i]);
    free(book->owner);
    free(book->claims.pages);
    free(book);
}

static const char *own_name(struct claim_book *book, const char *owner)
{
    if (!owner)
        return NULL;
    book->owner = must_realloc(book->owner, book->owner_count + 1, sizeof(*book->owner));
    return book->owner[book->owner_count++] = must_strdup(owner);
}

void claim_book_add(struct claim_book *book, const struct placement *placement, const char *owner)
{
    struct claims *claims = &book->claims;
    const char *name = own_name(book, owner);
    claims->cpus = cpuset_or(&claims->cpus, &placement->exclusive);
    cpuset_foreach(cpu, &placement->exclusive) book->cpu_owner[cpu] = name;
    cpuset_foreach(v,
                   &placement->realtime_vcpus) if ((unsigned)v < placement->vcpu_count && placement->vcpu_cpu[v] >= 0)
        cpuset_add(&claims->realtime_cpus, (unsigned)placement->vcpu_cpu[v]);
    claims->pages = must_realloc(claims->pages, claims->page_count + placement->page_count + 1, sizeof(*claims->pages));
    uint64_t unbound = placement->ordinary_bytes;
    for (unsigned i = 0; i < placement->page_count; i++) {
        claims->pages[claims->page_count] = placement->page[i];
        claims->pages[claims->page_count++].owner = name;
        if (placement->page[i].page_bytes == PLACE_ORDINARY_PAGE_BYTES)
            unbound -= placement->page[i].pages * PLACE_ORDINARY_PAGE_BYTES;
    }
    claims->pages[claims->page_count++] = (struct claimed_pages){.node = -1,
                                                                 .page_bytes = PLACE_ORDINARY_PAGE_BYTES,
                                                                 .pages = unbound / PLACE_ORDINARY_PAGE_BYTES,
                                                                 .owner = name};
    claims->memory_bytes += placement->ordinary_bytes;
}

const struct claims *claim_book_claims(const struct claim_book *book)
{
    return &book->claims;
}
