/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown of a service's pods: one document for the API and, as pods/SERVICE.json, for the
 * command line. */
#ifndef GUARDD_PODS_SHOW_H
#define GUARDD_PODS_SHOW_H

#include "tell.h"

enum { PODS_SHOWN_MAX = 400 * 1024 };

/* The members of an object that is open, up to so many bytes: workloads with their replicas and
 * what one does alone, those that do most first; the newest cases, orders, sessions. part: replicas
 * and cases only of pods whose name holds it, "": all. */
void pods_show(struct json_writer *json, const struct services *services,
               const struct service *service, const char *part, uint64_t now_ms);
/* "pods": {...} of a list of services: how many workloads there are, and how many pods were told of
 * within a day, since guardd started. */
void pods_summary(struct json_writer *json, const struct services *services,
                  const struct service *service, uint64_t now_ms);
/* What a thing with that id is, in the words of the first workload that knows it. False: none does.
 */
bool pods_thing(const struct service *service, uint64_t id, char out[160]);
/* Replaces pods/SERVICE.json of services that have pods: of those that learned something since they
 * were saved, or of all. */
void pods_show_files(const struct services *services, bool all, uint64_t now_ms);

#endif
