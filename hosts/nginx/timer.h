/* SPDX-License-Identifier: Apache-2.0 */
/* The time that responses take. An exchange whose endpoint has a deadline waits in a wheel of the
 * worker; when its time is over and the service still works on the response, it is late. */
#ifndef NGX_HTTP_GUARD_TIMER_H
#define NGX_HTTP_GUARD_TIMER_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <stdbool.h>
#include <stdint.h>

enum gate_time { GATE_TIME_OFF = 0, GATE_TIME_ALERT = 1, GATE_TIME_ABORT = 2 };

/* Of an exchange. Zeroed: none. */
struct gate_timer {
    ngx_queue_t link;
    ngx_http_request_t *request;
    ngx_msec_t since; /* when the request was complete */
    ngx_msec_t due;
    bool waiting; /* link is in the wheel */
    bool limited; /* there was a deadline */
    bool late;
};

enum { GATE_BREAKER_WINDOW = 200 };

/* Of a service in one worker: whether being late says anything at present. */
struct gate_breaker {
    uint8_t late[GATE_BREAKER_WINDOW]; /* of the last exchanges that had a deadline */
    uint32_t next;
    uint32_t late_count;
    bool open; /* everything is slow: nothing is cut */
};

#endif
