/* Reading answers of libvirt: a thin front over libxml2's tree. The tree is never changed after parsing, and entities
 * are refused, so every name, attribute and text is one borrowed string. */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "rtvmd/base/limits.h"
#include "runtime/domain/xml.h"

/* struct xml_document is libxml2's xmlDoc and struct xml_node its xmlNode under names of our own. */
static const xmlNode *node_in(const struct xml_node *node)
{
    return (const xmlNode *)node;
}

static const struct xml_node *node_out(const xmlNode *node)
{
    return (const struct xml_node *)node;
}

struct xml_document *xml_read(const char *text, size_t length, struct error *err)
{
    if (length > LIMIT_XML_BYTES) {
        fail(err, ERROR_TOO_LARGE, "XML of %zu bytes; at most %u are read", length, LIMIT_XML_BYTES);
        return NULL;
    }
    xmlParserCtxt *context = xmlNewParserCtxt();
    if (!context) {
        fail(err, ERROR_INTERNAL, "no XML parser");
        return NULL;
    }
    xmlDoc *document = xmlCtxtReadMemory(context, text, (int)length, NULL, NULL,
                                         XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!document) {
        const xmlError *why = xmlCtxtGetLastError(context);
        const char *message = why && why->message ? why->message : "empty";
        fail(err, ERROR_INVALID, "XML line %d: %.*s", why ? why->line : 0, (int)strcspn(message, "\n"), message);
    } else if (document->intSubset) {
        fail(err, ERROR_INVALID, "XML: a document type declaration is not allowed");
        xmlFreeDoc(document);
        document = NULL;
    }
    xmlFreeParserCtxt(context);
    return (struct xml_document *)document;
}

void xml_document_free_p(struct xml_document **document)
{
    xmlFreeDoc((xmlDoc *)*document);
    *document = NULL;
}

const struct xml_node *xml_root(const struct xml_document *document)
{
    return node_out(xmlDocGetRootElement((const xmlDoc *)document));
}

static const xmlNode *element_from(const xmlNode *node, const char *name, size_t name_length)
{
    for (; node; node = node->next)
        if (node->type == XML_ELEMENT_NODE &&
            (!name || (strlen((const char *)node->name) == name_length && !memcmp(node->name, name, name_length))))
            return node;
    return NULL;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *path)
{
    const xmlNode *at = node_in(node);
    while (at && *path) {
        size_t n = strcspn(path, "/");
        at = element_from(at->children, path, n);
        path += n + (path[n] == '/');
    }
    return node_out(at);
}

const struct xml_node *xml_next(const struct xml_node *node)
{
    const char *name = xml_name(node);
    return node_out(element_from(node_in(node)->next, name, strlen(name)));
}

const struct xml_node *xml_first_element(const struct xml_node *node)
{
    return node ? node_out(element_from(node_in(node)->children, NULL, 0)) : NULL;
}

const struct xml_node *xml_next_element(const struct xml_node *node)
{
    return node_out(element_from(node_in(node)->next, NULL, 0));
}

const char *xml_name(const struct xml_node *node)
{
    return (const char *)node_in(node)->name;
}

const char *xml_namespace(const struct xml_node *node)
{
    const xmlNs *ns = node_in(node)->ns;
    return ns && ns->href ? (const char *)ns->href : "";
}

static const char *text_from(const xmlNode *node)
{
    return node && node->type == XML_TEXT_NODE && node->content ? (const char *)node->content : "";
}

const char *xml_attribute_of(const struct xml_node *node, const char *name)
{
    if (!node)
        return NULL;
    for (const xmlAttr *a = node_in(node)->properties; a; a = a->next)
        if (strcmp((const char *)a->name, name) == 0)
            return text_from(a->children);
    return NULL;
}

const char *xml_text_of(const struct xml_node *node)
{
    return node ? text_from(node_in(node)->children) : "";
}
