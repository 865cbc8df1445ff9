#include <stdlib.h>
#include <string.h>

#include "runtime/prove/prove.h"
#include "tests/scenario/fake.h"

/* Threads of processes that do not exist. */

void proof_finish(struct proof *proof)
{
    free(take(proof->thread));
}

int prove_threads(const char *root, int pid, const struct placement *placement, struct proof *ret_proof,
                  struct error *err)
{
    (void)root;
    if (!fake_call("prove", err))
        return -1;
    bool drifts = fake_take_drift(pid, false);
    *ret_proof = (struct proof){.pid = pid, .thread_count = placement->vcpu_count, .ok = !drifts};
    ret_proof->thread = must_calloc(placement->vcpu_count + 1, sizeof *ret_proof->thread);
    ret_proof->memory.ok = true;
    ret_proof->drift_count = drifts;
    for (unsigned v = 0; v < placement->vcpu_count; v++) {
        struct prove_thread *thread = &ret_proof->thread[v];
        thread->tid = pid + 1 + (int)v;
        snprintf(thread->name, sizeof thread->name, "CPU %u/KVM", v);
        thread->index = (int)v;
        thread->ok = !drifts || v > 0;
        if (!thread->ok)
            snprintf(thread->because, sizeof thread->because, "may run on 0-7 instead of 4");
    }
    return 0;
}

int prove_vm(const char *root, int pid, const struct placement *placement, const struct vm_spec *spec, bool want_locked,
             struct proof *ret_proof, struct error *err)
{
    (void)spec;
    (void)want_locked;
    return prove_threads(root, pid, placement, ret_proof, err);
}

int prove_repair(const struct proof *proof, struct error *err)
{
    if (!fake_call("repair", err))
        return -1;
    return fake_take_drift(proof->pid, true);
}
