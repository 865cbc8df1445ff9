/* The writer over libxml2's xmlTextWriter, which escapes and indents.
 *
 * What is added is laziness: `inside` is the parent path that was asked for, `open` the parents really open. They are
 * reconciled when something is written: names after the common beginning are closed, missing ones opened. A table of
 * rows in document order thereby becomes the outline of the document. */
#include "runtime/domain/xml.h"

#include <libxml/parserInternals.h>
#include <libxml/xmlwriter.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct xml {
    xmlBufferPtr buffer;
    xmlTextWriterPtr writer;
    const char *inside;
    unsigned open_count; /* parents */
    char open[XML_DEPTH_MAX][64];
    unsigned child_depth; /* elements opened by xml_open */
    char element[64];     /* last one opened, for messages */
    bool failed;
    struct error why;
};

struct xml *xml_new(void)
{
    struct xml *xml = must_calloc(1, sizeof *xml);
    xml->inside = "";
    xml->buffer = xmlBufferCreate();
    xml->writer = xml->buffer ? xmlNewTextWriterMemory(xml->buffer, 0) : NULL;
    if (!xml->writer || xmlTextWriterSetIndent(xml->writer, 1) < 0 ||
        xmlTextWriterSetIndentString(xml->writer, BAD_CAST "  ") < 0)
        xml->failed = fail(&xml->why, ERROR_INTERNAL, "no XML writer") < 0;
    return xml;
}

void xml_free_p(struct xml **xml)
{
    if (!*xml)
        return;
    if ((*xml)->writer)
        xmlFreeTextWriter((*xml)->writer);
    if ((*xml)->buffer)
        xmlBufferFree((*xml)->buffer);
    free(*xml);
    *xml = NULL;
}

static void check(struct xml *xml, int written)
{
    if (written < 0 && !xml->failed)
        xml->failed = fail(&xml->why, ERROR_INTERNAL, "<%s> cannot be written as XML", xml->element) < 0;
}

/* Values come from manifests: JSON strings are valid UTF-8, but XML 1.0 has no way to write most control characters.
 */
static bool can_be_written(struct xml *xml, const char *value)
{
    for (const char *p = value; *p;) {
        int length = 4;
        int c = xmlGetUTF8Char((const unsigned char *)p, &length);
        if (c < 0 || !IS_CHAR(c)) {
            if (!xml->failed)
                xml->failed = fail(&xml->why, ERROR_INVALID,
                                   "<%s>: byte 0x%02x of \"%.40s\" cannot be written in a domain XML; remove it",
                                   xml->element, (unsigned)(unsigned char)*p, value) < 0;
            return false;
        }
        p += length;
    }
    return true;
}

static void start_element(struct xml *xml, const char *name)
{
    snprintf(xml->element, sizeof xml->element, "%s", name);
    check(xml, xmlTextWriterStartElement(xml->writer, BAD_CAST name));
}

/* Closes and opens parents until the open ones are those of xml->inside. */
static void settle(struct xml *xml)
{
    if (xml->failed || xml->child_depth > 0)
        return;
    const char *name = xml->inside;
    unsigned same = 0;
    while (same < xml->open_count && *name) {
        size_t n = strcspn(name, "/");
        if (strlen(xml->open[same]) != n || memcmp(xml->open[same], name, n) != 0)
            break;
        name += n + (name[n] == '/');
        same++;
    }
    for (; xml->open_count > same; xml->open_count--)
        check(xml, xmlTextWriterEndElement(xml->writer));
    while (*name && xml->open_count < XML_DEPTH_MAX) {
        size_t n = strcspn(name, "/");
        char *open = xml->open[xml->open_count++];
        snprintf(open, sizeof xml->open[0], "%.*s", (int)n, name);
        start_element(xml, open);
        name += n + (name[n] == '/');
    }
}

void xml_inside(struct xml *xml, const char *path)
{
    xml->inside = path;
}

void xml_open(struct xml *xml, const char *name)
{
    settle(xml);
    if (xml->failed)
        return;
    start_element(xml, name);
    xml->child_depth++;
}

void xml_close(struct xml *xml)
{
    if (xml->failed)
        return;
    check(xml, xmlTextWriterEndElement(xml->writer));
    xml->child_depth--;
}

void xml_attribute(struct xml *xml, const char *name, const char *value)
{
    if (!value)
        return;
    settle(xml);
    if (!xml->failed && can_be_written(xml, value))
        check(xml, xmlTextWriterWriteAttribute(xml->writer, BAD_CAST name, BAD_CAST value));
}

void xml_attribute_format(struct xml *xml, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *value = NULL;
    if (vasprintf(&value, format, args) < 0)
        value = NULL;
    va_end(args);
    check(xml, value ? 0 : -1);
    xml_attribute(xml, name, value);
    free(value);
}

void xml_text(struct xml *xml, const char *text)
{
    settle(xml);
    if (!xml->failed && can_be_written(xml, text))
        check(xml, xmlTextWriterWriteString(xml->writer, BAD_CAST text));
}

void xml_leaf_words(struct xml *xml, const char *const *words, size_t count)
{
    xml_open(xml, words[0]);
    for (size_t i = 1; i + 1 < count; i += 2)
        xml_attribute(xml, words[i], words[i + 1]);
    xml_close(xml);
}

void xml_text_leaf(struct xml *xml, const char *name, const char *text)
{
    xml_open(xml, name);
    xml_text(xml, text);
    xml_close(xml);
}

int xml_finish(struct xml *xml, struct text *ret_text, struct error *err)
{
    xml->inside = "";
    settle(xml);
    if (!xml->failed)
        check(xml, xmlTextWriterFlush(xml->writer));
    if (xml->failed)
        return fail(err, xml->why.kind, "%s", xml->why.text);
    text_append_n(ret_text, xmlBufferContent(xml->buffer), (size_t)xmlBufferLength(xml->buffer));
    return 0;
}
