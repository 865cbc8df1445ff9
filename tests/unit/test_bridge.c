/* libvirt's event functions on our loop, called the way libvirt calls them: from the loop thread and from others. */
#include "runtime/hypervisor/bridge.c"
#include "tests/test.h"

static struct loop *loop;
static int fired;
static int released;

static void on_fired_fd(int id, int fd, int events, void *opaque)
{
    (void)id, (void)opaque;
    char byte;
    if (events & VIR_EVENT_HANDLE_READABLE)
        CHECK_INT(read(fd, &byte, 1), 1);
    fired++;
}

static void on_fired_timer(int id, void *opaque)
{
    (void)id, (void)opaque;
    fired++;
}

static void on_released(void *opaque)
{
    CHECK(opaque == &released);
    released++;
}

static void turn(int rounds)
{
    for (int i = 0; i < rounds; i++)
        loop_run_once(loop, false);
}

static void set_up(void)
{
    loop = loop_new();
    bridge_attach(loop);
    fired = released = 0;
}

static void tear_down(void)
{
    bridge_detach();
    loop_free(loop);
}

static void watches_a_descriptor(void)
{
    set_up();
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    int id = virEventAddHandle(ends[0], 0, on_fired_fd, &released, on_released);
    CHECK(id > 0);
    CHECK_INT(write(ends[1], "ab", 2), 2);
    turn(3);
    CHECK_INT(fired, 0); /* no events were asked for */
    virEventUpdateHandle(id, VIR_EVENT_HANDLE_READABLE);
    turn(3);
    CHECK_INT(fired, 2);
    CHECK_INT(virEventRemoveHandle(id), 0);
    CHECK_INT(released, 0); /* not within the removing call */
    CHECK_INT(virEventRemoveHandle(id), -1);
    turn(3);
    CHECK_INT(released, 1);
    close(ends[0]);
    close(ends[1]);
    tear_down();
}

