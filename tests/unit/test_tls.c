/* The TLS filter under a real evhttp server, against mbedTLS' own client and certificates of our own making. */
#include "api/http/tls.c"

#include <event2/http.h>
#include <mbedtls/net_sockets.h>
#include <pthread.h>
#include <unistd.h>

#include "api/http/http.h"
#include "api/identity/pki.h"
#include "rtvmd/base/file.h"
#include "tests/test.h"

enum { BIG = 3 << 20 };

static char folder[] = "/tmp/rtvmd-tls-XXXXXX";
static struct pki_server pki;
static struct tls *tls;
static struct loop *loop;
static unsigned port;
static char last_user[128];

static void answer(struct http_request *request, void *arg)
{
    (void)arg;
    if (strcmp(http_path(request), "/big") == 0) {
        char *text = must_calloc(1, BIG + 1);
        memset(text, 'x', BIG);
        http_reply_take(request, 200, "text/plain", text);
        return;
    }
    struct error err = {0};
    if (strcmp(http_path(request), "/renew") == 0)
        CHECK_INT(tls_replace(tls, pki.chain, pki.key, pki.ca, &err), 0);
    struct tls_peer peer;
    snprintf(last_user, sizeof last_user, "%s",
             tls_peer(http_bufferevent(request), &peer) ? peer.common_name : "nobody");
    http_reply(request, 200, "text/plain", "hello\n", 6);
}

/* Runs a curl command line on a thread of its own while the loop serves; true when it succeeds. */
static char command[2048];
static int command_status;
static int finished[2]; /* a pipe: the only thing the two threads share while curl runs */

static void *run_command(void *arg)
{
    (void)arg;
    FILE *pipe = popen(command, "r"); /* NOLINT: the test's own text */
    char line[64];
    while (pipe && fgets(line, sizeof line, pipe))
        ;
    command_status = pipe ? pclose(pipe) : -1;
    CHECK_INT(write(finished[1], "x", 1), 1);
    return NULL;
}

static void on_finished(int fd, int what, void *arg)
{
    (void)what;
    (void)arg;
    char byte;
    CHECK_INT(read(fd, &byte, 1), 1);
    loop_stop(loop);
}

static int run_beside(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, run_command, NULL);
    loop_run(loop);
    pthread_join(thread, NULL);
    return command_status;
}

static int curl(const char *arguments, const char *path)
{
    snprintf(command, sizeof command, "curl -s -S --max-time 20 %s -o %s/out https://127.0.0.1:%u%s 2>/dev/null",
             arguments, folder, port, path);
    return run_beside();
}

static long out_size(void)
{
    auto_free char *path = must_format("%s/out", folder);
    auto_text text = {0};
    struct error err;
    return file_read(NULL, path, 2L * BIG, &text, &err) < 0 ? -1 : (long)text.length;
}

static void put(const char *name, const char *text)
{
    auto_free char *path = must_format("%s/%s", folder, name);
    struct error err;
    CHECK_INT(file_write_atomic(path, text, strlen(text), 0600, &err), 0);
}

static void serves_over_tls_and_keeps_alive(void)
{
    char with_ca[256];
    snprintf(with_ca, sizeof with_ca, "--cacert %s/pki/ca.crt", folder);
    CHECK_INT(curl(with_ca, "/"), 0);
    CHECK_INT(out_size(), 6);
    CHECK_TEXT(last_user, "nobody");
    CHECK(curl("", "/") != 0); /* a stranger's trust: curl refuses us */
    CHECK_INT(curl(with_ca, "/big"), 0);
    CHECK_INT(out_size(), BIG);
    char closing[300];
    snprintf(closing, sizeof closing, "%s -H 'Connection: close'", with_ca);
    CHECK_INT(curl(closing, "/big"), 0); /* nothing is lost when the server closes */
    CHECK_INT(out_size(), BIG);
    snprintf(closing, sizeof closing, "%s --tls-max 1.1", with_ca);
    CHECK(curl(closing, "/") != 0);
}

static void knows_clients_by_certificate(void)
{
    struct error err = {0};
    char *certificate = NULL;
    char *key = NULL;
    CHECK_INT(pki_client_make(folder, "ada", "rtvmd:edit", &certificate, &key, &err), 0);
    put("ada.crt", certificate);
    put("ada.key", key);
    char arguments[512];
    snprintf(arguments, sizeof arguments, "--cacert %s/pki/ca.crt --cert %s/ada.crt --key %s/ada.key", folder, folder,
             folder);
    CHECK_INT(curl(arguments, "/"), 0);
    CHECK_TEXT(last_user, "ada");
    free(certificate);
    free(key);
    CHECK_INT(pki_client_make(folder, "a,O=system:masters", "rtvmd:view", &certificate, &key, &err), -1);

    /* the same name signed by somebody else's CA */
    char other[] = "/tmp/rtvmd-tls2-XXXXXX";
    CHECK(mkdtemp(other) != NULL);
    struct pki_server foreign = {0};
    CHECK_INT(pki_server_load(other, "", &foreign, &err), 0);
    CHECK_INT(pki_client_make(other, "ada", "rtvmd:admin", &certificate, &key, &err), 0);
    put("ada.crt", certificate);
    put("ada.key", key);
    last_user[0] = '\0';
    CHECK(curl(arguments, "/") != 0);
    CHECK_TEXT(last_user, ""); /* the request was never seen */
    free(certificate);
    free(key);
    pki_server_finish(&foreign);
    file_remove_tree(other, &err);
}

