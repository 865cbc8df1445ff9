/* Disks made real, with qemu-img, the real unpacking child (this program itself) and a skopeo that does as told. */
#include "runtime/image/prepare.c"

#include <stdio.h>

#include "rtvmd/base/process.h"
#include "rtvmd/verbs.h"
#include "runtime/image/unpack.h"
#include "tests/unit/layout.h"

static char folder[] = "/tmp/test_prepare.XXXXXX";
static char *state;
static char *data; /* host disks may be here */
static const char *dirs[2];
static char said[2048];

static void hear(const char *sentence, void *arg)
{
    (void)arg;
    if (!text_ends_with(sentence, "%"))
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", sentence);
}

static json_t *lookup(const char *kind, const char *namespace_, const char *name, void *arg)
{
    (void)arg;
    (void)namespace_;
    if (strcmp(kind, "Secret") != 0 || strcmp(name, "pull") != 0)
        return NULL;
    return json_pack("{s:{s:s}}", "data", ".dockerconfigjson", "e30=");
}

enum { DISKS = 3 };
struct vm {
    struct vm_disk disk[DISKS];
    struct vm_volume volume[DISKS];
    struct vm_spec spec;
    struct disk_source *source;
    struct error err;
};

static void add(struct vm *vm, enum vm_volume_kind kind, const char *source)
{
    static const char *const NAMES[] = {"one", "two", "three"};
    unsigned i = vm->spec.disk_count++;
    vm->spec.volume_count++;
    vm->disk[i] = (struct vm_disk){.name = NAMES[i], .volume = (int)i};
    vm->volume[i] =
        (struct vm_volume){.name = NAMES[i], .kind = kind, .source = json_from_text(source, strlen(source), &vm->err)};
    CHECK(vm->volume[i].source != NULL);
}

static int prepare(struct vm *vm)
{
    const struct image_config config = {.state_dir = state, .host_disk_dirs = dirs, .lookup = lookup};
    vm->spec.name = "vm";
    vm->spec.namespace_ = "ns";
    vm->spec.disk = vm->disk;
    vm->spec.volume = vm->volume;
    said[0] = '\0';
    vm->err = (struct error){0};
    disk_sources_free(vm->source, vm->spec.disk_count);
    vm->source = NULL;
    if (image_plan_disks(&config, &vm->spec, &vm->source, &vm->err) < 0)
        return -1;
    return image_prepare_disks(&config, &vm->spec, vm->source, hear, NULL, &vm->err);
}

static void finish(struct vm *vm)
{
    disk_sources_free(vm->source, vm->spec.disk_count);
    for (unsigned i = 0; i < vm->spec.volume_count; i++)
        json_decref((json_t *)vm->volume[i].source);
    const struct image_config config = {.state_dir = state};
    struct error err;
    CHECK_INT(image_release_disks(&config, "ns", "vm", true, &err), 0);
    *vm = (struct vm){0};
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* One field of what qemu-img says of a file. */
static char *info(const char *path, const char *field)
{
    const char *const argv[] = {"qemu-img", "info", "-U", "--output=json", path, NULL};
    auto_text output = {0};
    struct error err;
    CHECK_INT(process_run(argv, 10000, 1 << 20, &output, &err), 0);
    auto_json *value = json_from_text(text_cstr(&output), output.length, &err);
    const json_t *found = json_object_get(value, field);
    return json_is_integer(found) ? must_format("%lld", (long long)json_integer_value(found))
                                  : must_strdup(json_is_string(found) ? json_string_value(found) : "");
}

static void makes_empty_disks_and_keeps_them(void)
{
    struct vm vm = {0};
    add(&vm, VM_VOLUME_EMPTY_DISK, "{\"capacity\": \"10500Ki\"}");
    CHECK_INT(prepare(&vm), 0);
    auto_free char *size = info(vm.source[0].path, "virtual-size");
    CHECK_TEXT(size, "10485760");
    struct stat first;
    struct stat second;
    CHECK_INT(stat(vm.source[0].path, &first), 0);
    CHECK_INT(prepare(&vm), 0);
    CHECK_INT(stat(vm.source[0].path, &second), 0);
    CHECK(first.st_ino == second.st_ino);
    CHECK_INT(first.st_mode & 0777, 0600);
    finish(&vm);
    add(&vm, VM_VOLUME_EMPTY_DISK, "{\"capacity\": \"1000Ki\"}");
    CHECK_INT(prepare(&vm), -1);
    CHECK(strstr(vm.err.text, "one: the size for volume one is too low") != NULL);
    finish(&vm);
}

static void boots_the_probe_without_any_store(void)
{
    struct vm vm = {0};
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"" IMAGE_PROBE_NAME ":latest\"}");
    CHECK_INT(prepare(&vm), 0);
    auto_free char *format = info(vm.source[0].path, "backing-filename-format");
    auto_free char *backing = info(vm.source[0].path, "backing-filename");
    auto_free char *size = info(vm.source[0].path, "virtual-size");
    CHECK_TEXT(format, "raw");
    CHECK_TEXT(backing, vm.source[0].backing_path);
    CHECK_TEXT(size, "1048576");
    CHECK(!vm.source[0].backing_qcow2);
    auto_free char *images = must_format("%s/images", state);
    CHECK(!there(images));
    finish(&vm);
}

