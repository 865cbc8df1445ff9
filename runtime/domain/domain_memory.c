/* Guest memory: how much, on which pages, from which nodes, and that it stays.
 *
 * KubeVirt never locks memory: huge pages cannot be swapped and the limit is lifted. Here a real-time VM says <locked/>
 * as well, which also covers QEMU's own heap and stacks: a page fault in the emulator is a stall of the device it
 * serves. Huge pages are taken at start (allocation immediate), so a shortage is an error then and not a SIGBUS later.
 */
#include "runtime/domain/build.h"

void domain_write_memory(struct domain_build *b)
{
    xml_open(b->xml, "memory");
    xml_attribute(b->xml, "unit", "b");
    xml_text(b->xml, NUMBER(b->spec->memory_bytes));
    xml_close(b->xml);
}

void domain_write_hugepages(struct domain_build *b)
{
    const struct placement *p = b->placement;
    if (b->spec->hugepage_bytes == 0)
        return;
    xml_open(b->xml, "hugepages");
    for (unsigned i = 0; i < p->cell_count; i++)
        if (p->cell[i].page_bytes > 0)
            xml_leaf(b->xml, "page", "size", NUMBER(p->cell[i].page_bytes), "unit", "b", "nodeset", NUMBER(i));
    if (p->cell_count == 0) /* KubeVirt leaves the size to the one mount in its pod; a host may have several */
        xml_leaf(b->xml, "page", "size", NUMBER(p->hugepage_bytes ? p->hugepage_bytes : b->spec->hugepage_bytes),
                 "unit", "b");
    xml_close(b->xml);
}

void domain_write_backing(struct domain_build *b)
{
    bool huge = b->spec->hugepage_bytes > 0;
    if (b->spec->realtime) {
        xml_leaf(b->xml, "nosharepages");
        xml_leaf(b->xml, "locked");
    }
    if (huge && b->spec->memfd)
        xml_leaf(b->xml, "source", "type", "memfd");
    if (huge)
        xml_leaf(b->xml, "allocation", "mode", "immediate");
}

void domain_write_numatune(struct domain_build *b)
{
    const struct placement *p = b->placement;
    struct cpuset nodes = p->memory_nodes;
    for (unsigned i = 0; i < p->cell_count; i++)
        cpuset_add(&nodes, (unsigned)p->cell[i].host_node);
    if (cpuset_is_empty(&nodes))
        return;
    struct cpuset_text text;
    xml_leaf(b->xml, "memory", "mode", "strict", "nodeset", cpuset_format(&nodes, &text));
    for (unsigned i = 0; i < p->cell_count; i++)
        xml_leaf(b->xml, "memnode", "cellid", NUMBER(i), "mode", "strict", "nodeset",
                 NUMBER((unsigned)p->cell[i].host_node));
}

void domain_write_balloon(struct domain_build *b)
{
    xml_open(b->xml, "memballoon");
    if (!build_has_balloon(b)) {
        xml_attribute(b->xml, "model", "none");
    } else {
        bool keeps_its_pages = b->spec->dedicated_cpus || b->spec->realtime || b->spec->hugepage_bytes > 0;
        xml_attribute(b->xml, "model", build_virtio_model(b));
        xml_attribute(b->xml, "freePageReporting", keeps_its_pages ? "off" : "on");
        xml_leaf(b->xml, "stats", "period", "10");
    }
    xml_close(b->xml);
}
