/* SPDX-License-Identifier: Apache-2.0 */
/* An alert in the words of the Elastic Common Schema, which log stores and their rules know. */
#ifndef GUARD_COMMON_ECS_H
#define GUARD_COMMON_ECS_H

#include "common/document.h"
#include "common/json_writer.h"

enum { ECS_LINE_MAX = 96 * 1024 };

/* The alert as an object. triage: what a person said of it; NULL: nobody did. */
void ecs_write(struct json_writer *json, const struct document_node *alert, const char *triage);

#endif
