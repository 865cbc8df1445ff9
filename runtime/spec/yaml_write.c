/* YAML out. libyaml's emitter knows which texts can stand unquoted in the syntax; which of those would come back as a
 * number, a boolean or null only our reader knows, so those are quoted here. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "runtime/spec/yaml.h"

static int append_bytes(void *out, unsigned char *bytes, size_t size)
{
    text_append_n(out, bytes, size);
    return 1;
}

/* The emitter fails only when memory is gone; then the process ends, as everywhere. */
static void emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
    if (!made || !yaml_emitter_emit(emitter, event))
        abort();
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, size_t length, yaml_scalar_style_t style)
{
    yaml_event_t event;
    emit(emitter, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const unsigned char *)text, (int)length, 1, 1, style));
}

static yaml_scalar_style_t style_of(const char *text, size_t length)
{
    if (memchr(text, '\n', length))
        return YAML_LITERAL_SCALAR_STYLE;
    auto_json *plain = yaml_plain_value(text, length);
    bool stays = json_is_string(plain) && !(length == 2 && memcmp(text, "<<", 2) == 0);
    return stays ? YAML_ANY_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void emit_string(yaml_emitter_t *emitter, const char *text, size_t length)
{
    emit_scalar(emitter, text, length, style_of(text, length));
}

/* A key is text whatever it looks like; a key of several lines needs the "? " form unless quoted. */
static void emit_key(yaml_emitter_t *emitter, const char *text, size_t length)
{
    yaml_scalar_style_t style = style_of(text, length);
    emit_scalar(emitter, text, length, style == YAML_LITERAL_SCALAR_STYLE ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : style);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value);

static void emit_array(yaml_emitter_t *emitter, const json_t *array)
{
    yaml_event_t event;
    emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
    for (size_t i = 0; i < json_array_size(array); i++)
        emit_value(emitter, json_array_get(array, i));
    emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static void emit_object(yaml_emitter_t *emitter, const json_t *object)
{
    yaml_event_t event;
    emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    for (void *i = json_object_iter((json_t *)object); i; i = json_object_iter_next((json_t *)object, i)) {
        emit_key(emitter, json_object_iter_key(i), json_object_iter_key_len(i));
        emit_value(emitter, json_object_iter_value(i));
    }
    emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

/* Values come from our own readers, which limit the depth. */
static void emit_value(yaml_emitter_t *emitter, const json_t *value)
{
    if (json_is_object(value)) {
        emit_object(emitter, value);
    } else if (json_is_array(value)) {
        emit_array(emitter, value);
    } else if (json_is_string(value)) {
        emit_string(emitter, json_string_value(value), json_string_length(value));
    } else {
        auto_free char *text = json_to_text(value);
        emit_scalar(emitter, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
    }
}

void yaml_write(const json_t *value, struct text *out)
{
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter))
        abort();
    yaml_emitter_set_output(&emitter, append_bytes, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    emit_value(&emitter, value);
    emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
    emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    yaml_emitter_delete(&emitter);
}
