/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens tell by their form whom to ask. */
#include "admission.h"

#include "problem.h"

#include "common/file.h"

enum guard_rc admission_init(struct admission *admission, const char *dir, const char *cluster,
                             uint64_t keep_ms, struct guard_err *err)
{
    GUARD_TRY(credentials_init(&admission->credentials, dir, err));
    return cluster != NULL ? accounts_open(&admission->accounts, cluster, keep_ms, err) : GUARD_OK;
}

void admission_fini(struct admission *admission)
{
    accounts_close(admission->accounts);
    admission->accounts = NULL;
    credentials_fini(&admission->credentials);
}

enum credentials_answer admission_check(struct admission *admission,
                                        const struct credentials_given *given, bool cheap,
                                        struct api_access *out, unsigned *retry_s)
{
    const char *token = accounts_token(admission->accounts, given->authorization);
    if (token != NULL)
        return accounts_check(admission->accounts, token, clock_unix_ms(), clock_monotonic_ms(),
                              out, retry_s);
    credentials_watch(&admission->credentials);
    return credentials_check(&admission->credentials, given, cheap, clock_unix_ms(),
                             clock_monotonic_ms(), out, retry_s);
}

bool admission_still(struct admission *admission, struct api_access *access)
{
    if (access->role == API_ROLE_LOCAL)
        return true;
    if (accounts_are(access))
        return accounts_still(admission->accounts, access, clock_unix_ms());
    credentials_watch(&admission->credentials);
    return credentials_still(&admission->credentials, access, clock_unix_ms(),
                             clock_monotonic_ms());
}

void admission_refuse(struct api_response *response, enum credentials_answer answer,
                      unsigned retry_s)
{
    if (answer == CREDENTIALS_LIMITED) {
        problem(response, 429, "too-many-attempts", "Authorization",
                "too many wrong tokens came before");
        response->retry_after_s = retry_s;
        return;
    }
    if (answer == CREDENTIALS_UNCHECKED) {
        problem(response, 503, "token-not-checked", "Authorization",
                "the cluster that made the token can't be asked just now");
        response->retry_after_s = retry_s;
        return;
    }
    if (answer == CREDENTIALS_CROSS) {
        problem(response, 403, "forbidden", "X-Guard-Console",
                "only pages of the console may use a browser's session");
        return;
    }
    problem(response, 401, "unauthorized", "Authorization", "%s",
            answer == CREDENTIALS_NONE ? "a token is needed" : "the token isn't valid");
    response->challenge = answer == CREDENTIALS_NONE
                              ? "Bearer realm=\"guardd\""
                              : "Bearer realm=\"guardd\", error=\"invalid_token\"";
}
