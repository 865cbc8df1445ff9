/* error, text, file, process and loop: the small pieces everything stands on. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rtvmd/base/error.h"
#include "rtvmd/base/file.h"
#include "rtvmd/base/loop.h"
#include "rtvmd/base/process.h"
#include "rtvmd/base/text.h"
#include "tests/test.h"

static void errors_carry_kind_text_and_context(void)
{
    struct error err = {0};
    CHECK_INT(fail(&err, ERROR_NOT_FOUND, "vm %s not found", "a"), -1);
    CHECK_TEXT(err.text, "vm a not found");
    error_prefix(&err, "namespace %s", "x");
    CHECK_TEXT(err.text, "namespace x: vm a not found");
    CHECK_INT(error_kind_info(err.kind)->http_status, 404);
    CHECK_INT(error_kind_info(err.kind)->exit_code, 3);
    fail(&err, ERROR_INVALID, "again: %s", err.text); /* arguments may point into the error itself */
    CHECK_TEXT(err.text, "again: namespace x: vm a not found");
    char longer[2 * ERROR_TEXT_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    fail(&err, ERROR_INVALID, "%s", longer);
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
    error_prefix(&err, "p");
    CHECK_INT(strlen(err.text), ERROR_TEXT_MAX - 1);
}

static void error_kinds_come_back_from_http(void)
{
    CHECK_INT(error_kind_from_http(404, NULL), ERROR_NOT_FOUND);
    CHECK_INT(error_kind_from_http(409, "AlreadyExists"), ERROR_ALREADY_EXISTS);
    CHECK_INT(error_kind_from_http(409, NULL), ERROR_ALREADY_EXISTS);
    CHECK_INT(error_kind_from_http(409, "Conflict"), ERROR_CONFLICT);
    CHECK_INT(error_kind_from_http(418, "Teapot"), ERROR_BAD_REQUEST);
    CHECK_INT(error_kind_from_http(599, NULL), ERROR_INTERNAL);
}

static void text_grows_and_tables_align(void)
{
    auto_text t = {0};
    CHECK_TEXT(text_cstr(&t), "");
    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i % 10);
    CHECK_INT(t.length, 2000);
    text_clear(&t);
    struct text_table table = {.columns = 2};
    text_table_cell(&table, "NAME");
    text_table_cell(&table, "X");
    text_table_cell(&table, "µ");
    text_table_cell(&table, "y");
    text_table_write(&table, &t);
    CHECK_TEXT(text_cstr(&t), "NAME  X\nµ     y\n");
    uint64_t value = 0;
    CHECK(text_to_u64("18446744073709551615", &value) && value == UINT64_MAX);
    CHECK(!text_to_u64("18446744073709551616", &value) && !text_to_u64("", &value) && !text_to_u64("-1", &value));
}

static void files_are_replaced_whole_and_read_within_a_limit(void)
{
    char folder[] = "/tmp/rtvmd-test-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    struct error err;
    auto_free char *deep = must_format("%s/a/b", folder);
    CHECK_INT(file_make_folders(deep, 0700, &err), 0);
    CHECK_INT(file_make_folders(deep, 0700, &err), 0);
    auto_free char *path = must_format("%s/f", deep);
    CHECK_INT(file_write_atomic(path, "hello", 5, 0640, &err), 0);
    struct stat status;
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0640);
    auto_text text = {0};
    CHECK_INT(file_read(folder, "/a/b/f", 5, &text, &err), 0);
    CHECK_TEXT(text_cstr(&text), "hello");
    CHECK_INT(file_read(folder, "/a/b/f", 4, &text, &err), -1);
    CHECK_INT(err.kind, ERROR_TOO_LARGE);
    CHECK_INT(file_read(folder, "/none", 4, &text, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_INT(file_make_folders(path, 0700, &err), -1);
    CHECK_INT(file_remove_tree(folder, &err), 0);
    CHECK_INT(file_remove_tree(folder, &err), 0);
    CHECK(access(folder, F_OK) != 0);
}

static void programs_run_without_a_shell(void)
{
    struct error err;
    auto_text out = {0};
    const char *const echo[] = {"echo", "$HOME; *", NULL};
    CHECK_INT(process_run(echo, 5000, 100, &out, &err), 0);
    CHECK_TEXT(text_cstr(&out), "$HOME; *\n");
    text_clear(&out);
    const char *const much[] = {"seq", "100000", NULL};
    CHECK_INT(process_run(much, 5000, 10, &out, &err), 0); /* over the limit: cut, and the child is not blocked */
    CHECK_INT(out.length, 10);
    const char *const bad[] = {"sh", "-c", "echo first >&2; echo why >&2; exit 3", NULL};
    CHECK_INT(process_run(bad, 5000, 10, NULL, &err), -1);
    CHECK_TEXT(err.text, "sh failed: why");
    const char *const none[] = {"no-such-program-here", NULL};
    CHECK_INT(process_run(none, 5000, 10, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    const char *const slow[] = {"sleep", "60", NULL};
    CHECK_INT(process_run(slow, 50, 10, NULL, &err), -1);
    CHECK_INT(err.kind, ERROR_TIMEOUT);
}

struct seen {
    int ticks;
    int reads;
    struct loop *loop;
};

static void on_tick(void *arg)
{
    struct seen *seen = arg;
    seen->ticks++;
}

static void on_read(int fd, int what, void *arg)
{
    struct seen *seen = arg;
    char byte;
    seen->reads += what == LOOP_READ && read(fd, &byte, 1) == 1;
    loop_stop(seen->loop);
}

static void loop_tells_timers_descriptors_and_signals(void)
{
    struct loop *loop = loop_new();
    struct seen seen = {.loop = loop};
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    struct loop_watch *timer = loop_timer(loop, on_tick, &seen);
    struct loop_watch *watch = loop_watch_fd(loop, ends[0], LOOP_READ, on_read, &seen);
    struct loop_watch *signal_watch = loop_signal(loop, SIGUSR1, on_tick, &seen);
    loop_run_once(loop, false);
    CHECK_INT(seen.ticks, 0); /* made unarmed */
    loop_timer_arm(timer, 1);
    loop_run_once(loop, true);
    CHECK_INT(seen.ticks, 1);
    raise(SIGUSR1);
    loop_run_once(loop, true);
    CHECK_INT(seen.ticks, 2);
    CHECK_INT(write(ends[1], "x", 1), 1);
    loop_run(loop);
    CHECK_INT(seen.reads, 1);
    loop_watch_set(watch, 0);
    CHECK_INT(write(ends[1], "y", 1), 1);
    loop_run_once(loop, false);
    CHECK_INT(seen.reads, 1);
    loop_watch_free(timer);
    loop_watch_free(watch);
    loop_watch_free(signal_watch);
    loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    RUN(errors_carry_kind_text_and_context);
    RUN(error_kinds_come_back_from_http);
    RUN(text_grows_and_tables_align);
    RUN(files_are_replaced_whole_and_read_within_a_limit);
    RUN(programs_run_without_a_shell);
    RUN(loop_tells_timers_descriptors_and_signals);
    return test_end();
}
