/* SPDX-License-Identifier: Apache-2.0 */
/* The list of tokens, and the headers that are held against it. Three lines are the headers
 * Authorization, X-Guard-Subject and X-Guard-Front; the rest is the file. Nothing costly runs. */
#include "guardd/api/credentials.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends with a newline; NULL when the line is empty. The caller frees. */
static char *line(const uint8_t **data, size_t *size)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t len = end != NULL ? (size_t)(end - *data) : *size;
    char *text = len > 0 ? malloc(len + 1) : NULL;
    if (text != NULL) {
        memcpy(text, *data, len);
        text[len] = '\0';
    }
    len += end != NULL;
    *data += len;
    *size -= len;
    return text;
}

/* Whoever is let in is in the list, and has no more than what it says. */
static void hold(struct credentials *credentials, const struct credentials_given *given)
{
    struct api_access access;
    unsigned retry_s = 0;
    enum credentials_answer answer =
        credentials_check(credentials, given, true, 1000, 1000, &access, &retry_s);
    if ((answer == CREDENTIALS_GOOD) != (access.role != API_ROLE_NONE))
        abort();
    if (given->front_door && access.role == API_ROLE_LOCAL)
        abort();
    if (answer == CREDENTIALS_GOOD && !credentials_still(credentials, &access, 1000, 1000))
        abort();
    (void)api_access_covers(&access, GUARD_SPAN_LITERAL("shop"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials credentials = {.dir = "/nonexistent"};
    struct guard_err err;
    char *authorization = line(&data, &size);
    char *subject = line(&data, &size);
    char *front = line(&data, &size);
    if (access_list_parse(&credentials.list, "access.json", (struct guard_span){data, size},
                          &err) == GUARD_OK) {
        credentials.known = calloc(credentials.list.count + 1, sizeof(*credentials.known));
        if (credentials.known == NULL)
            abort();
        /* As if all had been seen: with the MAC of nothing but what is asked with below. */
        for (uint32_t i = 0; i < credentials.list.count; i++)
            credentials.known[i].known = i % 2 == 0;
        hold(&credentials, &(struct credentials_given){.authorization = authorization,
                                                       .subject = subject,
                                                       .front = front,
                                                       .front_door = true});
        hold(&credentials,
             &(struct credentials_given){
                 .authorization = authorization, .subject = subject, .front = front, .uid = 54321});
    }
    credentials_fini(&credentials);
    free(authorization);
    free(subject);
    free(front);
    return 0;
}
