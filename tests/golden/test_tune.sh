#!/bin/sh
# rtvmd tune: what would be changed on a recorded machine, and what it says to nonsense. Nothing here changes a host.
set -u
rtvmd="${BUILD:-build}/rtvmd"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
number=0

check() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

mkdir -p "$scratch/host/sys/devices/system/cpu/cpu0" "$scratch/host/sys/devices/system/cpu/cpu1/power" \
    "$scratch/host/proc/irq/9"
echo 0-1 | tee "$scratch/host/sys/devices/system/cpu/online" >"$scratch/host/proc/irq/9/smp_affinity_list"
echo 0 >"$scratch/host/sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us"
"$rtvmd" tune plan --cpus 1 --host "$scratch/host" >"$scratch/out" 2>&1
cat >"$scratch/wanted" <<'END'
KNOB           NOW  THEN  WHERE
interrupts     0-1  0     /proc/irq/9/smp_affinity_list
latency-limit  0    2     /sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us
END
diff "$scratch/wanted" "$scratch/out" | sed 's/^/# /'
cmp -s "$scratch/wanted" "$scratch/out"
check $? 'a plan names every knob, what it is and what it would be'

"$rtvmd" tune plan --cpus 1 --host "$scratch/host" -o json | grep -q '"target": "list:/proc/irq/9/smp_affinity_list"'
check $? 'as JSON, too'

"$rtvmd" tune plan --cpus 0-1 --host "$scratch/host" 2>"$scratch/err"
[ $? -eq 2 ] && grep -q 'want some, not all' "$scratch/err"
check $? 'not all CPUs can be kept free'

"$rtvmd" tune apply --cpus 1 --host "$scratch/host" --state-dir "$scratch/state" 2>"$scratch/err"
[ $? -eq 2 ] && grep -q 'can only be planned for' "$scratch/err" && [ ! -e "$scratch/state" ]
check $? 'a recorded host is not changed'

mkdir "$scratch/state" && "$rtvmd" tune show --state-dir "$scratch/state" | grep -q 'nothing is changed'
check $? 'an empty journal shows nothing'
echo "1..$number"
