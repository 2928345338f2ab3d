/* SPDX-License-Identifier: Apache-2.0 */
/* What one model teaches that another doesn't, or teaches otherwise. */
#include "common/model_diff.h"

#include "common/clean.h"
#include "common/model_text.h"

#include <stdio.h>
#include <string.h>

static void say(const struct line_sink *to, char sign, const char *format, ...) GUARD_PRINTF(3, 4);

static void say(const struct line_sink *to, char sign, const char *format, ...)
{
    char text[4096];
    va_list args;
    text[0] = sign;
    text[1] = ' ';
    va_start(args, format);
    vsnprintf(text + 2, sizeof(text) - 2, format, args);
    va_end(args);
    to->line(to->ctx, text);
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static const struct guard_model_endpoint *endpoint_of(const struct guard_model *model,
                                                      const struct guard_model_endpoint *like)
{
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        if (same(model->endpoints[i].method, like->method) &&
            same(model->endpoints[i].template_text, like->template_text))
            return &model->endpoints[i];
    }
    return NULL;
}

static const struct guard_model_field *field_of(const struct guard_model *model, uint32_t first,
                                                uint32_t count,
                                                const struct guard_model_field *like)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (model->fields[i].location == like->location && same(model->fields[i].path, like->path))
            return &model->fields[i];
    }
    return NULL;
}

static void print_line(const struct line_sink *to, char sign, const char *scope,
                       const struct guard_model_field *field, const char *norm)
{
    char name[1024];
    say(to, sign, "%s%s %s: %s", scope, guard_location_name(field->location),
        clean(name, sizeof(name), (const char *)field->path.ptr, field->path.len), norm);
}

struct range {
    const struct guard_model *model;
    uint32_t first;
    uint32_t count;
};

/* Fields of a that b lacks (sign) and, once, those that differ. Returns how many lines were
 * printed. */
static int compare_fields(const struct line_sink *to, const char *scope, struct range a,
                          struct range b, char sign)
{
    int lines = 0;
    for (uint32_t i = a.first; i < a.first + a.count; i++) {
        const struct guard_model_field *field = &a.model->fields[i];
        const struct guard_model_field *other = field_of(b.model, b.first, b.count, field);
        char norm[MODEL_TEXT_MAX];
        char other_norm[MODEL_TEXT_MAX];
        model_field_norm(field, norm);
        if (other == NULL) {
            print_line(to, sign, scope, field, norm);
            lines++;
            continue;
        }
        model_field_norm(other, other_norm);
        if (sign == '-' && strcmp(norm, other_norm) != 0) {
            print_line(to, '-', scope, field, norm);
            print_line(to, '+', scope, other, other_norm);
            lines += 2;
        }
    }
    return lines;
}

static struct guard_span no_name(void)
{
    return (struct guard_span){NULL, 0};
}

/* What a response belongs to: method and template of its endpoint; none of the service's. */
static const struct guard_model_endpoint *asked_of(const struct guard_model *model,
                                                   const struct guard_model_endpoint *answer)
{
    return answer->answer_of < model->endpoint_count ? &model->endpoints[answer->answer_of] : NULL;
}

static const struct guard_model_endpoint *answer_of(const struct guard_model *model,
                                                    const struct guard_model_endpoint *asked,
                                                    uint32_t status)
{
    for (uint32_t i = 0; i < model->answer_count; i++) {
        const struct guard_model_endpoint *answer = &model->endpoints[model->endpoint_count + i];
        const struct guard_model_endpoint *other = asked_of(model, answer);
        if (answer->status == status && (asked == NULL) == (other == NULL) &&
            (asked == NULL || (same(asked->method, other->method) &&
                               same(asked->template_text, other->template_text))))
            return answer;
    }
    return NULL;
}

static void answer_scope(char scope[512], const struct guard_model_endpoint *asked, uint32_t status)
{
    char method[32];
    char path[400];
    struct guard_span method_text = asked != NULL ? asked->method : no_name();
    struct guard_span path_text = asked != NULL ? asked->template_text : no_name();
    snprintf(scope, 512, "%s%s%s%sresponse %uxx ",
             clean(method, sizeof(method), (const char *)method_text.ptr, method_text.len),
             asked != NULL ? " " : "",
             clean(path, sizeof(path), (const char *)path_text.ptr, path_text.len),
             asked != NULL ? " " : "", status);
}

/* What endpoints answer with, and the service. */
static int compare_answers(const struct line_sink *to, const struct guard_model *a,
                           const struct guard_model *b, char sign)
{
    int lines = 0;
    for (uint32_t i = 0; i < a->answer_count; i++) {
        const struct guard_model_endpoint *answer = &a->endpoints[a->endpoint_count + i];
        const struct guard_model_endpoint *asked = asked_of(a, answer);
        const struct guard_model_endpoint *other = answer_of(b, asked, answer->status);
        char scope[512];
        answer_scope(scope, asked, answer->status);
        if (other == NULL) {
            say(to, sign, "%s", scope);
            lines++;
            continue;
        }
        lines +=
            compare_fields(to, scope, (struct range){a, answer->first_field, answer->field_count},
                           (struct range){b, other->first_field, other->field_count}, sign);
    }
    return lines;
}

static int compare_endpoints(const struct line_sink *to, const struct guard_model *a,
                             const struct guard_model *b, char sign)
{
    int lines = 0;
    for (uint32_t i = 0; i < a->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &a->endpoints[i];
        const struct guard_model_endpoint *other = endpoint_of(b, endpoint);
        char scope[512];
        char method[32];
        char path[400];
        struct guard_span template_text = endpoint->template_text;
        snprintf(
            scope, sizeof(scope), "%s %s ",
            clean(method, sizeof(method), (const char *)endpoint->method.ptr, endpoint->method.len),
            clean(path, sizeof(path), (const char *)template_text.ptr, template_text.len));
        if (other == NULL) {
            say(to, sign, "%s", scope);
            lines++;
            continue;
        }
        lines += compare_fields(to, scope,
                                (struct range){a, endpoint->first_field, endpoint->field_count},
                                (struct range){b, other->first_field, other->field_count}, sign);
    }
    return lines +
           compare_fields(to, "", (struct range){a, a->first_service_field, a->service_field_count},
                          (struct range){b, b->first_service_field, b->service_field_count}, sign);
}

int model_diff(const struct guard_model *a, const struct guard_model *b, const struct line_sink *to)
{
    return compare_endpoints(to, a, b, '-') + compare_endpoints(to, b, a, '+') +
           compare_answers(to, a, b, '-') + compare_answers(to, b, a, '+');
}
