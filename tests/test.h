/* Unit tests: one program per file under test, which includes that .c so that its statics can be tested. Prints TAP;
 * tests/run counts the lines. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_number;
static int test_failures; /* in the running case */
static int test_failed_cases;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            printf("# %s:%d: CHECK(%s)\n", __FILE__, __LINE__, #condition); \
            test_failures++;                                                \
        }                                                                   \
    } while (0)

#define CHECK_INT(found, wanted)                                                                       \
    do {                                                                                               \
        long long found_ = (long long)(found), wanted_ = (long long)(wanted);                          \
        if (found_ != wanted_) {                                                                       \
            printf("# %s:%d: %s is %lld, wanted %lld\n", __FILE__, __LINE__, #found, found_, wanted_); \
            test_failures++;                                                                           \
        }                                                                                              \
    } while (0)

#define CHECK_TEXT(found, wanted)                                                            \
    do {                                                                                     \
        const char *found_ = (found), *wanted_ = (wanted);                                   \
        if (!found_ || strcmp(found_, wanted_) != 0) {                                       \
            printf("# %s:%d: %s is\n#   %s\n# wanted\n#   %s\n", __FILE__, __LINE__, #found, \
                   found_ ? found_ : "(null)", wanted_);                                     \
            test_failures++;                                                                 \
        }                                                                                    \
    } while (0)

/* Runs one case: a function void name(void). */
#define RUN(function)                                                                      \
    do {                                                                                   \
        test_failures = 0;                                                                 \
        function();                                                                        \
        printf("%s %d - %s\n", test_failures ? "not ok" : "ok", ++test_number, #function); \
        fflush(stdout);                                                                    \
        test_failed_cases += test_failures > 0;                                            \
    } while (0)

#define SKIP(name, because) printf("ok %d - %s # SKIP %s\n", ++test_number, name, because)

/* Last line of main: prints the plan, returns the exit status. */
static inline int test_end(void)
{
    printf("1..%d\n", test_number);
    return test_failed_cases ? 1 : 0;
}
