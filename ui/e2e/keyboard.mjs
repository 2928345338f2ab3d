// SPDX-License-Identifier: Apache-2.0
// Everything by keys, in the dark scheme, and 500 services that don't make the page slow.
import { axe, check, open, untilSo } from "./browser.mjs";

const { CONSOLE, OPERATOR } = process.env;
const { browser, page, faults } = await open({ dark: true });

/** Tabs on until what has the focus is called so. */
async function tabTo(name) {
    for (let i = 0; i < 80; i++) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
            const one = document.activeElement;
            return `${one?.getAttribute("aria-label") ?? one?.closest("label")?.textContent ?? one?.textContent ?? ""}`.trim();
        });
        if (name.test(focused)) return;
    }
    throw new Error(`no way by Tab to ${name}`);
}

await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").waitFor();
await tabTo(/^Token/);
await page.keyboard.type(OPERATOR);
await page.keyboard.press("Enter");
await page.getByRole("link", { name: /^demo/ }).waitFor();
await axe(page, "the dark overview");
await tabTo(/^demo/);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "demo" }).waitFor();
await untilSo(page, () => document.activeElement?.id === "content", null, "a new page has the focus");
await axe(page, "a dark service");
await tabTo(/^alert$/);
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor();
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "hidden" });
await untilSo(page, () => document.activeElement?.textContent === "alert", null, "Escape goes back to where one was");
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor();
await tabTo(/^Reason/);
await page.keyboard.type("by keys");
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor({ state: "hidden" });
await page.locator("button[aria-pressed=true]", { hasText: "alert" }).waitFor();
await tabTo(/^block$/);
await page.keyboard.press("Enter");
await tabTo(/^Do it/);
await page.keyboard.press("Enter");
await page.locator("button[aria-pressed=true]", { hasText: "block" }).waitFor();
check(true, "the mode was changed by keys");

// 500 services. (Many alerts: scale.mjs, with what guardd says of them.)
const service = (i) => ({ service: `service-${String(i).padStart(3, "0")}`, mode: ["block", "alert", "observe"][i % 3], learn: "on", ready: i % 4 > 0, progress: 0.5, generation: i, rolled_back_to: 0, exchanges: i * 1000, hours: Array.from({ length: 24 }, (_, hour) => (i * hour) % 97), bypassed: i % 50 === 0, guardian_error: "", review_error: "", false_blocks: { budget: 0.0001, proved: i % 5 ? 0.0001 : 0.01 }, ...(i % 70 === 3 ? { path: { not_in_path: true, pods: 2, proved: 1, bare: 1, silent: 0, message: "1 of 2 pods" } } : {}), pods: { workloads: i % 3, told: i % 100 === 1 ? 1 : 0, replace: 0 } });
function page_of(url, make, most) {
    const at = Number(new URL(url).searchParams.get("cursor") ?? 0);
    return { list: Array.from({ length: Math.min(100, most - at) }, (_, i) => make(at + i)), next: at + 100 < most ? String(at + 100) : null };
}
await page.route(/\/api\/v1\/services\?/, (route) => {
    const { list, next } = page_of(route.request().url(), service, 500);
    return route.fulfill({ json: { total: 500, services: list, next } });
});
/** Milliseconds from an input until it was painted, the worst of several. */
async function slowest(act) {
    await page.evaluate(() => {
        globalThis.worst = 0;
        globalThis.watch ??= new PerformanceObserver((list) => {
            for (const one of list.getEntries()) globalThis.worst = Math.max(globalThis.worst, one.duration);
        });
        globalThis.watch.observe({ type: "event", durationThreshold: 16 });
    });
    await act();
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    return page.evaluate(() => globalThis.worst);
}
await page.goto(`${CONSOLE}/console/#/`);
await page.getByRole("link", { name: /service-000/ }).waitFor();
const typed = await slowest(async () => {
    await page.getByRole("searchbox").pressSequentially("service-49", { delay: 40 });
    await page.getByRole("link", { name: /service-499/ }).waitFor();
});
console.log(`500 services: ${typed} ms from a key to the paint`);
check((await page.getByRole("listitem").count()) < 60, "only what is in view is in the page");
check(faults.filter((one) => !/status of 401/.test(one)).length === 0, `nothing is wrong on the console: ${faults.join("; ")}`);
await browser.close();
