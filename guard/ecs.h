/* SPDX-License-Identifier: Apache-2.0 */
/* An alert in the words of the Elastic Common Schema, which log stores and their rules know. */
#ifndef GUARD_CLI_ECS_H
#define GUARD_CLI_ECS_H

#include "common/document.h"
#include "triage.h"

/* One line with a line feed on standard output; word may be NULL. */
void ecs_print(const struct document_node *alert, const struct triage_word *word);

#endif
