// SPDX-License-Identifier: Apache-2.0
// How long a browser takes from an input to the paint, with what bench/console.py put there: nothing here is made up.
import { open } from "./browser.mjs";

const { CONSOLE, OPERATOR } = process.env;
const ALERTS = Number(process.env.ALERTS);
const { browser, page } = await open();

const TASKS = new Set(["RunTask", "ThreadControllerImpl::RunTask"]);

/** The longest task of the page's main thread: how long it took, and how much of that it had a processor. */
function longestTask(trace) {
    const { traceEvents } = JSON.parse(trace.toString());
    const mains = new Set(traceEvents.filter((one) => one.name === "thread_name" && one.args.name === "CrRendererMain").map((one) => `${one.pid} ${one.tid}`));
    const tasks = traceEvents.filter((one) => one.ph === "X" && TASKS.has(one.name) && mains.has(`${one.pid} ${one.tid}`));
    const most = (of) => Math.round(tasks.reduce((worst, one) => Math.max(worst, one[of] ?? 0), 0) / 1000);
    return { wall: most("dur"), busy: most("tdur") };
}

/** Milliseconds from an input until it was painted, the worst of several, and the longest task meanwhile. */
async function slowest(what, act) {
    await page.evaluate(() => {
        globalThis.worst = 0;
        globalThis.watch ??= new PerformanceObserver((list) => {
            for (const one of list.getEntries()) globalThis.worst = Math.max(globalThis.worst, one.duration);
        });
        globalThis.watch.observe({ type: "event", durationThreshold: 16 });
    });
    await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
    await act();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const task = longestTask(await browser.stopTracing());
    console.log(`browser: ${what}: ${await page.evaluate(() => globalThis.worst)} ms from the input to the paint; the longest task ${task.wall} ms, of which ${task.busy} ms of CPU`);
}

await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").fill(OPERATOR);
await page.getByRole("button", { name: "Log in" }).click();
const begun = Date.now();
await page.getByRole("link", { name: /^service-/ }).first().waitFor();
console.log(`browser: the overview was there ${Date.now() - begun} ms after logging in`);
await slowest("typing into the overview's filter", async () => {
    await page.getByRole("searchbox").pressSequentially("service-49", { delay: 40 });
    await page.getByRole("link", { name: /service-499/ }).waitFor();
});
await slowest("opening a service", async () => {
    await page.getByRole("link", { name: /service-499/ }).click();
    await page.getByRole("heading", { name: "Endpoints" }).waitFor();
    await page.getByText("As a table").waitFor();
});
await slowest("its traffic as a table", () => page.getByText("As a table").click());
await page.goto(`${CONSOLE}/console/#/alerts`);
const region = page.getByRole("region", { name: "Alerts" });
await region.waitFor();
await region.focus();
const loading = Date.now();
await slowest(`pressing End until ${ALERTS} alerts are there`, async () => {
    for (let last = -1; ; ) {
        await page.keyboard.press("End");
        const size = Number(await region.getByRole("listitem").first().getAttribute("aria-setsize"));
        if (size >= ALERTS) break;
        if (size === last) await new Promise((resolve) => setTimeout(resolve, 5));
        last = size;
    }
});
console.log(`browser: they came within ${((Date.now() - loading) / 1000).toFixed(1)} s`);
await slowest("Home and Page Down through them", async () => {
    await page.keyboard.press("Home");
    for (let i = 0; i < 20; i++) await page.keyboard.press("PageDown");
});
await slowest("typing into their filter", () => page.getByLabel("Service").pressSequentially("service-007", { delay: 40 }));
await slowest("looking it up", async () => {
    await page.keyboard.press("Enter");
    await page.waitForURL(/service=service-007/);
    await region.getByRole("link").first().waitFor();
});
await slowest("opening one", async () => {
    await region.getByRole("link").first().click();
    await page.getByRole("heading", { name: "Evidence" }).waitFor();
});
await browser.close();
