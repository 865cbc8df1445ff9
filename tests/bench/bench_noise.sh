#!/bin/sh
# Four ways to run the same guest, one after the other and over and over, while every CPU is under stress: the built-in
# probe (i) as plain virsh runs it, (ii) by a hand-written domain after the usual recipe for real time, (iii) by rtvmd,
# (iv) by rtvmd with host tuning "full". What counts is time: gaps of at least a millisecond in which the guest's vCPU
# did not run, and where that time went.
#
# NOISE_ROUNDS (3) of NOISE_SECONDS (8) each way. KVM where rtvmd finds that it works, else emulation for all four.
# Needs root, two CPUs, libvirt. Changes the machine as rtvmd and tests/setup/lab.sh do, and undoes it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/bench/bench_lib.sh
. tests/integration/lab_lib.sh
. tests/integration/daemon_lib.sh
rounds=${NOISE_ROUNDS:-3}
seconds=${NOISE_SECONDS:-8}
LAB_PAGES_2M=64 LAB_PAGES_1G=0 LAB_CPUSETS=1
export LAB_PAGES_2M LAB_PAGES_1G LAB_CPUSETS
ways="untuned recipe rtvmd tuned"

make --no-print-directory BUILD="$BUILD" all "$BUILD/tests/bench/probe_gaps" >/dev/null || exit 1
lab_up "noise"

end_stress() {
    # shellcheck disable=SC2086  # words
    [ -z "${stress:-}" ] || kill $stress 2>/dev/null
    stress=""
}
clean_up_noise() {
    end_stress
    lab_virsh destroy plain >/dev/null 2>&1
    lab_virsh undefine plain >/dev/null 2>&1
}
lab_clean_with_noise() {
    clean_up_noise
    lab_clean
}
trap lab_clean_with_noise EXIT

# Two loops that never sleep on each CPU, and one program that writes; each a session of its own, as services are, so
# that the scheduler (autogroup) does not count them as one.
begin_stress() {
    for cpu in $(seq 0 $(($(nproc --all) - 1))); do
        for _ in 1 2; do
            setsid taskset -c "$cpu" sh -c 'while :; do :; done' 9>&- &
            stress="${stress:-} $!"
        done
    done
    # shellcheck disable=SC2016  # expanded by the inner shell
    setsid sh -c 'while :; do dd if=/dev/zero of="$0" bs=64k count=16 conv=fsync status=none; sleep 0.1; done' "$folder/noise" 9>&- &
    stress="$stress $!"
}

# The probe, told to count gaps from a millisecond on and to report every second.
make_disk() {
    cp "$BUILD/obj/runtime/latency/guest/probe.img" "$folder/disk.img" && chmod 0644 "$folder/disk.img" &&
        truncate -s 1M "$folder/disk.img" &&
        printf '\350\003\000\000' | dd of="$folder/disk.img" bs=1 seek=$((0x1a4)) conv=notrunc status=none &&
        printf '\100\102\017\000' | dd of="$folder/disk.img" bs=1 seek=$((0x1ac)) conv=notrunc status=none
}

# domain TYPE CPU MEMORY-BACKING TUNING FEATURES
domain() {
    cat <<END
<domain type='$1'>
  <name>plain</name>
  <memory unit='MiB'>64</memory>
  $3
  <vcpu placement='static'>1</vcpu>
  $4
  <os><type machine='q35'>hvm</type></os>
  <features><acpi/><apic/>$5</features>
  $2
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$folder/plain.img'/><target dev='vda' bus='virtio'/></disk>
    <serial type='file'><source path='$folder/plain.log'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
END
}
untuned_domain() {
    domain "$type" "" "" "" ""
}
# The recipe of the usual guides: a CPU for the vCPU, FIFO, everything else elsewhere, locked huge pages.
recipe_domain() {
    domain "$type" "<cpu mode='$model'>$recipe_cpu<numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>" \
        "<memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages><nosharepages/><locked/></memoryBacking>" \
        "<cputune><vcpupin vcpu='0' cpuset='$cpu'/><emulatorpin cpuset='$other_cpus'/><vcpusched vcpus='0' scheduler='fifo' priority='1'/></cputune>
         <numatune><memory mode='strict' nodeset='$node'/></numatune>" "<pmu state='off'/>"
}
run_domain() {
    rm -f "$folder/plain.log"
    cp "$folder/disk.img" "$folder/plain.img"
    "$1_domain" >"$folder/plain.xml"
    lab_virsh create "$folder/plain.xml" >/dev/null && log=$folder/plain.log machine=plain
}

