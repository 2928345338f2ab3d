// SPDX-License-Identifier: Apache-2.0
// Requests to the gate, from outside of the browser.
import http from "node:http";

let asked = 0;

const LIMIT_MS = 30_000;

/** The status of an answer, 0 of one that is cut: what is bad and has begun can't be answered otherwise. Each time as somebody else: who attacks that often is blocked for it. */
export function status(url, from = "") {
    asked++;
    const { hostname, port, pathname, search } = new URL(url);
    return new Promise((resolve, reject) => {
        const options = { host: hostname, port, path: pathname + search, localAddress: from || `127.7.${(asked >> 8) & 255}.${(asked & 255) || 1}`, headers: { "user-agent": "curl/7.88.1", accept: "*/*" } };
        // Nobody tells of an answer's error, nor of its end then, but of its being closed.
        const request = http.request(options, (answer) => answer.resume().on("close", () => resolve(answer.complete ? answer.statusCode : 0)));
        request.setTimeout(LIMIT_MS, () => request.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
        request.on("error", reject);
        request.end();
    });
}

/** Gates follow within seconds. */
export async function until(url, want, from = "") {
    for (let i = 0; i < 600; i++) {
        if ((await status(url, from)) === want) return true;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
}
