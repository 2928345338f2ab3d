// SPDX-License-Identifier: Apache-2.0
// The pictures of the guide that show a service: what stands in TO is replaced.
import { open } from "./browser.mjs";

const { LOGIN, TO } = process.env;
const { browser, page } = await open();
await page.setViewportSize({ width: 1100, height: 640 });

async function take(name, scheme) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.mouse.move(0, 639);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.screenshot({ path: `${TO}/${name}-${scheme}.png` });
}

await page.goto(LOGIN);
await page.getByRole("link", { name: /^demo/ }).waitFor();
await page.getByText("live", { exact: true }).waitFor();
await take("overview", "light");
await take("overview", "dark");
await page.getByRole("link", { name: /^demo/ }).click();
await page.getByRole("img", { name: /^Traffic: [1-9]/ }).waitFor();
await take("service", "light");
await page.getByRole("table").getByRole("link", { name: /users/ }).first().click();
await page.getByRole("button", { name: /^How it is spread: query username/ }).click();
await page.getByRole("slider", { name: /^Length/ }).scrollIntoViewIfNeeded();
await page.getByRole("slider", { name: /^Length/ }).focus();
await page.keyboard.press("ArrowRight");
await take("endpoint", "light");
await page.getByRole("link", { name: "All endpoints" }).click();
await page.getByRole("img", { name: /^Traffic: [1-9]/ }).waitFor();
await page.getByRole("button", { name: "observe" }).click();
await page.getByRole("dialog").locator("summary").click();
await take("action", "light");
await page.getByRole("button", { name: "Cancel" }).click();
await page.goto(`${page.url().split("#")[0]}#/services/demo/guardian`);
await page.getByRole("button", { name: "Look", exact: true }).click();
await page.getByRole("region", { name: "What would have been blocked" }).waitFor();
await take("guardian", "dark");
await page.goto(`${page.url().split("#")[0]}#/alerts`);
await page.getByRole("link", { name: /blocked/ }).first().click();
await page.getByRole("heading", { name: "What was it?" }).waitFor();
await take("alert", "dark");
await browser.close();
