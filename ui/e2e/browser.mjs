// SPDX-License-Identifier: Apache-2.0
// A browser for the tests: what it says on its console, what it can't fetch, and what breaks the policy of the page are failures.
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { reportFailure } from "./report.mjs";

const require = createRequire(import.meta.url);

export async function open({ dark = false, expected = [], zone = undefined } = {}) {
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        headless: true,
        timeout: 120_000,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    const context = await browser.newContext({ colorScheme: dark ? "dark" : "light", viewport: { width: 1280, height: 860 }, bypassCSP: false, locale: "en-US", ...(zone ? { timezoneId: zone } : {}) });
    const page = await context.newPage();
    const faults = [];
    page.on("console", (message) => {
        if ((message.type() === "error" || message.type() === "warning") && !expected.some((one) => one.test(message.text()))) faults.push(message.text());
    });
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", (request) => {
        const url = new URL(request.url());
        if (url.protocol !== "data:" && url.hostname !== "127.0.0.1") faults.push(`asks ${request.url()}`);
    });
    page.on("dialog", (dialog) => {
        faults.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
    });
    page.setDefaultTimeout(60_000);
    watch(page, faults);
    reportFailure(page, faults);
    return { browser, context, page, faults };
}

/** What no limit of the library ends, as a script in the page, is told before whoever started this ends it. */
function watch(page, faults) {
    const asked = new Map();
    page.on("request", (request) => asked.set(request, Date.now()));
    for (const event of ["requestfinished", "requestfailed"]) page.on(event, (request) => asked.delete(request));
    setTimeout(() => {
        const waiting = [...asked].map(([request, since]) => `${request.method()} ${request.url()} for ${Math.round((Date.now() - since) / 1000)} s`);
        console.log(`stuck at ${page.url()}\nunanswered: ${waiting.join("; ")}\nfaults: ${faults.join("; ")}\nopen: ${process.getActiveResourcesInfo().join(" ")}`);
        process.exit(3);
    }, 540_000).unref();
}

/** Reads of the API with the session of the page. */
export function apiOf(page) {
    return (path) => page.evaluate((path) => fetch(`/api/v1${path}`, { headers: { "X-Guard-Console": "1" } }).then((answer) => answer.json()), path);
}

export function check(good, what) {
    if (!good) throw new Error(`not so: ${what}`);
    console.log(`ok ${what}`);
}

/** Until it is so in the page. Its policy forbids what the library's own wait does when the first look finds that it isn't. */
export async function untilSo(page, condition, argument, what) {
    for (let i = 0; i < 600; i++) {
        if (await page.evaluate(condition, argument)) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`never so: ${what} (with ${argument})`);
}

/**
 * axe finds nothing, and what is about colours neither in the other scheme. Run from outside the page's policy, which forbids scripts of
 * others.
 */
export async function axe(page, what) {
    await page.evaluate(require("axe-core").source);
    const now = await page.evaluate(() => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
    const other = now === "dark" ? "light" : "dark";
    for (const [scheme, options] of [[now, {}], [other, { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } }]]) {
        await page.emulateMedia({ colorScheme: scheme });
        const found = await page.evaluate((more) => globalThis.axe.run(document, { resultTypes: ["violations"], ...more }), options);
        for (const violation of found.violations) console.log(`${violation.id}: ${violation.nodes.map((node) => `${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
        check(found.violations.length === 0, `axe finds nothing on ${what}, ${scheme}`);
    }
    await page.emulateMedia({ colorScheme: now });
}

/** Says yes to the action that is asked about, with a reason. */
export async function confirm(page, reason = "a test") {
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    const field = dialog.getByLabel("Reason");
    if (await field.count()) await field.fill(reason);
    await dialog.getByRole("button", { name: "Do it" }).click();
    await dialog.waitFor({ state: "hidden" });
}
