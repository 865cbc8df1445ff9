#!/bin/sh
# make test-edge: rtvmd on a whole edge host, in a virtual machine under emulation: two memory nodes with four CPUs each,
# PREEMPT_RT, isolated CPUs, 1 GiB pages, systemd, cgroup v2. The image is made once and kept (image.sh); what happens
# inside is driver.sh; with PART=tune tune_driver.sh, on a host without isolated CPUs; with PART=shapes shapes_driver.sh, on
# machines with siblings and with odd nodes ("edge tune shapes": all). It installs the package, made of the static program. Needs root for the image, and 8 GiB of memory.
# Shows the results as they come and closes as tests/run does.
set -eu
cd "$(dirname "$0")/../.."
sh tests/setup/deps.sh edge
for part in ${PART:-edge}; do "tests/edge/$part.sh"; done | awk '
    { sub(/\r$/, ""); print; fflush() }
    /^ok .*# SKIP/ { skipped++; next }
    /^ok / { passed++ }
    /^not ok / { failed++ }
    END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed + skipped == 0 }'
