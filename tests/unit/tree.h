/* Small /sys and /proc trees for tests, written below a temporary folder. */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtvmd/base/file.h"

struct tree {
    char root[64];
};

static inline void tree_make(struct tree *tree)
{
    strcpy(tree->root, "/tmp/rtvmd-tree-XXXXXX");
    if (!mkdtemp(tree->root))
        abort();
}

static inline void tree_remove(struct tree *tree)
{
    struct error err;
    file_remove_tree(tree->root, &err);
}

/* Paths start with '/'; the folders on the way are made. */
static inline void tree_put(const struct tree *tree, const char *path, const char *text)
{
    struct error err;
    auto_free char *full = must_format("%s%s", tree->root, path);
    auto_free char *folder = must_strndup(full, (size_t)(strrchr(full, '/') - full));
    if (file_make_folders(folder, 0755, &err) < 0 || file_write_atomic(full, text, strlen(text), 0644, &err) < 0)
        abort();
}
