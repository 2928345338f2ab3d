// SPDX-License-Identifier: Apache-2.0
// The first view of somebody who is logged in: a browser without a cache, until the services stand there. What it fetches is counted; how
// long it takes is told by the clock and in processor time of all of the browser, which says the same on a machine that is busy.
import { check, open, untilSo } from "./browser.mjs";

const { CONSOLE, OPERATOR } = process.env;
const RUNS = Number(process.env.RUNS ?? 9);
const { browser, context, page, faults } = await open();

await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").fill(OPERATOR);
await page.getByRole("button", { name: "Log in" }).click();
await page.getByRole("link", { name: /^service-/ }).first().waitFor();
const cookies = await context.cookies();
await context.close();
const whole = await browser.newBrowserCDPSession();

/** Milliseconds of a processor that the browser took since it was started. */
async function processor() {
    const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, one) => sum + one.cpuTime * 1000, 0);
}

/** In the page: when the frame was made that has the first service. A look from outside, again and again, would keep it from its work. */
function tellWhenThere() {
    new MutationObserver((_, observer) => {
        if (!document.querySelector("a.service")) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => (globalThis.there = performance.now())));
    }).observe(document, { childList: true, subtree: true });
}

async function view() {
    const fresh = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    await fresh.addCookies(cookies);
    const tab = await fresh.newPage();
    const devtools = await fresh.newCDPSession(tab);
    const bytes = { files: 0, api: 0 };
    const kinds = new Map();
    const begun = new Map();
    const asked = [];
    devtools.on("Network.requestWillBeSent", ({ requestId, request, timestamp }) => {
        kinds.set(requestId, request.url.includes("/api/") ? "api" : "files");
        begun.set(requestId, { path: new URL(request.url).pathname, from: timestamp });
    });
    devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength, timestamp }) => {
        bytes[kinds.get(requestId)] += encodedDataLength;
        asked.push({ ...begun.get(requestId), to: timestamp });
    });
    await devtools.send("Network.enable");
    await devtools.send("Performance.enable");
    await tab.addInitScript(tellWhenThere);
    const before = await processor();
    await tab.goto(`${CONSOLE}/console/`);
    await untilSo(tab, () => globalThis.there > 0, null, "the services are there");
    const taken = (await processor()) - before;
    const seen = await tab.evaluate(() => ({ there: globalThis.there, painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0 }));
    check((await tab.getByRole("link", { name: /^service-/ }).count()) > 0, "services stand there");
    const { metrics } = await devtools.send("Performance.getMetrics");
    const script = (metrics.find((one) => one.name === "ScriptDuration")?.value ?? 0) * 1000;
    await fresh.close();
    return { ...seen, script, taken, bytes, steps: stepsOf(asked), requests: asked.length };
}

/** So many requests, at most, waited for one another. */
function stepsOf(asked) {
    const steps = [];
    for (const one of [...asked].sort((a, b) => a.from - b.from)) steps.push({ ...one, depth: 1 + Math.max(0, ...steps.filter((other) => other.to <= one.from).map((other) => other.depth)) });
    return Math.max(0, ...steps.map((one) => one.depth));
}

const views = [];
await view(); // what the browser itself makes ready the first time
for (let i = 0; i < RUNS; i++) views.push(await view());
const figure = (of) => {
    const sorted = views.map(of).sort((a, b) => a - b);
    return `${Math.round(sorted[sorted.length >> 1])} ms (${Math.round(sorted[0])} to ${Math.round(sorted[sorted.length - 1])})`;
};
const kib = (of) => Math.round(Math.max(...views.map(of)) / 1024);
console.log(`first view: ${kib((one) => one.bytes.files)} KiB of files and ${kib((one) => one.bytes.api)} KiB of answers over the wire, in ${Math.max(...views.map((one) => one.requests))} requests of which at most ${Math.max(...views.map((one) => one.steps))} wait for one another`);
console.log(`first view: painted after ${figure((one) => one.painted)}, the services there after ${figure((one) => one.there)}`);
console.log(`first view: scripts took ${figure((one) => one.script)}; processor time of the whole browser ${figure((one) => one.taken)}`);
check(views.every((one) => one.bytes.files < 150 * 1024), "its files are at most 150 KiB");
check(faults.filter((one) => !/status of 401/.test(one)).length === 0, `nothing is wrong on the console: ${faults.join("; ")}`);
await browser.close();
