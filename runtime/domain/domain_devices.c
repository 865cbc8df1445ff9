/* The other devices: controllers, console, agent channel, input, TPM, graphics, sound, watchdog, random numbers, vsock.
 */
#include <string.h>

#include "runtime/domain/build.h"

/* Longest path a unix socket can have (sun_path, with its NUL). */
enum { SOCKET_PATH_MAX = 108 };

/* run_dir/name as an attribute; a path no socket can have is refused here, where its parts are known. */
static void write_socket_path(struct domain_build *b, const char *attribute, const char *name)
{
    size_t length = strlen(b->request->run_dir) + 1 + strlen(name);
    if (length >= SOCKET_PATH_MAX)
        build_fail(b, "%s/%s has %zu bytes, a unix socket path at most %d: use a shorter run directory or VM name",
                   b->request->run_dir, name, length, SOCKET_PATH_MAX - 1);
    xml_attribute_format(b->xml, attribute, "%s/%s", b->request->run_dir, name);
}

static bool any_disk_on(const struct domain_build *b, const char *bus)
{
    for (unsigned i = 0; i < b->spec->disk_count; i++)
        if (text_equal(b->spec->disk[i].bus, bus))
            return true;
    return false;
}

static bool any_input_on(const struct domain_build *b, const char *bus)
{
    size_t i;
    json_t *input;
    json_array_foreach(b->spec->inputs, i, input)
    {
        if (strcmp(json_text_at(input, "bus", "usb"), bus) == 0)
            return true;
    }
    return false;
}

/* A USB controller polls, so there is none unless something hangs on it. */
void domain_write_controllers(struct domain_build *b)
{
    bool usb = any_disk_on(b, "usb") || any_input_on(b, "usb");
    xml_leaf(b->xml, "controller", "type", "usb", "index", "0", "model", usb ? "qemu-xhci" : "none");
    if (any_disk_on(b, "scsi") || !b->spec->disable_hotplug) /* disks that are added later hang on it */
        xml_leaf(b->xml, "controller", "type", "scsi", "index", "0", "model", build_virtio_model(b));
    xml_leaf(b->xml, "controller", "type", "virtio-serial", "index", "0", "model", build_virtio_model(b));
}

void domain_write_serial(struct domain_build *b)
{
    if (b->spec->serial_console == VM_OFF)
        return;
    xml_open(b->xml, "serial");
    xml_attribute(b->xml, "type", "unix");
    xml_open(b->xml, "source");
    xml_attribute(b->xml, "mode", "bind");
    write_socket_path(b, "path", "virt-serial0");
    xml_close(b->xml);
    if (b->spec->log_serial_console) {
        xml_open(b->xml, "log");
        xml_attribute_format(b->xml, "file", "%s/virt-serial0-log", b->request->run_dir);
        xml_attribute(b->xml, "append", "on");
        xml_close(b->xml);
    }
    xml_leaf(b->xml, "target", "port", "0");
    xml_close(b->xml);
    xml_open(b->xml, "console");
    xml_attribute(b->xml, "type", "pty");
    xml_leaf(b->xml, "target", "type", "serial", "port", "0");
    xml_close(b->xml);
}

void domain_write_agent(struct domain_build *b)
{
    xml_open(b->xml, "channel");
    xml_attribute(b->xml, "type", "unix");
    xml_leaf(b->xml, "target", "type", "virtio", "name", "org.qemu.guest_agent.0");
    xml_close(b->xml);
}

void domain_write_inputs(struct domain_build *b)
{
    size_t i;
    json_t *input;
    json_array_foreach(b->spec->inputs, i, input)
    {
        const char *bus = json_text_at(input, "bus", "usb");
        xml_open(b->xml, "input");
        xml_attribute(b->xml, "type", json_text_at(input, "type", "tablet"));
        xml_attribute(b->xml, "bus", bus);
        /* libvirt knows no (non-)transitional input devices, whatever its schema says */
        xml_attribute(b->xml, "model", strcmp(bus, "virtio") == 0 ? "virtio" : NULL);
        build_alias(b, json_text_at(input, "name", "input"));
        xml_close(b->xml);
    }
}

void domain_write_tpm(struct domain_build *b)
{
    if (!b->spec->tpm)
        return;
    xml_open(b->xml, "tpm");
    xml_attribute(b->xml, "model", build_is_x86(b) ? "tpm-crb" : "tpm-tis");
    xml_leaf(b->xml, "backend", "type", "emulator", "version", "2.0", "persistent_state",
             b->spec->tpm_persistent ? "yes" : NULL);
    xml_close(b->xml);
}

/* A display redraws at its own pace in QEMU's main loop: a real-time VM has one only when the manifest says so. */
void domain_write_graphics(struct domain_build *b)
{
    if (!build_has_graphics(b))
        return;
    xml_open(b->xml, "graphics");
    xml_attribute(b->xml, "type", "vnc");
    /* No socket: clients' connections are handed to QEMU through libvirt. QEMU would make a socket as its own user, who
     * has no business in our folders. */
    xml_leaf(b->xml, "listen", "type", "none", NULL);
    xml_close(b->xml);
    xml_open(b->xml, "video");
    bool vga = !b->spec->video_model && build_is_x86(b);
    const char *otherwise = vga ? "vga" : "virtio";
    xml_leaf(b->xml, "model", "type", b->spec->video_model ? b->spec->video_model : otherwise, "vram",
             vga ? "16384" : NULL, "heads", "1");
    xml_close(b->xml);
}

void domain_write_sound(struct domain_build *b)
{
    if (!b->spec->sound)
        return;
    xml_open(b->xml, "sound");
    xml_attribute(b->xml, "model", json_text_at(b->spec->sound, "model", "ich9"));
    build_alias(b, json_text_at(b->spec->sound, "name", "sound"));
    xml_close(b->xml);
}

void domain_write_watchdog(struct domain_build *b)
{
    if (!b->spec->watchdog)
        return;
    xml_open(b->xml, "watchdog");
    xml_attribute(b->xml, "model", "i6300esb");
    xml_attribute(b->xml, "action", json_text_at(b->spec->watchdog, "i6300esb.action", "reset"));
    build_alias(b, json_text_at(b->spec->watchdog, "name", "watchdog"));
    xml_close(b->xml);
}

void domain_write_rng(struct domain_build *b)
{
    if (!b->spec->rng)
        return;
    xml_open(b->xml, "rng");
    xml_attribute(b->xml, "model", build_virtio_model(b));
    xml_open(b->xml, "backend");
    xml_attribute(b->xml, "model", "random");
    xml_text(b->xml, "/dev/urandom");
    xml_close(b->xml);
    xml_close(b->xml);
}

void domain_write_vsock(struct domain_build *b)
{
    if (b->spec->vsock != VM_ON)
        return;
    xml_open(b->xml, "vsock");
    xml_attribute(b->xml, "model", build_virtio_model(b));
    xml_leaf(b->xml, "cid", "auto", "yes");
    xml_close(b->xml);
}