static void runs_link_to_the_disk_until_they_end(void)
{
    const struct image_config config = {.state_dir = state};
    struct vm vm = {0};
    struct error err;
    auto_free char *file = must_format("%s/guest.qcow2", folder);
    CHECK_INT(disk_make_empty(file, 5 << 20, &err), 0);
    CHECK_INT(image_import(&config, "guest", NULL, file, NULL, NULL, &err), 0);
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"guest\"}");
    CHECK_INT(prepare(&vm), 0);
    CHECK(vm.source[0].backing_qcow2);
    auto_free char *target = realpath(vm.source[0].backing_path, NULL);
    CHECK(target && strstr(target, "/images/sha256-") && text_ends_with(target, ".qcow2"));
    auto_json *rows = image_list(&config, &err);
    CHECK(json_bool_at(rows, "0.inUse", false));
    CHECK_INT(image_remove(&config, "guest", &err), 0);
    CHECK(there(target)); /* the run needs it */
    CHECK_INT(image_release_disks(&config, "ns", "vm", false, &err), 0);
    CHECK(!there(target));
    CHECK(!there(vm.source[0].path));
    CHECK_INT(image_remove(&config, "guest", &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    finish(&vm);
}

static void finds_and_makes_host_disks(void)
{
    struct vm vm = {0};
    auto_free char *source =
        must_format("{\"path\": \"%s/new.img\", \"type\": \"DiskOrCreate\", \"capacity\": \"3Mi\"}", data);
    add(&vm, VM_VOLUME_HOST_DISK, source);
    CHECK_INT(prepare(&vm), 0);
    struct stat status;
    CHECK_INT(stat(vm.source[0].path, &status), 0);
    CHECK_INT(status.st_size, 3 << 20);
    CHECK_INT(status.st_blocks, 0);
    CHECK(!vm.source[0].preallocated);
    CHECK_INT(prepare(&vm), 0); /* and finds it again */
    finish(&vm);
    auto_free char *kept = must_format("%s/new.img", data);
    CHECK(there(kept));
    auto_free char *full = must_format("%s/full.img", data);
    static const char BYTES[65536] = "full";
    layout_write_file(full, BYTES, sizeof BYTES);
    auto_free char *full_source = must_format("{\"path\": \"%s\"}", full);
    add(&vm, VM_VOLUME_HOST_DISK, full_source);
    CHECK_INT(prepare(&vm), 0);
    CHECK(vm.source[0].preallocated);
    finish(&vm);
}

static void keeps_host_disks_in_their_folder(void)
{
    auto_free char *outside = must_format("%s/outside.img", folder);
    auto_free char *leads_out = must_format("%s/leads-out", data);
    auto_free char *up = must_format("%s/up", data);
    auto_free char *inside = must_format("%s/inside.img", data);
    auto_free char *leads_in = must_format("%s/leads-in", data);
    auto_free char *fifo = must_format("%s/fifo", data);
    layout_write_file(outside, "x", 1);
    layout_write_file(inside, "x", 1);
    CHECK_INT(symlink(outside, leads_out), 0);
    CHECK_INT(symlink("..", up), 0);
    CHECK_INT(symlink("inside.img", leads_in), 0);
    CHECK_INT(mkfifo(fifo, 0600), 0);
    const struct {
        const char *name;
        const char *type;
        int result;
        const char *part;
    } CASES[] = {
        {"leads-out", "Disk", -1, "leads out"},
        {"leads-out", "DiskOrCreate", -1, "leads out"},
        {"up/outside.img", "Disk", -1, "leads out"},
        {"up/created.img", "DiskOrCreate", -1, "leads out"},
        {"leads-in", "Disk", 0, ""},
        {"fifo", "Disk", -1, "neither"},
        {"missing.img", "Disk", -1, "No such file"},
        {"no/folder.img", "DiskOrCreate", -1, "No such file"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct vm vm = {0};
        auto_free char *source = must_format("{\"path\": \"%s/%s\", \"type\": \"%s\", \"capacity\": \"1Mi\"}", data,
                                             CASES[i].name, CASES[i].type);
        add(&vm, VM_VOLUME_HOST_DISK, source);
        CHECK_INT(prepare(&vm), CASES[i].result);
        if (!strstr(vm.err.text, CASES[i].part))
            CHECK_TEXT(vm.err.text, CASES[i].part);
        if (CASES[i].result == 0)
            CHECK_TEXT(vm.source[0].path, inside); /* resolved */
        finish(&vm);
    }
}

static void refuses_a_host_disk_that_does_not_fit(void)
{
    struct vm vm = {0};
    auto_free char *path = must_format("%s/huge.img", data);
    auto_free char *source =
        must_format("{\"path\": \"%s\", \"type\": \"DiskOrCreate\", \"capacity\": \"60Ti\"}", path);
    add(&vm, VM_VOLUME_HOST_DISK, source);
    CHECK_INT(prepare(&vm), -1);
    CHECK(strstr(vm.err.text, "not enough space") && strstr(vm.err.text, "62914560 MiB"));
    CHECK(!there(path));
    finish(&vm);
}

static void uses_claims_that_are_there(void)
{
    struct error err;
    struct vm vm = {0};
    add(&vm, VM_VOLUME_PVC, "{\"claimName\": \"data\"}");
    add(&vm, VM_VOLUME_EPHEMERAL, "{\"persistentVolumeClaim\": {\"claimName\": \"data\"}}");
    CHECK_INT(prepare(&vm), -1);
    CHECK_INT(vm.err.kind, ERROR_NOT_FOUND);
    CHECK(strstr(vm.err.text, "/volumes/ns/data.img") != NULL);
    auto_free char *volumes = must_format("%s/volumes/ns", state);
    CHECK_INT(file_make_folders(volumes, 0755, &err), 0);
    auto_free char *file = must_format("%s/data.img", volumes);
    layout_write_file(file, "claimed", 7);
    CHECK_INT(prepare(&vm), 0);
    auto_free char *backing = info(vm.source[1].path, "backing-filename");
    CHECK_TEXT(backing, file);
    finish(&vm);
    CHECK(there(file));
}

static void removes_what_is_half_done(void)
{
    struct vm vm = {0};
    add(&vm, VM_VOLUME_EMPTY_DISK, "{\"capacity\": \"1Mi\"}");
    add(&vm, VM_VOLUME_CLOUD_INIT_NO_CLOUD, "{\"userData\": \"x\"}");
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"none\", \"imagePullPolicy\": \"Never\"}");
    CHECK_INT(prepare(&vm), -1);
    CHECK_INT(vm.err.kind, ERROR_NOT_FOUND);
    CHECK(text_starts_with(vm.err.text, "three: "));
    for (unsigned i = 0; i < 3; i++)
        CHECK(!there(vm.source[i].path));
    finish(&vm);
}

/* ---- pulls */

static void be_skopeo(const char *mode)
{
    auto_free char *path = must_format("%s/mode", folder);
    layout_write_file(path, mode, strlen(mode));
}

static void install_skopeo(void)
{
    static const char SCRIPT[] =
        "#!/bin/sh\n"
        "here=${0%/bin/skopeo}\n"
        "echo \"$*\" >>\"$here/calls\"\n"
        "case $(cat \"$here/mode\") in\n"
        "offline) echo 'time=\"t\" level=fatal msg=\"Error: dial tcp: lookup registry: no such host\"' >&2; exit 1 ;;\n"
        "denied) echo 'time=\"t\" level=fatal msg=\"Error: unauthorized: login first\"' >&2; exit 1 ;;\n"
        "esac\n"
        "for last; do :; done\n"
        "case $1 in\n"
        "inspect) cat \"$here/remote.json\" ;;\n"
        "copy) target=${last#oci:}; cp -r \"$here/remote\" \"${target%:image}\" ;;\n"
        "esac\n";
    auto_free char *bin = must_format("%s/bin", folder);
    auto_free char *path = must_format("%s/skopeo", bin);
    mkdir(bin, 0755);
    layout_write_file(path, SCRIPT, sizeof SCRIPT - 1);
    chmod(path, 0755);
    auto_free char *search = must_format("%s:%s", bin, getenv("PATH"));
    setenv("PATH", search, 1);
}

/* What the registry has: an image whose disk holds the text. */
static void publish(const char *text)
{
    struct error err;
    auto_free char *old = must_format("%s/remote", folder);
    auto_free char *raw = must_format("%s/remote.json", folder);
    CHECK_INT(file_remove_tree(old, &err), 0);
    free(layout_make(folder, "remote", text));
    layout_write_file(raw, text, strlen(text)); /* any bytes that change with it */
}

static unsigned calls(void)
{
    auto_free char *path = must_format("%s/calls", folder);
    auto_text text = {0};
    struct error err;
    unsigned lines = 0;
    if (file_read(NULL, path, 1 << 20, &text, &err) == 0)
        for (size_t i = 0; i < text.length; i++)
            lines += text.data[i] == '\n';
    unlink(path);
    return lines;
}

static const char *base_bytes(const struct vm *vm)
{
    static char bytes[64];
    memset(bytes, 0, sizeof bytes);
    int fd = open(vm->source[0].backing_path, O_RDONLY);
    CHECK(read(fd, bytes, sizeof bytes - 1) >= 0);
    close(fd);
    return bytes;
}

static void pulls_as_the_policy_says(void)
{
    static const struct {
        const char *policy;
        const char *publish; /* NULL: nothing new */
        const char *mode;
        int result;
        enum error_kind kind;
        unsigned calls; /* of skopeo */
        const char *bytes;
        const char *part; /* of what is said, or of the error */
    } STEPS[] = {
        {"Never", "first", "ok", -1, ERROR_NOT_FOUND, 0, NULL, "imagePullPolicy is Never"},
        {"IfNotPresent", NULL, "offline", -1, ERROR_UNAVAILABLE, 1, NULL, "cannot be resolved"},
        {"IfNotPresent", NULL, "denied", -1, ERROR_UNAVAILABLE, 1, NULL, "skopeo login"},
        {"IfNotPresent", NULL, "ok", 0, 0, 2, "first", "pulling registry/x:1"},
        {"IfNotPresent", "second", "ok", 0, 0, 0, "first", ""},
        {"Never", NULL, "offline", 0, 0, 0, "first", ""},
        {"Always", NULL, "ok", 0, 0, 2, "second", "pulling"},
        {"Always", NULL, "ok", 0, 0, 1, "second", ""}, /* asked, nothing new */
        {"Always", "third", "offline", 0, 0, 1, "second", "using the copy of registry/x:1"},
        {"Always", NULL, "denied", -1, ERROR_UNAVAILABLE, 1, NULL, "skopeo login"},
        {"Always", NULL, "ok", 0, 0, 2, "third", "pulling"},
    };
    calls();
    for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
        struct vm vm = {0};
        auto_free char *source =
            must_format("{\"image\": \"registry/x:1\", \"imagePullPolicy\": \"%s\"}", STEPS[i].policy);
        if (STEPS[i].publish)
            publish(STEPS[i].publish);
        be_skopeo(STEPS[i].mode);
        add(&vm, VM_VOLUME_CONTAINER_DISK, source);
        int before = test_failures;
        CHECK_INT(prepare(&vm), STEPS[i].result);
        CHECK_INT(calls(), STEPS[i].calls);
        if (STEPS[i].result < 0)
            CHECK_INT(vm.err.kind, STEPS[i].kind);
        else
            CHECK_TEXT(base_bytes(&vm), STEPS[i].bytes);
        if (!strstr(STEPS[i].result < 0 ? vm.err.text : said, STEPS[i].part))
            CHECK_TEXT(STEPS[i].result < 0 ? vm.err.text : said, STEPS[i].part);
        if (test_failures > before)
            printf("# in step %zu: %s %s\n", i, STEPS[i].policy, STEPS[i].mode);
        finish(&vm);
    }
}

