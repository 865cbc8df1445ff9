/* XML, written and read: libxml2 is included by xml.c and xml_reader.c and nowhere else. It knows no domain.
 *
 * The writer keeps nesting out of its callers. They say in which parent they are ("domain/memoryBacking") and write
 * children; a parent is opened when something is written in it, so a parent with no children never appears. A failure
 * sticks: later calls do nothing, xml_finish() reports the first one. */
#pragma once

#include "rtvmd/base/error.h"
#include "rtvmd/base/text.h"

struct xml;

struct xml *xml_new(void);
void xml_free_p(struct xml **xml);
#define auto_xml __attribute__((cleanup(xml_free_p))) struct xml

/* Where the following elements and attributes go, from the root, at most XML_DEPTH_MAX names; elements opened by
 * xml_open must be closed by then. The path is borrowed until the next call. */
enum { XML_DEPTH_MAX = 8 };
void xml_inside(struct xml *xml, const char *path);
void xml_open(struct xml *xml, const char *name);
void xml_close(struct xml *xml);
/* Before any child of the element. A NULL value leaves the attribute out. */
void xml_attribute(struct xml *xml, const char *name, const char *value);
void xml_attribute_format(struct xml *xml, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void xml_text(struct xml *xml, const char *text);
/* xml_leaf(xml, "name", "a", a, "b", b) writes <name a="…" b="…"/>; an attribute with a NULL value is left out. */
#define xml_leaf(xml, ...)                                    \
    xml_leaf_words((xml), (const char *const[]){__VA_ARGS__}, \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void xml_leaf_words(struct xml *xml, const char *const *words, size_t count);
/* <name>text</name> */
void xml_text_leaf(struct xml *xml, const char *name, const char *text);
/* Closes everything and gives the document: indented by two, no declaration, final newline. ERROR_INVALID names the
 * element whose value holds what XML cannot carry (control characters). */
int xml_finish(struct xml *xml, struct text *ret_text, struct error *err);

/* ---- reading. Everything is borrowed from the document. Document types, entities and the network are refused. */
struct xml_document;
struct xml_node;

/* ERROR_TOO_LARGE over LIMIT_XML_BYTES, ERROR_INVALID with the line when it is not well-formed. */
struct xml_document *xml_read(const char *text, size_t length, struct error *err);
void xml_document_free_p(struct xml_document **document);
#define auto_xml_document __attribute__((cleanup(xml_document_free_p))) struct xml_document

const struct xml_node *xml_root(const struct xml_document *document);
/* The first element at a path of names below node ("os/type"), or NULL; NULL gives NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *path);
/* The next sibling of the same name, or NULL. */
const struct xml_node *xml_next(const struct xml_node *node);
/* Any children: the first and the next element, whatever their names. */
const struct xml_node *xml_first_element(const struct xml_node *node);
const struct xml_node *xml_next_element(const struct xml_node *node);
const char *xml_name(const struct xml_node *node);      /* without prefix */
const char *xml_namespace(const struct xml_node *node); /* "" for none */
/* NULL when missing, or for a NULL node. */
const char *xml_attribute_of(const struct xml_node *node, const char *name);
/* The text before the first child element; "" for none, or for a NULL node. */
const char *xml_text_of(const struct xml_node *node);
