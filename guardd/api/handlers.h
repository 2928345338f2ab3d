/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of the API, by the file that holds them. */
#ifndef GUARDD_API_HANDLERS_H
#define GUARDD_API_HANDLERS_H

#include "api.h"

/* operations.c: the daemon itself. */
api_handler api_live, api_ready, api_build, api_status, api_openapi_yaml, api_openapi_json;
/* metrics.c */
api_handler api_metrics;
/* alert_index.c */
api_handler api_alert_index;
/* alert_review.c */
api_handler api_alert_review;
/* blocks.c */
api_handler api_block_post, api_block_delete;
/* services.c */
api_handler api_services, api_service_one, api_clients;
/* traffic.c: over time. */
api_handler api_history;
/* endpoint.c */
api_handler api_endpoint;
/* learned.c: what was learned, as it lies in files. */
api_handler api_pile;
/* guardians.c */
api_handler api_guardian_get, api_guardian_put;
/* pods.c: what pods do, and what people decide of it. */
api_handler api_pods, api_pods_decided, api_pods_decide, api_pods_resume, api_pods_session;
api_handler api_pods_withdraw, api_pods_withdraw_end;
/* exceptions.c */
api_handler api_exceptions_get, api_exceptions_post, api_exception_delete;
/* patches.c */
api_handler api_patches_get, api_patches_post, api_patch_get, api_patch_put, api_patch_delete;
/* previews.c: what other settings would have done. */
api_handler api_preview;
/* proposals.c: patches for exploits. */
api_handler api_proposal;
/* controls.c: what a gate may do, and whether it learns. */
api_handler api_mode_get, api_mode_put, api_learning_get, api_learning_put;
api_handler api_lift;
api_handler api_bypass_get, api_bypass_put, api_bypass_delete;
/* history.c: generations. */
api_handler api_generations, api_diff, api_rollback_get, api_rollback_put, api_rollback_delete;
/* decisions.c: the review. */
api_handler api_review_get, api_review_post, api_decisions, api_decisions_post;
/* logs.c: alerts, what people said of them, and the audit. */
api_handler api_alerts, api_alerts_stream, api_alert, api_triage_get, api_triage_put, api_audit;
api_handler api_looks, api_triage_all, api_changes;
/* tokens.c: who may use the API. */
api_handler api_tokens, api_token_add, api_token_remove;
/* logins.c: sessions of browsers. */
api_handler api_session_get, api_session_post, api_session_delete, api_session_code;
/* forgets.c: what people want to be forgotten. */
api_handler api_forget, api_forget_report;
/* outputs.c: where alerts go. */
api_handler api_outputs, api_output_test;
/* reports.c: what nodes below this one send and fetch. */
api_handler api_report_key, api_report_piles, api_report_policy, api_report_verdicts,
    api_report_withdrawals;
api_handler api_report_summary;
/* pod_reports.c */
api_handler api_report_pods;

#endif