static void drops_a_callback_changed_at_the_last_moment(void)
{
    set_up();
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    int id = virEventAddHandle(ends[0], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
    turn(2);
    CHECK_INT(write(ends[1], "a", 1), 1);
    virEventUpdateHandle(id, 0); /* the loop has not heard of it, the descriptor is ready */
    turn(3);
    CHECK_INT(fired, 0);
    virEventRemoveHandle(id);
    turn(2);
    CHECK_INT(fired, 0);
    CHECK_INT(released, 1);
    close(ends[0]);
    close(ends[1]);
    tear_down();
}

static void takes_a_number_again_after_its_release(void)
{
    set_up();
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    int id = virEventAddHandle(ends[0], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
    turn(2);
    virEventRemoveHandle(id);
    turn(2);
    int old = ends[0];
    close(ends[0]);
    close(ends[1]);
    CHECK_INT(pipe(ends), 0);
    CHECK_INT(ends[0], old);
    id = virEventAddHandle(ends[0], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
    CHECK_INT(write(ends[1], "a", 1), 1);
    turn(4);
    CHECK_INT(fired, 1);
    virEventRemoveHandle(id);
    turn(2);
    close(ends[0]);
    close(ends[1]);
    tear_down();
}

static void runs_timers(void)
{
    set_up();
    int id = virEventAddTimeout(-1, on_fired_timer, &released, on_released);
    turn(3);
    CHECK_INT(fired, 0);
    virEventUpdateTimeout(id, 0);
    turn(4);
    CHECK(fired >= 2); /* every round */
    virEventUpdateTimeout(id, -1);
    turn(2);
    int before = fired;
    turn(3);
    CHECK_INT(fired, before);
    virEventUpdateTimeout(id, 1);
    uint64_t deadline = now_monotonic_ms() + 1000;
    while (fired < before + 3 && now_monotonic_ms() < deadline)
        loop_run_once(loop, true);
    CHECK_INT(fired, before + 3);
    CHECK_INT(virEventRemoveTimeout(id), 0);
    turn(2);
    CHECK_INT(released, 1);
    tear_down();
}

static void removes_from_within_a_callback_of_a_free_function(void *opaque)
{
    on_released(&released);
    virEventRemoveTimeout(*(int *)opaque);
}

static void releases_all_on_detach(void)
{
    set_up();
    int second = virEventAddTimeout(1000, on_fired_timer, &released, on_released);
    int first = virEventAddTimeout(1000, on_fired_timer, &second, removes_from_within_a_callback_of_a_free_function);
    turn(2);
    virEventRemoveTimeout(first);
    tear_down(); /* the first one's free function removes the second */
    CHECK_INT(released, 2);
    CHECK(bridge.first == NULL);
}

static void parks_what_is_left_until_the_next_loop(void)
{
    set_up();
    int id = virEventAddTimeout(0, on_fired_timer, &released, on_released);
    turn(2);
    tear_down();
    CHECK_INT(released, 0);
    set_up();
    turn(2);
    CHECK(fired > 0);
    virEventRemoveTimeout(id);
    turn(2);
    CHECK_INT(released, 1);
    tear_down();
}

/* What libvirt does around each answer, on the thread that waits for it. */
static int called[2];
static void *call(void *arg)
{
    (void)arg;
    virEventUpdateHandle(called[0], 0);
    virEventUpdateHandle(called[0], VIR_EVENT_HANDLE_READABLE);
    virEventUpdateTimeout(called[1], 50);
    return NULL;
}

static void sleeps_while_another_thread_calls(void)
{
    set_up();
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    called[0] = virEventAddHandle(ends[0], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
    called[1] = virEventAddTimeout(50, on_fired_timer, &released, on_released);
    turn(3);
    uint64_t begin_ms = now_monotonic_ms();
    while (now_monotonic_ms() < begin_ms + 20)
        usleep(1000);
    pthread_t thread;
    pthread_create(&thread, NULL, call, NULL);
    pthread_join(thread, NULL);
    uint64_t called_ms = now_monotonic_ms();
    CHECK(!bridge.awake);
    CHECK_INT(fired, 0);
    while (!fired)
        loop_run_once(loop, true);
    CHECK_INT(fired, 1); /* the timer, later than it was armed for: the pipe is empty */
    CHECK(now_monotonic_ms() + 10 >= called_ms + 50);
    virEventUpdateTimeout(called[1], -1);
    CHECK_INT(write(ends[1], "a", 1), 1);
    turn(3);
    CHECK_INT(fired, 2); /* watched again, though the loop was not told */
    virEventRemoveHandle(called[0]);
    virEventRemoveTimeout(called[1]);
    turn(2);
    CHECK_INT(released, 2);
    close(ends[0]);
    close(ends[1]);
    tear_down();
}

static void *hasten(void *arg)
{
    virEventUpdateTimeout(*(int *)arg, 1);
    return NULL;
}

static void wakes_for_a_timer_that_is_wanted_earlier(void)
{
    set_up();
    int timer = virEventAddTimeout(3600000, on_fired_timer, &released, on_released);
    turn(2);
    pthread_t thread;
    pthread_create(&thread, NULL, hasten, &timer);
    while (!fired)
        loop_run_once(loop, true);
    pthread_join(thread, NULL);
    virEventRemoveTimeout(timer);
    turn(2);
    tear_down();
}

static void tells_of_the_other_end_only_when_asked(void)
{
    set_up();
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    int id = virEventAddHandle(ends[1], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
    virEventUpdateHandle(id, 0);
    close(ends[0]);
    turn(3);
    CHECK_INT(fired, 0);
    virEventUpdateHandle(id, VIR_EVENT_HANDLE_WRITABLE);
    turn(2);
    CHECK(fired > 0);
    CHECK_INT(virEventAddHandle(-1, VIR_EVENT_HANDLE_READABLE, on_fired_fd, NULL, NULL), -1);
    virEventRemoveHandle(id);
    turn(2);
    close(ends[1]);
    tear_down();
}

static void *stir(void *arg)
{
    int *ends = arg;
    for (int i = 0; i < 300; i++) {
        int handle = virEventAddHandle(ends[0], VIR_EVENT_HANDLE_READABLE, on_fired_fd, &released, on_released);
        int timer = virEventAddTimeout(-1, on_fired_timer, &released, on_released);
        virEventUpdateTimeout(timer, 0);
        virEventUpdateHandle(handle, 0);
        virEventUpdateHandle(handle, VIR_EVENT_HANDLE_READABLE);
        virEventRemoveHandle(handle);
        virEventRemoveTimeout(timer);
    }
    return NULL;
}

static void serves_several_threads(void)
{
    set_up();
    int ends[2][2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pipe(ends[i]), 0);
        pthread_create(&threads[i], NULL, stir, ends[i]);
    }
    uint64_t deadline = now_monotonic_ms() + 5000;
    while (released < 2 * 600 && now_monotonic_ms() < deadline)
        loop_run_once(loop, false);
    CHECK_INT(released, 2 * 600);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    tear_down();
}

int main(void)
{
    RUN(watches_a_descriptor);
    RUN(drops_a_callback_changed_at_the_last_moment);
    RUN(takes_a_number_again_after_its_release);
    RUN(runs_timers);
    RUN(releases_all_on_detach);
    RUN(parks_what_is_left_until_the_next_loop);
    RUN(sleeps_while_another_thread_calls);
    RUN(wakes_for_a_timer_that_is_wanted_earlier);
    RUN(tells_of_the_other_end_only_when_asked);
    RUN(serves_several_threads);
    return test_end();
}