/* The second connection comes with the ticket of the first. Exit status 0: it was taken, 3: it was not. */
static const char RESUMES[] = "import socket, ssl, sys\n"
                              "folder, port, path = sys.argv[1:]\n"
                              "context = ssl.create_default_context(cafile=folder + '/pki/ca.crt')\n"
                              "context.maximum_version = ssl.TLSVersion.TLSv1_2\n"
                              "context.load_cert_chain(folder + '/ada.crt', folder + '/ada.key')\n"
                              "def ask(session, path):\n"
                              "    plain = socket.create_connection(('127.0.0.1', int(port)), timeout=20)\n"
                              "    tls = context.wrap_socket(plain, server_hostname='127.0.0.1', session=session)\n"
                              "    tls.sendall(('GET %s HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' % path).encode())\n"
                              "    assert tls.recv(8192).startswith(b'HTTP/1.1 200')\n"
                              "    return tls.session, tls.session_reused\n"
                              "session, _ = ask(None, path)\n"
                              "sys.exit(0 if ask(session, '/')[1] else 3)\n";

static void resumes_sessions(void)
{
    struct error err = {0};
    auto_free char *certificate = NULL;
    auto_free char *key = NULL;
    CHECK_INT(pki_client_make(folder, "ada", "rtvmd:edit", &certificate, &key, &err), 0);
    put("ada.crt", certificate);
    put("ada.key", key);
    put("resumes.py", RESUMES);
    last_user[0] = '\0';
    snprintf(command, sizeof command, "python3 %s/resumes.py %s %u / 2>&1", folder, folder, port);
    CHECK_INT(run_beside(), 0);
    CHECK_TEXT(last_user, "ada"); /* the ticket knows who it is for */
    snprintf(command, sizeof command, "python3 %s/resumes.py %s %u /renew 2>&1", folder, folder, port);
    CHECK_INT(run_beside(), 3 << 8); /* tickets vouch for certificates that were replaced */
    CHECK_TEXT(last_user, "ada");
}

static void survives_garbage_and_renewal(void)
{
    char garbage[512];
    snprintf(
        garbage, sizeof garbage,
        "--cacert %s/pki/ca.crt --http0.9 --max-time 10 http://127.0.0.1:%u/ -o /dev/null; curl -s -S --cacert %s/pki/ca.crt",
        folder, port, folder);
    CHECK_INT(curl(garbage, "/"), 0);
    struct error err = {0};
    CHECK_INT(tls_replace(tls, "rubbish", pki.key, pki.ca, &err), -1);
    struct pki_server again = {0};
    CHECK_INT(pki_server_load(folder, "10.1.2.3", &again, &err), 0); /* another name: a new certificate */
    CHECK(strcmp(again.chain, pki.chain) != 0);
    CHECK_INT(tls_replace(tls, again.chain, pki.key, pki.ca, &err), -1); /* key of the old one */
    CHECK_INT(tls_replace(tls, again.chain, again.key, again.ca, &err), 0);
    char with_ca[256];
    snprintf(with_ca, sizeof with_ca, "--cacert %s/pki/ca.crt", folder);
    CHECK_INT(curl(with_ca, "/"), 0);
    pki_server_finish(&again);
    CHECK_INT(pki_server_load(folder, "10.1.2.3", &again, &err), 0); /* kept */
    pki_server_finish(&again);
}

int main(void)
{
    struct error err = {0};
    if (!mkdtemp(folder) || pki_server_load(folder, "127.0.0.1", &pki, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    loop = loop_new();
    if (pipe(finished) < 0)
        return 1;
    struct loop_watch *watch = loop_watch_fd(loop, finished[0], LOOP_READ, on_finished, NULL);
    tls = tls_new(loop, pki.chain, pki.key, pki.ca, &err);
    struct http_server *server = http_server_new(loop, answer, NULL);
    if (!tls || http_listen_tcp(server, "127.0.0.1:0", tls_wrap, tls, &port, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    RUN(serves_over_tls_and_keeps_alive);
    RUN(knows_clients_by_certificate);
    RUN(resumes_sessions);
    RUN(survives_garbage_and_renewal);
    http_server_free(server);
    while (loop_run_once(loop, false) && tls->references > 1)
        ;
    tls_free(tls);
    loop_watch_free(watch);
    loop_free(loop);
    pki_server_finish(&pki);
    file_remove_tree(folder, &err);
    return test_end();
}
