// SPDX-License-Identifier: Apache-2.0
// Requests to the gate, from outside of the browser.
import http from "node:http";

let asked = 0;

/** The status of an answer. Each time as somebody else: who attacks that often is blocked for it. */
export function status(url, from = "") {
    asked++;
    const { hostname, port, pathname, search } = new URL(url);
    return new Promise((resolve, reject) => {
        const options = { host: hostname, port, path: pathname + search, localAddress: from || `127.7.${(asked >> 8) & 255}.${(asked & 255) || 1}`, headers: { "user-agent": "curl/7.88.1", accept: "*/*" } };
        const request = http.request(options, (answer) => answer.resume().on("end", () => resolve(answer.statusCode)));
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
