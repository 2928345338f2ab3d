/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters by name, chance, and the limits of what was counted. */
#include "podsim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
    const char *name;
    size_t offset;
};

#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct podsim_params, name)                                                \
    }
#define SIZE(size, at)                                                                             \
    {                                                                                              \
        "replicas_" #size, offsetof(struct podsim_params, replicas) + (at) * sizeof(double)        \
    }

static const struct name names[] = {
    MEMBER(services),
    MEMBER(days),
    MEMBER(interval),
    SIZE(1, 0),
    SIZE(2, 1),
    SIZE(3, 2),
    SIZE(5, 3),
    SIZE(10, 4),
    SIZE(30, 5),
    SIZE(100, 6),
    MEMBER(usual_min),
    MEMBER(usual_max),
    MEMBER(rollouts_per_day),
    MEMBER(rollout_changes),
    MEMBER(rollout_canary),
    MEMBER(canary_time),
    MEMBER(rollout_step),
    MEMBER(autoscaled),
    MEMBER(restarts),
    MEMBER(jobs_leader),
    MEMBER(job_every_days_max),
    MEMBER(job_exec),
    MEMBER(jobs_all),
    MEMBER(rare_single),
    MEMBER(rare_double),
    MEMBER(rare_by_request),
    MEMBER(crash_reporters),
    MEMBER(crashes),
    MEMBER(crashes_by_request),
    MEMBER(unpackers),
    MEMBER(sessions),
    MEMBER(session_hard),
    MEMBER(session_unseen),
    MEMBER(approve_after),
    MEMBER(approved),
    MEMBER(requests_per_day),
    MEMBER(requests_spread),
    MEMBER(alpha),
    MEMBER(response_findings),
    MEMBER(call_findings),
    MEMBER(endpoints),
    MEMBER(release_findings),
    MEMBER(sticky),
    MEMBER(scans),
    MEMBER(scan_time),
    MEMBER(scan_findings),
    MEMBER(scan_requests),
    MEMBER(scan_single),
    MEMBER(scan_double),
    MEMBER(broken_clients),
    MEMBER(broken_time),
    MEMBER(broken_findings),
    MEMBER(broken_single),
    MEMBER(burst_response),
    MEMBER(beside),
    MEMBER(places_max),
    MEMBER(volume),
    MEMBER(volume_spread),
    MEMBER(noise_min),
    MEMBER(noise_max),
    MEMBER(skew),
    MEMBER(skew_balanced),
    MEMBER(leader_heavy),
    MEMBER(leader_times),
    MEMBER(backup_leader),
    MEMBER(backup_all),
    MEMBER(backup_days),
    MEMBER(backup_time),
    MEMBER(backup_times),
    MEMBER(exports),
    MEMBER(export_bytes),
    MEMBER(export_spread),
    MEMBER(export_time),
    MEMBER(export_deviates),
    MEMBER(body_changes),
    MEMBER(body_spread),
    MEMBER(surges),
    MEMBER(surge_times),
    MEMBER(lossy),
    MEMBER(sidecar_only),
    MEMBER(in_flight),
    MEMBER(early),
    MEMBER(intrusions_per_1000_days),
    MEMBER(poisoned),
    MEMBER(returns),
    MEMBER(gate_sees),
    MEMBER(taken_bytes),
    MEMBER(taken_spread),
    MEMBER(taken_at_once),
    MEMBER(taken_hour),
    MEMBER(taken_day),
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static enum guard_rc read_number(const char *text, double *out, struct guard_err *err)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(*out >= 0 && *out <= 1e9))
        return guard_fail(err, GUARD_E_RANGE, "\"%s\" is no number from 0 to 1e9", text);
    return GUARD_OK;
}

static enum guard_rc put(struct podsim_params *params, const char *name, size_t len, double value,
                         uint32_t *which, struct guard_err *err)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        if (strlen(names[i].name) != len || memcmp(names[i].name, name, len) != 0)
            continue;
        memcpy((char *)params + names[i].offset, &value, sizeof(value));
        *which = i;
        return GUARD_OK;
    }
    return guard_fail(err, GUARD_E_SYNTAX, "there is no parameter \"%.*s\"", (int)len, name);
}

static enum guard_rc split(const char *assignment, size_t *len, double *value,
                           struct guard_err *err)
{
    const char *sign = strchr(assignment, '=');
    if (sign == NULL)
        return guard_fail(err, GUARD_E_SYNTAX, "\"%s\" isn't NAME=VALUE", assignment);
    *len = (size_t)(sign - assignment);
    return read_number(sign + 1, value, err);
}

enum guard_rc podsim_set(struct podsim_params *params, const char *assignment,
                         struct guard_err *err)
{
    double value = 0;
    size_t len = 0;
    uint32_t which = 0;
    GUARD_TRY(split(assignment, &len, &value, err));
    return put(params, assignment, len, value, &which, err);
}

