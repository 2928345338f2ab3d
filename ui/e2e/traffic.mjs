// SPDX-License-Identifier: Apache-2.0
// Requests to the gate, from outside of the browser.
import http from "node:http";

let asked = 0;

const LIMIT_MS = 30_000;

/** Status and headers of an answer; the status is 0 of one that is cut: what is bad and has begun can't be answered otherwise. The path is sent as it is. */
export function send(gate, path, { from, headers = {}, body = "" }) {
    const { hostname, port } = new URL(gate);
    return new Promise((resolve, reject) => {
        const options = { host: hostname, port, path, localAddress: from, headers, method: body ? "POST" : "GET" };
        // Nobody tells of an answer's error, nor of its end then, but of its being closed.
        const request = http.request(options, (answer) => answer.resume().on("close", () => resolve({ status: answer.complete ? answer.statusCode : 0, headers: answer.headers })));
        request.removeHeader("connection"); // the demo's clients send none: it would deviate, too
        request.setTimeout(LIMIT_MS, () => request.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
        request.on("error", reject);
        request.end(body);
    });
}

/** Each time as somebody else: who attacks that often is blocked for it. */
export function get(url, from = "") {
    asked++;
    const { origin, pathname, search } = new URL(url);
    return send(origin, pathname + search, { from: from || `127.7.${(asked >> 8) & 255}.${(asked & 255) || 1}`, headers: { "user-agent": "curl/7.88.1", accept: "*/*" } });
}

export async function status(url, from = "") {
    return (await get(url, from)).status;
}

/** Gates follow within seconds. */
export async function until(url, want, from = "") {
    for (let i = 0; i < 600; i++) {
        if ((await status(url, from)) === want) return true;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
}
