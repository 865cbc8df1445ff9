/* A refusal is the slow answer: every set of nodes has to fail. Most refusals, and most hopeless numbers of nodes, are
 * found by sums alone: a set of bits holds every total of vCPUs that some nodes can make up, and adding a node means
 * shifting it by everything that node can give. */
#include "runtime/place/reach.h"

#include <stdlib.h>
#include <string.h>

enum { REACH_WORDS = LIMIT_VM_VCPUS / 64 + 1 };
struct totals {
    uint64_t word[REACH_WORDS];
};

/* to |= from << by */
static void add_shifted(struct totals *to, const struct totals *from, unsigned by)
{
    unsigned words = by / 64, bits = by % 64;
    for (unsigned i = REACH_WORDS; i-- > words;) {
        uint64_t moved = from->word[i - words] << bits;
        if (bits && i > words)
            moved |= from->word[i - words - 1] >> (64 - bits);
        to->word[i] |= moved;
    }
}

static bool has_total(const struct totals *totals, unsigned total)
{
    return totals->word[total / 64] >> (total % 64) & 1;
}

/* of[k]: totals of exactly k nodes. */
static void count_sizes(const struct reach_input *input, bool *ret_sizes)
{
    unsigned most = input->node_count, stride = input->demand->threads;
    struct totals *of = must_calloc(most + 1, sizeof(*of));
    of[0].word[0] = 1;
    for (unsigned i = 0; i < input->node_count; i++)
        for (unsigned k = i + 1; k-- > 0;)
            for (unsigned v = stride; v <= input->most_vcpus[input->node[i]]; v += stride)
                if (input->may_take(input->node[i], v, 0, input->arg))
                    add_shifted(&of[k + 1], &of[k], v);
    for (unsigned k = 0; k <= most; k++)
        ret_sizes[k] = has_total(&of[k], input->demand->vcpus);
    free(of);
}

/* of[x]: totals of vCPUs beside exactly x extras, over all nodes. */
static bool all_fit(const struct reach_input *input)
{
    unsigned extras = input->demand->extras;
    struct totals *of = must_calloc(2 * ((size_t)extras + 1), sizeof(*of)), *next = of + extras + 1;
    of[0].word[0] = 1;
    for (unsigned i = 0; i < input->node_count; i++) {
        memset(next, 0, (extras + 1) * sizeof(*next));
        for (unsigned v = 0; v <= input->most_vcpus[input->node[i]]; v += input->demand->threads)
            for (unsigned x = 0; x <= extras; x++)
                for (unsigned before = 0; before + x <= extras && input->may_take(input->node[i], v, x, input->arg);
                     before++)
                    add_shifted(&next[before + x], &of[before], v);
        memcpy(of, next, (extras + 1) * sizeof(*of));
    }
    bool fit = has_total(&of[extras], input->demand->vcpus);
    free(of);
    return fit;
}

bool reach_sizes(const struct reach_input *input, bool ret_sizes[LIMIT_HOST_NODES + 1])
{
    count_sizes(input, ret_sizes);
    return all_fit(input);
}
