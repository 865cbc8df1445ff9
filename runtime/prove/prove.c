#include "runtime/prove/prove.h"

#include <stdlib.h>

#include "runtime/prove/reading.h"

void proof_finish(struct proof *proof)
{
    free(take(proof->thread));
    proof->thread_count = 0;
}

static bool has_vcpu(const struct proof *proof)
{
    for (size_t i = 0; i < proof->thread_count; i++)
        if (proof->thread[i].role == PROVE_VCPU)
            return true;
    return false;
}

static uint64_t smallest_block(const struct placement *placement, const struct vm_spec *spec)
{
    uint64_t bytes = spec->memory_bytes;
    for (unsigned i = 0; i < placement->cell_count; i++)
        if (placement->cell[i].memory_bytes < bytes)
            bytes = placement->cell[i].memory_bytes;
    return bytes;
}

int prove_threads(const char *root, int pid, const struct placement *placement, struct proof *ret_proof,
                  struct error *err)
{
    auto_proof proof = {.pid = pid, .memory.ok = true};
    if (reading_threads(root, pid, &proof, err) < 0)
        return -1;
    if (!has_vcpu(&proof))
        return fail(err, ERROR_NOT_FOUND, "process %d runs no vCPU: the VM is gone", pid);
    wish_compare(&proof, placement);
    proof.ok = proof.drift_count == 0;
    *ret_proof = proof;
    proof.thread = NULL;
    return 0;
}

int prove_vm(const char *root, int pid, const struct placement *placement, const struct vm_spec *spec, bool want_locked,
             struct proof *ret_proof, struct error *err)
{
    auto_proof proof = {0};
    if (prove_threads(root, pid, placement, &proof, err) < 0)
        return -1;
    bool bound = placement->cell_count > 0 || !cpuset_is_empty(&placement->memory_nodes);
    uint64_t resident_bytes;
    if (reading_memory(root, pid, bound ? smallest_block(placement, spec) : 0, &proof.memory, &resident_bytes, err) < 0)
        return -1;
    proof.memory.ok = false;
    wish_compare_memory(&proof.memory, placement, spec, want_locked, resident_bytes);
    proof.drift_count += !proof.memory.ok;
    proof.ok = proof.drift_count == 0;
    *ret_proof = proof;
    proof.thread = NULL;
    return 0;
}