noise_manifest() {
    probe_manifest noise | sed "s|rtvmd.io/latency-probe|noise-probe|
        s|^metadata: .*|metadata: {name: noise}|
        s|^    spec:|    metadata: {annotations: {rtvmd.io/host-tuning: \"$1\"}}\n    spec:|"
}
# run_rtvmd TUNING
run_rtvmd() {
    if ! noise_manifest "$1" | rtvmd apply -f - >/dev/null || ! wait_for 60 phase_is noise Running; then
        rtvmd events
        return 1
    fi
    log=$folder/run/default_noise/virt-serial0-log machine=default_noise
}

begin_way() {
    case $1 in
    untuned | recipe) run_domain "$1" ;;
    rtvmd) run_rtvmd none ;;
    tuned) run_rtvmd full ;;
    esac
}
end_way() {
    case $1 in
    untuned | recipe) lab_virsh destroy plain >/dev/null ;;
    *) rtvmd delete vm noise >/dev/null && wait_for 60 leaves_nothing noise ;;
    esac
}

qemu_of() {
    for process in /proc/[0-9]*; do
        case $({ tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null) in
        */qemu-system-*" guest=$1,"*) echo "${process#/proc/}" && return 0 ;;
        esac
    done
    return 1
}
vcpu_thread() {
    for thread in /proc/"$1"/task/*; do
        case $(cat "$thread/comm") in CPU*) echo "$thread" && return 0 ;; esac
    done
    return 1
}

# What the host knows of where a vCPU's time went, in ns: waiting for its CPU, and the host itself waiting for one.
waited_ns() {
    cut -d ' ' -f 2 "$1/schedstat"
}
stolen_ns() {
    awk -v cpu="cpu$1" -v hz="$(getconf CLK_TCK)" '$1 == cpu { printf "%.0f\n", $9 * 1e9 / hz }' /proc/stat
}
interrupts() {
    awk -v column=$(($1 + 2)) 'NR > 1 && $column ~ /^[0-9]+$/ { n += $column } END { print n }' /proc/interrupts
}

reports() {
    grep -c '@probe end' "$log" 2>/dev/null
}
has_reports() {
    [ "$(reports)" -ge "$1" ]
}

# measure WAY ROUND: the window's piece of the log, and a line of what the host saw meanwhile
measure() {
    if ! begin_way "$1" || ! wait_for 60 has_reports 3; then
        echo "noise: $1: the guest does not report" >&2
        return 1
    fi
    thread=$(vcpu_thread "$(qemu_of "$machine")") || return 1
    on=$(sed 's/.*) //' "$thread/stat" | cut -d ' ' -f 37)
    from=$(reports)
    waited=$(waited_ns "$thread") stolen=$(stolen_ns "$on") interrupts=$(interrupts "$on")
    wait_for $((seconds * 10)) has_reports $((from + seconds)) || return 1
    echo "$(($(waited_ns "$thread") - waited)) $(($(stolen_ns "$on") - stolen)) $(($(interrupts "$on") - interrupts))" \
        >>"$folder/$1.host"
    awk -v from="$from" '/@probe begin/ { n++ } n >= from' "$log" >"$folder/$1.$2"
    end_way "$1"
}

# figures WAY: "gaps/s lost-% max-ms p99.99-ms waited-% stolen-% interrupts/s lowest-% highest-%"
figures() {
    for piece in "$folder/$1".[0-9]*; do
        "$BUILD/tests/bench/probe_gaps" "$piece"
    done | sed 's/[a-z0-9_]*=//g' | awk '{ print 100 * $3 / $1 }' | sort -g >"$folder/$1.each"
    {
        "$BUILD/tests/bench/probe_gaps" "$folder/$1".[0-9]* | sed 's/[a-z0-9_]*=//g'
        cat "$folder/$1.host"
        echo "each $(head -n 1 "$folder/$1.each") $(tail -n 1 "$folder/$1.each")"
    } | awk 'NR == 1 { ns = $1; gaps = $2; lost = $3; max = $4; p = $5; next }
        $1 == "each" { low = $2; high = $3; next }
        { waited += $1; stolen += $2; interrupts += $3 }
        END { printf "%.2f %.4f %.2f %.3f %.3f %.3f %.0f %.4f %.4f\n", gaps / ns * 1e9, 100 * lost / ns, max / 1e6, p / 1e6,
                     100 * waited / ns, 100 * stolen / ns, interrupts / ns * 1e9, low, high }'
}
show() {
    # shellcheck disable=SC2086  # words
    set -- "$1" $2
    echo "noise: $1: $2 gaps/s of 1 ms and more, $3 % of the time lost in them ($9 to ${10} % by round), longest $4 ms," \
        "99.99 % of the time in gaps up to $5 ms; the host: waited $6 %, stolen $7 %, $8 interrupts/s"
}
word() {
    echo "$1" | cut -d ' ' -f "$2"
}
ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3g\n", (b > 0 ? a / b : (a > 0 ? 1e9 : 1)) }'
}
# at_least A B: the ratio of two shares of time, B counted as one gap of a millisecond where there was none
at_least() {
    ratio "$1" "$(awk -v b="$2" -v one="$(awk -v s=$((rounds * seconds)) 'BEGIN { print 0.1 / s }')" 'BEGIN { print (b > one ? b : one) }')"
}

printf 'host: {tuning: full}\n' >"$folder/rtvmd.yaml"
DAEMON_ARGUMENTS="--config $folder/rtvmd.yaml"
# rtvmd and libvirtd must see the same control groups.
RTVMD_BINARY=$(realpath "$RTVMD_BINARY")
[ "$LAB_LIBVIRTD_PID" -eq 0 ] || DAEMON_PREFIX="nsenter -m -t $LAB_LIBVIRTD_PID"
if ! make_disk || ! "$RTVMD_BINARY" image import noise-probe "$folder/disk.img" --state-dir "$folder/state" >/dev/null ||
    ! daemon_start; then
    echo "noise: the daemon does not start" >&2
    exit 1
fi

# Where and how rtvmd runs it is how the recipe does.
run_rtvmd none >/dev/null || exit 1
placement=$(field /apis/rtvmd.io/v1alpha1/namespaces/default/placements/noise '"\(.spec.vcpus["0"]) \(.spec.emulator | map(tostring) | join(",")) \(.spec.cells[0].hostNode)"')
cpu=$(word "$placement" 1) other_cpus=$(word "$placement" 2) node=$(word "$placement" 3)
type=$(lab_virsh dumpxml default_noise | sed -n "s/^<domain type='\([a-z]*\)'.*/\1/p")
if [ "$type" = kvm ]; then model=host-passthrough; else model=maximum; fi
recipe_cpu=""
end_way rtvmd || exit 1
echo "noise: $type, vCPU on CPU $cpu, all else on $other_cpus; $rounds rounds of $seconds s each way"

begin_stress
for round in $(seq "$rounds"); do
    for way in $ways; do
        measure "$way" "$round" || { lab_virsh list --all; tail -n 5 "$folder/daemon.log"; exit 1; }
    done
done
end_stress
rtvmd events 2>/dev/null | grep -E 'TuningApplied|solated' | tail -n 2 | sed 's/^/noise: /'

untuned=$(figures untuned) recipe=$(figures recipe) rtvmd=$(figures rtvmd) tuned=$(figures tuned)
show "(i) untuned" "$untuned"
show "(ii) recipe" "$recipe"
show "(iii) rtvmd" "$rtvmd"
show "(iv) rtvmd, host tuning full" "$tuned"
# Noise: rounds of one way differ by this much among themselves.
slack=$(awk -v low="$(word "$recipe" 8)" -v high="$(word "$recipe" 9)" -v all="$(word "$recipe" 2)" \
    'BEGIN { printf "%.2f\n", (all > 0 ? 1.1 + (high - low) / all : 1.1) }')
budget "noise: time lost, rtvmd / recipe" "$(ratio "$(word "$rtvmd" 2)" "$(word "$recipe" 2)")" "<=" "$slack"
# What (ii) and (iii) lose is what the kernel's fair server (Linux 6.12) gives to ordinary threads that wait for the CPU:
# 50 ms of each second. Only where none waits there, as in (iv), it gives nothing.
budget "noise: time lost, untuned / rtvmd" "$(at_least "$(word "$untuned" 2)" "$(word "$rtvmd" 2)")" ">=" 10
budget "noise: time lost, untuned / rtvmd with host tuning, at least" "$(at_least "$(word "$untuned" 2)" "$(word "$tuned" 2)")" ">=" 10
budget "noise: time lost, rtvmd with host tuning / rtvmd" "$(ratio "$(word "$tuned" 2)" "$(word "$rtvmd" 2)")" "<" 1