static void never_pulls_what_was_imported(void)
{
    const struct image_config config = {.state_dir = state};
    struct vm vm = {0};
    struct error err;
    auto_free char *file = must_format("%s/own.raw", folder);
    layout_write_file(file, "own bytes", 9);
    CHECK_INT(image_import(&config, "registry/own:latest", NULL, file, NULL, NULL, &err), 0);
    be_skopeo("ok");
    calls();
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"registry/own\", \"imagePullPolicy\": \"Always\"}");
    CHECK_INT(prepare(&vm), 0);
    CHECK_INT(calls(), 0);
    CHECK_TEXT(base_bytes(&vm), "own bytes");
    finish(&vm);
    CHECK_INT(image_remove(&config, "registry/own", &err), 0);
}

static void uses_the_pull_secret(void)
{
    struct vm vm = {0};
    be_skopeo("ok");
    publish("with secret");
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"registry/s:1\", \"imagePullSecret\": \"pull\"}");
    CHECK_INT(prepare(&vm), 0);
    auto_free char *path = must_format("%s/calls", folder);
    auto_text text = {0};
    struct error err;
    CHECK_INT(file_read(NULL, path, 1 << 20, &text, &err), 0);
    CHECK(strstr(text_cstr(&text), "--authfile ") != NULL);
    auto_free char *auth = must_format("%s.auth", vm.source[0].backing_path);
    CHECK(!there(auth));
    finish(&vm);
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"registry/t:1\", \"imagePullSecret\": \"none\"}");
    CHECK_INT(prepare(&vm), -1);
    CHECK(strstr(vm.err.text, "imagePullSecret ns/none not found") != NULL);
    finish(&vm);
}

