/* Orders of host tuning carried out by a child: that it does, and that nobody waits for one that hangs. What hangs here
 * is a named pipe nobody writes to. */
#include "runtime/tune/tune_apart.c"

#include <sys/stat.h>

#include "tests/test.h"

static char folder[64];
static char *calm;
static char *pipe_;

static void begin(void)
{
    struct error err;
    snprintf(folder, sizeof folder, "/tmp/rtvmd-apart-XXXXXX");
    CHECK(mkdtemp(folder));
    calm = must_format("%s/calm", folder);
    pipe_ = must_format("%s/pipe", folder);
    CHECK_INT(file_write_atomic(calm, "1\n", 2, 0600, &err), 0);
    CHECK_INT(mkfifo(pipe_, 0600), 0);
}

static void finish(void)
{
    struct error err;
    file_remove_tree(folder, &err);
    free(calm);
    free(pipe_);
}

/* Both files, in that order. */
static json_t *order_of(const char *stage)
{
    json_t *rows = json_pack("[{s:i, s:o, s:s, s:s, s:s}, {s:i, s:o, s:s, s:s, s:s}]", "id", 1, "target",
                             json_sprintf("value:%s", calm), "before", "1", "wish", "7", "owner", "ns/a", "id", 2,
                             "target", json_sprintf("value:%s", pipe_), "before", "1", "wish", "7", "owner", "ns/a");
    return json_pack("{s:s, s:o, s:O, s:[i,i]}", "stage", stage, "look", rows, "journal", rows, "ids", 1, 2);
}

static json_t *only_first(json_t *order)
{
    json_array_remove(json_object_get(order, "ids"), 1);
    return order;
}

static void check_calm(const char *wanted)
{
    struct error err;
    auto_text text = {0};
    CHECK_INT(file_read("", calm, 100, &text, &err), 0);
    auto_free char *word = must_strndup(text_cstr(&text), strcspn(text_cstr(&text), "\n"));
    CHECK_TEXT(word, wanted);
}

static const char *last_at(const json_t *lines)
{
    const char *at = "";
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line)
    {
        at = json_text_at(line, "at", at);
    }
    return at;
}

static void a_child_carries_it_out(void)
{
    struct error err;
    begin();
    auto_json *order = only_first(order_of("make"));
    auto_json *lines = json_array();
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), 0);
    check_calm("7");
    CHECK(strstr(last_at(lines), "/calm") != NULL);
    CHECK_INT(json_int_at(lines, "1.done", 0), 1);
    CHECK_TEXT(json_text_at(lines, "2.found", NULL), "7");
    auto_json *back = only_first(order_of("undo"));
    json_array_clear(lines);
    CHECK_INT(tune_apart(folder, back, NULL, lines, &err), 0);
    check_calm("1");
    CHECK_INT(json_int_at(lines, "2.drop", 0), 1);
    finish();
}

static void what_hangs_is_given_up_and_named(void)
{
    struct error err;
    begin();
    auto_json *order = order_of("look");
    auto_json *lines = json_array();
    uint64_t begun_ms = now_monotonic_ms();
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), -1);
    CHECK_INT(err.kind, ERROR_TIMEOUT);
    uint64_t took_ms = now_monotonic_ms() - begun_ms;
    CHECK(took_ms >= LIMIT_HOST_CHANGES_MS && took_ms < LIMIT_TUNING_STEP_MS);
    CHECK_TEXT(json_text_at(lines, "1.found", NULL), "1"); /* what came before is known */
    finish();
}

static void *set_soon(void *arg)
{
    poll(NULL, 0, 1000);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void who_is_to_stop_does_not_wait_for_it(void)
{
    struct error err;
    atomic_bool stop = false;
    pthread_t thread;
    begin();
    auto_json *order = order_of("make");
    auto_json *lines = json_array();
    CHECK_INT(pthread_create(&thread, NULL, set_soon, &stop), 0);
    uint64_t begun_ms = now_monotonic_ms();
    CHECK_INT(tune_apart(folder, order, &stop, lines, &err), -1);
    CHECK(now_monotonic_ms() - begun_ms < LIMIT_TUNING_TURN_MS);
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(strstr(last_at(lines), "/pipe") != NULL);
    check_calm("7");
    pthread_join(thread, NULL);
    finish();
}

static void one_that_is_left_behind_keeps_others_out(void)
{
    struct error err;
    begin();
    int turn = tune_take_turn(folder, &err);
    CHECK(turn >= 0);
    auto_json *order = only_first(order_of("make"));
    auto_json *lines = json_array();
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), -1);
    CHECK_INT(err.kind, ERROR_TIMEOUT);
    CHECK(strstr(err.text, "still hangs") != NULL);
    CHECK_INT(json_array_size(lines), 0);
    check_calm("1");
    CHECK_INT(tune_take_turn(folder, &err), -1); /* nor does a verb go on */
    close(turn);
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), 0);
    check_calm("7");
    finish();
}

/* A daemon that is killed while a change hangs leaves nobody behind who could still make it later. */
static void it_dies_with_who_made_it(void)
{
    struct error err;
    begin();
    fflush(stdout);
    pid_t daemon = fork();
    if (daemon == 0) {
        auto_json *order = order_of("make");
        auto_json *lines = json_array();
        tune_apart(folder, order, NULL, lines, &err);
        _exit(0);
    }
    auto_text text = {0};
    for (unsigned i = 0; i < 200 && !text_starts_with(text_cstr(&text), "7"); i++) {
        poll(NULL, 0, 50); /* until it is at the pipe */
        text_clear(&text);
        file_read("", calm, 100, &text, &err);
    }
    check_calm("7");
    CHECK_INT(kill(daemon, SIGKILL), 0);
    CHECK(waitpid(daemon, NULL, 0) == daemon);
    int turn = tune_take_turn(folder, &err);
    CHECK(turn >= 0);
    close(turn);
    finish();
}

static void no_more_are_made_when_many_hang(void)
{
    struct error err;
    begin();
    fflush(stdout);
    pid_t sleeper = fork();
    if (sleeper == 0) {
        pause();
        _exit(0);
    }
    for (size_t i = 0; i < LIMIT_TUNING_LEFT; i++)
        leave_behind(sleeper);
    auto_json *order = only_first(order_of("make"));
    auto_json *lines = json_array();
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), -1);
    CHECK_INT(err.kind, ERROR_TIMEOUT);
    check_calm("1");
    CHECK_INT(kill(sleeper, SIGKILL), 0);
    poll(NULL, 0, 200);
    CHECK_INT(tune_apart(folder, order, NULL, lines, &err), 0);
    finish();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], TUNE_VERB) == 0)
        return tune_child(argc - 1, argv + 1);
    RUN(a_child_carries_it_out);
    RUN(what_hangs_is_given_up_and_named);
    RUN(who_is_to_stop_does_not_wait_for_it);
    RUN(one_that_is_left_behind_keeps_others_out);
    RUN(it_dies_with_who_made_it);
    RUN(no_more_are_made_when_many_hang);
    return test_end();
}
