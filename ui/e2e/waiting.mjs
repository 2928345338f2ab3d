// SPDX-License-Identifier: Apache-2.0
// Waiting for conditions, never for time. What never came is told with what was there instead.

const TRIES = 1200;
const PAUSE_MS = 100;
const TOLD_MOST = 1500;

/** What `holds` makes of an answer, once that is something. An answer that can't be had means not yet: who is asked may be busy. */
export async function until(what, ask, holds = (answer) => answer) {
    let last;
    for (let i = 0; i < TRIES; i++) {
        try {
            last = await ask();
            const found = holds(last);
            if (found) return found;
        } catch (error) {
            last = String(error);
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    throw new Error(`never came: ${what}; at last there was ${(JSON.stringify(last) ?? "nothing").slice(0, TOLD_MOST)}`);
}