static void says_when_skopeo_is_missing(void)
{
    struct vm vm = {0};
    auto_free char *path = must_strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    add(&vm, VM_VOLUME_CONTAINER_DISK, "{\"image\": \"registry/y:1\"}");
    CHECK_INT(prepare(&vm), -1);
    CHECK_INT(vm.err.kind, ERROR_UNAVAILABLE);
    CHECK(strstr(vm.err.text, "skopeo") && strstr(vm.err.text, "rtvmd image import"));
    setenv("PATH", path, 1);
    finish(&vm);
}

static bool program_is_there(const char *name)
{
    const char *const argv[] = {name, "--version", NULL};
    struct error err;
    return process_run(argv, 10000, 4096, NULL, &err) == 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], UNPACK_VERB) == 0)
        _exit(unpack_child(argc - 1, argv + 1, NULL));
    if (argc > 1 && strcmp(argv[1], CONFINED_VERB) == 0)
        return verb_confined(argc - 1, argv + 1);
    struct error err;
    if (!mkdtemp(folder))
        return 1;
    state = must_format("%s/state", folder);
    data = must_format("%s/data", folder);
    mkdir(data, 0755);
    dirs[0] = data;
    if (program_is_there("qemu-img")) {
        RUN(makes_empty_disks_and_keeps_them);
        RUN(boots_the_probe_without_any_store);
        RUN(runs_link_to_the_disk_until_they_end);
        RUN(finds_and_makes_host_disks);
        RUN(keeps_host_disks_in_their_folder);
        RUN(refuses_a_host_disk_that_does_not_fit);
        RUN(uses_claims_that_are_there);
        RUN(removes_what_is_half_done);
        install_skopeo();
        RUN(pulls_as_the_policy_says);
        RUN(never_pulls_what_was_imported);
        RUN(uses_the_pull_secret);
        RUN(says_when_skopeo_is_missing);
    } else {
        SKIP("disks made real", "qemu-img is not installed");
    }
    file_remove_tree(folder, &err);
    free(state);
    free(data);
    return test_end();
}
