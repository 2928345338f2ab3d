// SPDX-License-Identifier: Apache-2.0

const LATEST_MS = 2000;

/** Does it when the browser has nothing else to do: what nobody waits for. Returns what calls it off. */
export function whenIdle(act: () => void): () => void {
    if (typeof requestIdleCallback === "undefined") {
        const timer = setTimeout(act, 0);
        return () => clearTimeout(timer);
    }
    const handle = requestIdleCallback(act, { timeout: LATEST_MS });
    return () => cancelIdleCallback(handle);
}
