#include "store/inside.h"

/* Objects are read far more often than written, and the text of one is asked for by the database, by whoever wrote it,
 * by every reader and every watcher. So it is kept with the object until that changes. The memory is bounded per kind:
 * when it is used up all texts of the kind go, and are made again as they are wanted. */

void texts_forget(struct table *table, struct table_entry *entry)
{
    if (!entry->text)
        return;
    table->text_bytes -= entry->text->length;
    shared_text_release(take(entry->text));
}

static void make_room(struct table *table, size_t bytes)
{
    if (table->text_bytes + bytes <= LIMIT_OBJECT_TEXT_BYTES)
        return;
    for (size_t i = 0; i < table->count; i++)
        texts_forget(table, &table->entry[i]);
}

struct shared_text *texts_get(struct table *table, const char *key, const json_t *object)
{
    size_t at = table_lower(table, key);
    struct table_entry *entry = at < table->count ? &table->entry[at] : NULL;
    bool is_current = entry && entry->value == object;
    if (is_current && entry->text)
        return shared_text_hold(entry->text);
    struct shared_text *text = shared_text_new(json_to_text(object));
    if (!is_current || text->length > LIMIT_OBJECT_TEXT_BYTES)
        return text;
    make_room(table, text->length);
    table->text_bytes += text->length;
    entry->text = shared_text_hold(text);
    return text;
}
