/* What the probe guest and its reader agree on: the histogram's buckets, the parameters in the boot sector, and the
 * machine-readable lines on the serial port. Compiled into both; needs nothing but <stdint.h>.
 *
 * Two measures, one of them in each report. Gaps: the guest reads the time-stamp counter over and over on every vCPU
 * with interrupts off; a gap between two successive reads that is longer than the loop itself is time the vCPU did not
 * run: the method of rt-tests' oslat. Timer: every vCPU halts until its local APIC's timer interrupts it, and what
 * counts is how late the interrupt came: the method of cyclictest. All numbers grow from the start of the guest, so the
 * last complete report of a measure holds everything of it.
 *
 * A report is the lines between begin and end, which carry the same number; other lines are for people:
 *   @probe begin format=2 report=N cpus=N tsc_khz=N invariant=0|1 threshold_ns=N timer=0|1
 *   @probe cpu id=N apic=N started=0|1 measured_ns=N samples=N min_ns=N max_ns=N run_max_ns=N over=N lost_ns=N
 *   @probe hist id=N BUCKET:COUNT BUCKET:COUNT …            (only buckets that are not empty, rising; several lines)
 *   @probe end report=N lines=N                             (lines from begin to the last before end)
 * cpu id is the index in the firmware's processor table, which is QEMU's (and libvirt's) vCPU number. run_max_ns is the
 * longest gap (or delay) since the report before of that measure. over counts gaps of at least the threshold, lost_ns
 * is their sum. The counts of a vCPU's histogram add up to its samples. */
#pragma once

#include <stdint.h>

#define PROBE_FORMAT 2
#define PROBE_MARK "@probe "

/* Buckets over TSC cycles: exact below 16, then 8 to each power of two (12 % wide), up to 2^41 cycles (minutes); the
 * last one takes whatever is longer. Extremes, threshold counts and sums are exact beside them. */
enum { PROBE_EXACT = 16, PROBE_EXACT_BITS = 4, PROBE_PER_OCTAVE = 8, PROBE_OCTAVE_BITS = 3, PROBE_TOP_BIT = 40 };
enum { PROBE_BUCKETS = PROBE_EXACT + (PROBE_TOP_BIT - PROBE_EXACT_BITS + 1) * PROBE_PER_OCTAVE };

static inline uint32_t probe_bucket(uint64_t cycles)
{
    if (cycles < PROBE_EXACT)
        return (uint32_t)cycles;
    uint32_t high = (uint32_t)(cycles >> 32);
    uint32_t top = high ? 63u - (uint32_t)__builtin_clz(high) : 31u - (uint32_t)__builtin_clz((uint32_t)cycles);
    if (top > PROBE_TOP_BIT)
        return PROBE_BUCKETS - 1;
    return PROBE_EXACT + (top - PROBE_EXACT_BITS) * PROBE_PER_OCTAVE +
           ((uint32_t)(cycles >> (top - PROBE_OCTAVE_BITS)) & (PROBE_PER_OCTAVE - 1));
}

/* The smallest number of cycles that falls into the bucket; the next bucket's floor is its end. */
static inline uint64_t probe_bucket_floor(uint32_t bucket)
{
    if (bucket < PROBE_EXACT)
        return bucket;
    uint32_t octave = (bucket - PROBE_EXACT) / PROBE_PER_OCTAVE;
    uint32_t part = (bucket - PROBE_EXACT) % PROBE_PER_OCTAVE;
    return (uint64_t)(PROBE_PER_OCTAVE + part) << (octave + 1);
}

/* In the boot sector, little-endian, at this offset of the disk. */
enum { PROBE_PARAMETERS_OFFSET = 0x1a0 };
#define PROBE_PARAMETERS_MAGIC 0x50565452u /* "RTVP" */
struct probe_parameters {
    uint32_t magic;
    uint32_t interval_ms;   /* between reports; the first comes after at most a second */
    uint32_t reports;       /* then the guest powers itself off; 0: runs until the power button is pressed */
    uint32_t threshold_ns;  /* gaps of at least this are "over" and "lost" */
    uint32_t timer_reports; /* the first so many measure the timer, where there is one; the others gaps */
    uint32_t handshake; /* 1: begins when a byte comes on the serial port (or 10 s went by), and stays after the last
                           report */
};
enum { PROBE_INTERVAL_MS = 5000, PROBE_THRESHOLD_NS = 1000 };

enum { PROBE_CPUS_MAX = 512 };
