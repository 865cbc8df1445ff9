#include "runtime/spec/decode.c"

#include "tests/test.h"

/* The real-time VM of KubeVirt's blog, its slips mended. */
static const char RT_VM[] =
    "apiVersion: kubevirt.io/v1\n"
    "kind: VirtualMachine\n"
    "metadata: {name: fedora-realtime, namespace: poc}\n"
    "spec:\n"
    "  running: true\n"
    "  template:\n"
    "    metadata: {labels: {kubevirt.io/vm: fedora-realtime}, annotations: {rtvmd.io/fifo-priority: '5'}}\n"
    "    spec:\n"
    "      domain:\n"
    "        ioThreadsPolicy: auto\n"
    "        devices:\n"
    "          autoattachSerialConsole: true\n"
    "          autoattachMemBalloon: false\n"
    "          autoattachGraphicsDevice: false\n"
    "          disks:\n"
    "          - {name: containerdisk, disk: {bus: virtio}}\n"
    "          - {name: cloudinitdisk, disk: {bus: virtio}}\n"
    "        machine: {type: ''}\n"
    "        resources:\n"
    "          requests: {memory: 1Gi, cpu: 2}\n"
    "          limits: {memory: 1Gi, cpu: 2}\n"
    "        cpu:\n"
    "          model: host-passthrough\n"
    "          sockets: 1\n"
    "          cores: 2\n"
    "          dedicatedCpuPlacement: true\n"
    "          isolateEmulatorThread: true\n"
    "          features: [{name: tsc-deadline, policy: require}]\n"
    "          numa: {guestMappingPassthrough: {}}\n"
    "          realtime: {mask: '0'}\n"
    "        memory: {hugepages: {pageSize: 1Gi}}\n"
    "      terminationGracePeriodSeconds: 0\n"
    "      volumes:\n"
    "      - {name: containerdisk, containerDisk: {image: 'quay.io/kubevirt/fedora-realtime-container-disk:20211008'}}\n"
    "      - {name: cloudinitdisk, cloudInitNoCloud: {userData: '#cloud-config'}}\n";

static int decode_text(const char *yaml, struct vm_spec *ret_spec, struct error *err)
{
    auto_json *objects = manifest_parse(yaml, strlen(yaml), err);
    if (!objects)
        return -1;
    struct findings findings = {0};
    json_t *object = json_array_get(objects, 0);
    int result = spec_admit(object, &findings, err);
    if (result == 0)
        result = spec_decode(object, ret_spec, err);
    findings_finish(&findings);
    return result;
}

static void decodes_the_real_time_vm(void)
{
    auto_spec vm = {0};
    struct error err = {0};
    CHECK_INT(decode_text(RT_VM, &vm, &err), 0);
    CHECK_TEXT(err.text, "");
    CHECK_TEXT(vm.name, "fedora-realtime");
    CHECK_TEXT(vm.namespace_, "poc");
    CHECK_TEXT(vm.uid, "");
    CHECK_INT(vm.vcpus, 2);
    CHECK_INT(vm.sockets, 1);
    CHECK_INT(vm.cores, 2);
    CHECK_INT(vm.threads, 1);
    CHECK_TEXT(vm.cpu_model, "host-passthrough");
    CHECK_INT(vm.cpu_feature_count, 1);
    CHECK_TEXT(vm.cpu_feature[0].policy, "require");
    CHECK(vm.dedicated_cpus && vm.isolate_emulator && vm.numa_passthrough && vm.realtime);
    CHECK_INT(vm.emulator_policy, VM_EMULATOR_DEDICATED);
    CHECK_INT(cpuset_count(&vm.realtime_vcpus), 1);
    CHECK(cpuset_has(&vm.realtime_vcpus, 0));
    CHECK_INT(vm.memory_bytes, 1 << 30);
    CHECK_INT(vm.hugepage_bytes, 1 << 30);
    CHECK(vm.memfd);
    CHECK_INT(vm.request_cpu_milli, 2000);
    CHECK_INT(vm.overhead_bytes, (uint64_t)366 << 20);
    CHECK_INT(vm.iothreads_policy, VM_IOTHREADS_AUTO);
    CHECK_TEXT(vm.machine_type, "q35");
    CHECK_INT(vm.graphics, VM_OFF);
    CHECK_INT(vm.serial_console, VM_ON);
    CHECK_INT(vm.vsock, VM_UNSET);
    CHECK_INT(vm.disk_count, 2);
    CHECK_TEXT(vm.disk[1].bus, "virtio");
    CHECK_INT(vm.disk[1].volume, 1);
    CHECK_INT(vm.volume[1].kind, VM_VOLUME_CLOUD_INIT_NO_CLOUD);
    CHECK_TEXT(json_text_at(vm.volume[1].source, "userData", ""), "#cloud-config");
    CHECK_INT(vm.interface_count, 1);
    CHECK_TEXT(vm.interface[0].model, "virtio");
    CHECK_INT(vm.interface[0].binding, VM_BINDING_BRIDGE);
    CHECK_INT(vm.termination_grace_s, 0);
    CHECK_INT(vm.fifo_priority, 5);
    CHECK(vm.acpi && !vm.efi && vm.hostname == NULL);
}

