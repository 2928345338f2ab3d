/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfigs: what is taken, and what is refused by its name instead of being passed over. */
#include "common/kubernetes/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u%s}}]\n"                \
    "clusters: [{name: other, cluster: {}}, {name: k, cluster: {%s}}]\n"                           \
    "users: [{name: u, user: {%s}}]\n"
#define SERVER "server: \"https://10.0.0.1:6443\""

static enum guard_rc parse(struct kubernetes_config *config, const char *context,
                           const char *cluster, const char *user, struct guard_err *err)
{
    char text[2048];
    snprintf(text, sizeof(text), HEAD, context, cluster, user);
    return kubernetes_config_parse(config, "config", "/srv/x",
                                   (struct guard_span){(const uint8_t *)text, strlen(text)}, err);
}

static void test_what_a_kubeconfig_says(void **state)
{
    struct kubernetes_config config;
    struct guard_err err;
    (void)state;
    assert_int_equal(parse(&config, ", namespace: guard-system",
                           SERVER
                           ", certificate-authority: ca.crt, insecure-skip-tls-verify: false",
                           "client-certificate-data: UEVN, client-key: /k.pem", &err),
                     GUARD_OK);
    assert_string_equal(config.http.server, "https://10.0.0.1:6443");
    assert_string_equal(config.http.ca_file, "/srv/x/ca.crt");
    assert_string_equal(config.http.key_file, "/k.pem");
    assert_int_equal(config.http.certificate_text.len, 3);
    assert_memory_equal(config.http.certificate_text.ptr, "PEM", 3);
    assert_string_equal(config.namespace, "guard-system");
    kubernetes_config_free(&config);
    assert_int_equal(parse(&config, "", "server: \"https://k/\"", "tokenFile: t, token: abc", &err),
                     GUARD_OK);
    assert_string_equal(config.http.server, "https://k");
    assert_string_equal(config.http.token_file, "/srv/x/t");
    assert_string_equal(config.http.token, "abc");
    assert_string_equal(config.namespace, "default");
    kubernetes_config_free(&config);
}

static void refused(const char *cluster, const char *user, const char *word)
{
    struct kubernetes_config config;
    struct guard_err err;
    assert_int_not_equal(parse(&config, "", cluster, user, &err), GUARD_OK);
    if (strstr(err.text, word) == NULL)
        fail_msg("\"%s\" doesn't name %s", err.text, word);
    kubernetes_config_free(&config);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    refused("server: \"http://k\"", "token: a", "server");
    refused("server: \"https://k/prefix\"", "token: a", "server");
    refused(SERVER ", insecure-skip-tls-verify: true", "token: a", "insecure-skip-tls-verify");
    refused(SERVER ", proxy-url: \"http://p\"", "token: a", "proxy-url");
    refused(SERVER, "exec: {command: x}", "exec");
    refused(SERVER, "username: a", "username");
    refused(SERVER, "client-key-data: \"?\"", "client-key-data");
    refused(SERVER, "client-key-data: QQBC", "client-key-data"); /* a NUL in it */
}

static void test_other_documents(void **state)
{
    static const char *const texts[] = {"", "[]", "a: b", "current-context: c\ncontexts: [1]"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct kubernetes_config config;
        struct guard_err err;
        const struct guard_span text = {(const uint8_t *)texts[i], strlen(texts[i])};
        assert_int_equal(kubernetes_config_parse(&config, "config", "/", text, &err),
                         GUARD_E_SYNTAX);
        kubernetes_config_free(&config);
    }
}

static void test_outside_of_pods(void **state)
{
    struct kubernetes_config config;
    struct guard_err err;
    (void)state;
    unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(kubernetes_config_load(&config, "in-cluster", &err), GUARD_E_RANGE);
    assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_HOST"));
    kubernetes_config_free(&config);
    assert_int_equal(kubernetes_config_load(&config, "/no/such/file", &err), GUARD_E_IO);
    kubernetes_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_kubeconfig_says),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_other_documents),
        cmocka_unit_test(test_outside_of_pods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
