/* What stays out of the static binary. Debian's archives hang some large parts of themselves into a table at start, so
 * that a linker takes them in though nothing here ever asks for them. Their entry points are here instead, saying "not
 * there"; the linker then has no reason to fetch the members that have them.
 *
 *   SQLite: full-text search (FTS3, FTS5) and R-trees. A database with such tables is none of ours; what it could do
 *           with a hostile file (`rtvmd restore`) is left out as well.
 *   PCRE2:  the just-in-time compiler. GLib falls back to interpreting. Nothing here needs memory that is writable and
 *           executable.
 *
 * When a newer archive calls something else, the linker stops with "multiple definition": then this file is adjusted.
 */
#include <stddef.h>

struct sqlite3;
int sqlite3Fts3Init(struct sqlite3 *db);
int sqlite3Fts5Init(struct sqlite3 *db);
int sqlite3RtreeInit(struct sqlite3 *db);

enum { SQLITE_OK = 0, PCRE2_ERROR_JIT_BADOPTION = -45 };

int sqlite3Fts3Init(struct sqlite3 *db)
{
    (void)db;
    return SQLITE_OK;
}

int sqlite3Fts5Init(struct sqlite3 *db)
{
    (void)db;
    return SQLITE_OK;
}

int sqlite3RtreeInit(struct sqlite3 *db)
{
    (void)db;
    return SQLITE_OK;
}

int pcre2_jit_compile_8(void *code, unsigned options);
int pcre2_jit_match_8(const void *code, const unsigned char *subject, size_t length, size_t start, unsigned options,
                      void *match_data, void *context);
void _pcre2_jit_free_8(void *executable, void *memctl);
int _pcre2_jit_check_exec_8(const void *executable);
size_t _pcre2_jit_get_size_8(void *executable);
const char *_pcre2_jit_get_target_8(void);

int pcre2_jit_compile_8(void *code, unsigned options)
{
    (void)code;
    (void)options;
    return PCRE2_ERROR_JIT_BADOPTION;
}

/* Only called for what was compiled: never. */
int pcre2_jit_match_8(const void *code, const unsigned char *subject, size_t length, size_t start, unsigned options,
                      void *match_data, void *context)
{
    (void)code;
    (void)subject;
    (void)length;
    (void)start;
    (void)options;
    (void)match_data;
    (void)context;
    return PCRE2_ERROR_JIT_BADOPTION;
}

void _pcre2_jit_free_8(void *executable, void *memctl)
{
    (void)executable;
    (void)memctl;
}

int _pcre2_jit_check_exec_8(const void *executable)
{
    (void)executable;
    return 0;
}

size_t _pcre2_jit_get_size_8(void *executable)
{
    (void)executable;
    return 0;
}

const char *_pcre2_jit_get_target_8(void)
{
    return NULL;
}