static int decode_priority(const char *value, struct vm_spec *vm, struct error *failure)
{
    *vm = (struct vm_spec){.fifo_priority = 1};
    return annotation_apply("rtvmd.io/fifo-priority", value, vm, failure);
}

static void priorities_are_given_to_all_or_by_vcpu(void)
{
    static const char *const BAD[] = {"", "0", "99", "1,", "0:", ":1", "0:99", "3-1:2", "512:1", "0:1;1:2"};
    struct vm_spec *vm = must_calloc(1, sizeof *vm);
    struct error failure;
    CHECK(decode_priority("5", vm, &failure) == 0 && vm->fifo_priority == 5 && vm->vcpu_priority[0] == 0);
    CHECK(decode_priority("2,0:5,2-3:1", vm, &failure) == 0 && vm->fifo_priority == 2);
    CHECK(vm->vcpu_priority[0] == 5 && vm->vcpu_priority[1] == 0 && vm->vcpu_priority[3] == 1);
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        CHECK(decode_priority(BAD[i], vm, &failure) == -1 && failure.kind == ERROR_INVALID);
    free(vm);
}

static void page_sizes_are_a_list(void)
{
    static const char *const BAD[] = {"", "2Mi,", "3Mi", "4Ki", "-2Mi", "huge", "2Mi 1Gi", "64Ki,2Mi,32Mi,1Gi"};
    struct vm_spec *vm = must_calloc(1, sizeof *vm);
    struct error failure;
    CHECK(annotation_apply("rtvmd.io/page-sizes", "2Mi, 1Gi,2Mi", vm, &failure) == 0);
    CHECK(vm->other_page_sizes.count == 2 && vm->other_page_sizes.bytes[0] == 2 << 20 &&
          vm->other_page_sizes.bytes[1] == 1 << 30);
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        CHECK(annotation_apply("rtvmd.io/page-sizes", BAD[i], vm, &failure) == -1 && failure.kind == ERROR_INVALID);
    free(vm);
}

static void a_real_time_vm_that_names_no_model_gets_the_hosts_cpu(void)
{
    static const char MANIFEST[] =
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\nspec:\n  domain:\n"
        "    cpu: {realtime: {}%s}\n    resources: {requests: {memory: 1Gi}}\n";
    static const char *const MODELS[] = {"", ", model: host-model"};
    static const char *const WANTED[] = {"host-passthrough", "host-model"};
    for (size_t i = 0; i < ARRAY_SIZE(MODELS); i++) {
        auto_spec vm = {0};
        struct error err = {0};
        auto_text manifest = {0};
        text_printf(&manifest, MANIFEST, MODELS[i]);
        CHECK_INT(decode_text(text_cstr(&manifest), &vm, &err), 0);
        CHECK_TEXT(vm.cpu_model, WANTED[i]);
    }
}

static void fills_in_what_is_not_said(void)
{
    auto_spec vm = {0};
    struct error err = {0};
    CHECK_INT(
        decode_text("apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\nspec:\n  domain:\n"
                    "    resources: {requests: {memory: 1.5Gi}, limits: {cpu: 2500m}}\n"
                    "    devices: {disks: [{name: tray, cdrom: {}}]}\n"
                    "  volumes: [{name: d, emptyDisk: {capacity: 1Gi}}]\n",
                    &vm, &err),
        0);
    CHECK_TEXT(err.text, "");
    CHECK_TEXT(vm.namespace_, "default");
    CHECK_INT(vm.sockets, 3);
    CHECK_INT(vm.vcpus, 3);
    CHECK_INT(vm.memory_bytes, 1610612736);
    CHECK_INT(vm.request_cpu_milli, 2500);
    CHECK_TEXT(vm.cpu_model, "host-model");
    CHECK_INT(vm.disk_count, 2);
    CHECK_INT(vm.volume_count, 2);
    CHECK_INT(vm.disk[0].device, VM_CDROM);
    CHECK(vm.disk[0].readonly);
    CHECK_INT(vm.volume[vm.disk[0].volume].kind, VM_VOLUME_NONE);
    CHECK_TEXT(vm.disk[1].name, "d");
    CHECK_TEXT(vm.disk[1].bus, "sata");
    CHECK_INT(vm.termination_grace_s, 30);
    CHECK_INT(vm.fifo_priority, 1);
    CHECK(vm.log_serial_console);
    CHECK_INT(strlen(vm.firmware_uuid), 36);
    CHECK_INT(vm.firmware_uuid[14], '8');
}

int main(void)
{
    RUN(decodes_the_real_time_vm);
    RUN(priorities_are_given_to_all_or_by_vcpu);
    RUN(page_sizes_are_a_list);
    RUN(a_real_time_vm_that_names_no_model_gets_the_hosts_cpu);
    RUN(fills_in_what_is_not_said);
    return test_end();
}
