/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes. */
#include "handlers.h"
#include "router.h"

#include <stddef.h>

/* Literal segments stand before patterns that would match them. */
const struct api_route api_routes[] = {
    {"GET", "/health/live", {NULL}, api_live},
    {"GET", "/health/ready", {NULL}, api_ready},
    {"GET", "/build", {NULL}, api_build},
    {"GET", "/status", {NULL}, api_status},
    {"GET", "/metrics", {NULL}, api_metrics},
    {"GET", "/openapi.yaml", {NULL}, api_openapi_yaml},
    {"GET", "/openapi.json", {NULL}, api_openapi_json},
    {"GET", "/services", {"limit", "cursor"}, api_services},
    {"GET", "/services/{service}", {NULL}, api_service_one},
    {"GET", "/services/{service}/guardian", {NULL}, api_guardian_get},
    {"PUT", "/services/{service}/guardian", {"dryRun", "reason"}, api_guardian_put},
    {"GET", "/services/{service}/mode", {NULL}, api_mode_get},
    {"PUT", "/services/{service}/mode", {NULL}, api_mode_put},
    {"GET", "/services/{service}/learning", {NULL}, api_learning_get},
    {"PUT", "/services/{service}/learning", {NULL}, api_learning_put},
    {"GET", "/services/{service}/bypass", {NULL}, api_bypass_get},
    {"PUT", "/services/{service}/bypass", {NULL}, api_bypass_put},
    {"DELETE", "/services/{service}/bypass", {"reason"}, api_bypass_delete},
    {"GET", "/services/{service}/generations", {NULL}, api_generations},
    {"GET", "/services/{service}/diff", {"from", "to"}, api_diff},
    {"GET", "/services/{service}/rollback", {NULL}, api_rollback_get},
    {"PUT", "/services/{service}/rollback", {NULL}, api_rollback_put},
    {"DELETE", "/services/{service}/rollback", {"reason"}, api_rollback_delete},
    {"GET", "/services/{service}/review", {"limit", "cursor"}, api_review_get},
    {"POST", "/services/{service}/review", {NULL}, api_review_post},
    {"GET", "/services/{service}/clients", {"limit", "cursor"}, api_clients},
    {"GET", "/alerts", {"service", "action", "client", "since", "limit", "cursor"}, api_alerts},
    {"GET", "/alerts/stream", {"service", "action", "client"}, api_alerts_stream},
    {"GET", "/alerts/{id}", {NULL}, api_alert},
    {"GET", "/alerts/{id}/triage", {NULL}, api_triage_get},
    {"PUT", "/alerts/{id}/triage", {NULL}, api_triage_put},
    {"GET", "/audit", {"service", "action", "since", "limit", "cursor"}, api_audit},
    {NULL, NULL, {NULL}, NULL},
};