enum guard_rc podsim_rule(struct guard_pod_rules *rules, const char *assignment,
                          struct guard_err *err)
{
    double value = 0;
    size_t len = 0;
    GUARD_TRY(split(assignment, &len, &value, err));
    if (strncmp(assignment, "replace_at=", len + 1) == 0)
        rules->replace_at = value;
    else if (strncmp(assignment, "alert_at=", len + 1) == 0)
        rules->alert_at = value;
    else if (strncmp(assignment, "grace_ms=", len + 1) == 0)
        rules->grace_ms = (uint32_t)value;
    else if (strncmp(assignment, "hard=", len + 1) == 0)
        rules->hard_kinds = value == 0 ? 0 : guard_pod_hard_kinds();
    else if (strncmp(assignment, "classes=", len + 1) == 0)
        rules->independence = value == 0 ? GUARD_POD_OBSERVERS : GUARD_POD_CLASSES;
    else
        return guard_fail(err, GUARD_E_SYNTAX, "there is no rule \"%s\"", assignment);
    return guard_pod_rules_check(rules, err);
}

static enum guard_rc read_line(struct podsim_params *params, char *line, bool seen[NAMES],
                               struct guard_err *err)
{
    char *rest = NULL;
    char *name;
    uint32_t which = 0;
    double value = 0;
    line[strcspn(line, "#\n")] = '\0';
    name = strtok_r(line, " \t", &rest);
    if (name == NULL)
        return GUARD_OK;
    char *number = strtok_r(NULL, " \t", &rest);
    GUARD_TRY(read_number(number == NULL ? "" : number, &value, err));
    GUARD_TRY(put(params, name, strlen(name), value, &which, err));
    if (seen[which])
        return guard_fail(err, GUARD_E_SYNTAX, "parameter \"%s\" is given twice", name);
    seen[which] = true;
    return GUARD_OK;
}

enum guard_rc podsim_load(struct podsim_params *params, const char *path, struct guard_err *err)
{
    bool seen[NAMES] = {false};
    char line[512];
    enum guard_rc rc = GUARD_OK;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    while (rc == GUARD_OK && fgets(line, sizeof(line), file) != NULL)
        rc = read_line(params, line, seen, err);
    (void)fclose(file);
    for (uint32_t i = 0; i < NAMES && rc == GUARD_OK; i++) {
        if (!seen[i])
            rc = guard_fail(err, GUARD_E_SYNTAX, "%s: parameter \"%s\" is missing", path,
                            names[i].name);
    }
    return rc;
}

/* --- chance --- */

uint64_t podsim_next(struct podsim_random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double podsim_share(struct podsim_random *random)
{
    return (double)(podsim_next(random) >> 11) * 0x1p-53;
}

bool podsim_happens(struct podsim_random *random, double share)
{
    return podsim_share(random) < share;
}

uint64_t podsim_below(struct podsim_random *random, uint64_t bound)
{
    return podsim_next(random) % bound;
}

double podsim_wait(struct podsim_random *random, double mean)
{
    return -mean * log(1 - podsim_share(random));
}

double podsim_normal(struct podsim_random *random)
{
    double radius = sqrt(-2 * log(1 - podsim_share(random)));
    return radius * cos(6.283185307179586 * podsim_share(random));
}

/* Beyond it lies a share of p, which is small. */
static double quantile(double p)
{
    double z = p < 0.4 ? sqrt(-2 * log(p)) - 0.5 : 0;
    for (uint32_t i = 0; i < 8; i++) {
        double density = exp(-z * z / 2) / 2.5066282746310002;
        double step = (erfc(z / 1.4142135623730951) / 2 - p) / density;
        z += step;
        if (fabs(step) < 1e-6)
            break;
    }
    return z;
}

double podsim_most(struct podsim_random *random, double count)
{
    double beyond = -expm1(log(1 - podsim_share(random)) / count);
    return quantile(beyond > 1e-18 ? beyond : 1e-18);
}

/* --- names --- */

void podsim_spell(char *to, size_t size, const char *before, uint64_t number)
{
    char letters[16];
    size_t len = 0;
    for (; len < 12 && (number > 0 || len == 0); number /= 26)
        letters[len++] = (char)('a' + number % 26);
    letters[len] = '\0';
    (void)snprintf(to, size, "%s%s", before, letters);
}

/* --- limits --- */

/* Probability of at most count. */
static double poisson_at_most(uint64_t count, double mean)
{
    double sum = 0;
    for (uint64_t i = 0; i <= count; i++)
        sum += exp((double)i * log(mean) - mean - lgamma((double)i + 1));
    return sum;
}

static double poisson_mean(uint64_t count, double probability)
{
    double low = 1e-9, high = (double)count * 2 + 50;
    for (uint32_t i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (poisson_at_most(count, middle) > probability)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void podsim_poisson(uint64_t count, double *low, double *high)
{
    *low = count == 0 ? 0 : poisson_mean(count - 1, 0.975);
    *high = poisson_mean(count, count == 0 ? 0.05 : 0.025);
}

void podsim_wilson(uint64_t good, uint64_t of, double *low, double *high)
{
    const double z = 1.96;
    double n = (double)of, p = of == 0 ? 0 : (double)good / n;
    *low = 0;
    *high = 1;
    if (of == 0)
        return;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    *low = centre - half;
    *high = centre + half;
}
