#include "runtime/domain/xml.c"

#include "rtvmd/base/limits.h"
#include "tests/test.h"

static struct error err;

static void parents_are_opened_only_when_something_is_in_them(void)
{
    auto_xml *xml = xml_new();
    xml_inside(xml, "a");
    xml_attribute(xml, "type", "t");
    xml_inside(xml, "a/empty/deeper");
    xml_inside(xml, "a/b/c");
    xml_leaf(xml, "one", "x", "1", "gone", NULL, "y", "2");
    xml_inside(xml, "a/b");
    xml_text_leaf(xml, "two", "<&>");
    xml_inside(xml, "a/b2");
    xml_leaf(xml, "three");
    xml_inside(xml, "a");
    xml_open(xml, "four");
    xml_leaf(xml, "five");
    xml_close(xml);
    auto_text text = {0};
    CHECK_INT(xml_finish(xml, &text, &err), 0);
    CHECK_TEXT(text_cstr(&text), "<a type=\"t\">\n"
                                 "  <b>\n"
                                 "    <c>\n"
                                 "      <one x=\"1\" y=\"2\"/>\n"
                                 "    </c>\n"
                                 "    <two>&lt;&amp;&gt;</two>\n"
                                 "  </b>\n"
                                 "  <b2>\n"
                                 "    <three/>\n"
                                 "  </b2>\n"
                                 "  <four>\n"
                                 "    <five/>\n"
                                 "  </four>\n"
                                 "</a>\n");
}

static void the_first_failure_sticks(void)
{
    static const char *const BAD[] = {"\x01", "a\x1f", "\x7f\x0b", "\xef\xbf\xbf", "\xff", "\xc3"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        auto_xml *xml = xml_new();
        xml_inside(xml, "a");
        xml_open(xml, "first");
        xml_attribute(xml, "v", BAD[i]);
        xml_close(xml);
        xml_text_leaf(xml, "second", "\x02");
        auto_text text = {0};
        CHECK_INT(xml_finish(xml, &text, &err), -1);
        CHECK_INT(err.kind, ERROR_INVALID);
        CHECK(strstr(err.text, "<first>"));
        CHECK_INT(text.length, 0);
    }
}

static void a_document_is_looked_at_by_path(void)
{
    static const char TEXT[] = "<?xml version='1.0'?><d a='&lt;1'><x n='1'/><y><z>t<![CDATA[&]]>u</z></y> <x n='2'/>"
                               "<m:v xmlns:m='urn:m' b=''/></d>";
    auto_xml_document *document = xml_read(TEXT, strlen(TEXT), &err);
    CHECK(document);
    const struct xml_node *root = xml_root(document);
    CHECK_TEXT(xml_name(root), "d");
    CHECK_TEXT(xml_attribute_of(root, "a"), "<1");
    CHECK_TEXT(xml_text_of(xml_child(root, "y/z")), "t&u");
    const struct xml_node *x = xml_next(xml_child(root, "x"));
    CHECK_TEXT(xml_attribute_of(x, "n"), "2");
    CHECK(!xml_next(x));
    CHECK_TEXT(xml_namespace(xml_child(root, "v")), "urn:m");
    CHECK_TEXT(xml_attribute_of(xml_child(root, "v"), "b"), "");
    CHECK_TEXT(xml_namespace(root), "");
    CHECK(!xml_child(root, "y/none/z") && !xml_child(NULL, "x") && !xml_attribute_of(NULL, "a"));
    CHECK_TEXT(xml_text_of(NULL), "");
    CHECK_TEXT(xml_name(xml_next_element(xml_first_element(root))), "y");
    CHECK(!xml_first_element(x));
}

static void what_is_not_plain_xml_is_refused(void)
{
    static const char *const BAD[] = {
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<a>&nope;</a>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        auto_xml_document *document = xml_read(BAD[i], strlen(BAD[i]), &err);
        CHECK(!document);
        CHECK_INT(err.kind, ERROR_INVALID);
    }
}

static void too_large_is_said(void)
{
    size_t length = LIMIT_XML_BYTES + 1;
    auto_free char *big = must_calloc(length + 1, 1);
    memset(big, ' ', length);
    memcpy(big, "<a/>", 4);
    auto_xml_document *fits = xml_read(big, LIMIT_XML_BYTES, &err);
    CHECK(fits);
    auto_xml_document *document = xml_read(big, length, &err);
    CHECK(!document);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
}

int main(void)
{
    RUN(parents_are_opened_only_when_something_is_in_them);
    RUN(the_first_failure_sticks);
    RUN(a_document_is_looked_at_by_path);
    RUN(what_is_not_plain_xml_is_refused);
    RUN(too_large_is_said);
    return test_end();
}
