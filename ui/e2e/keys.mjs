// SPDX-License-Identifier: Apache-2.0
// An operator's whole way by keys alone: logging in, looking at what was learned, blocking, letting pass, going back, patching, deciding
// about a pod. No pointer is used. Wherever Tab comes to is seen, and nothing that is done leaves one nowhere.
import { check, open, untilSo } from "./browser.mjs";
import { EXEC, put } from "./sensors.mjs";
import { status, until } from "./traffic.mjs";

const { CONSOLE, OPERATOR, ATTACK, BENIGN } = process.env;
const { browser, page, faults } = await open();
const TABS_MOST = 200;

/** What has the focus: its name, where it is, and whether one sees that it has it. */
function focused() {
    return page.evaluate(() => {
        const one = document.activeElement;
        if (!one || one === document.body) return { at: "nowhere", name: "", seen: false, dialog: false };
        const style = getComputedStyle(one);
        const box = one.getBoundingClientRect();
        const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
        const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
        const name = one.getAttribute("aria-label") ?? one.closest("label")?.textContent ?? one.textContent ?? "";
        return { at: one.id || one.tagName, name: name.replace(/\s+/g, " ").trim(), seen: one.id === "content" || (outlined && inView), dialog: one.closest("dialog") !== null, content: one.closest("#content") !== null, on: !one.matches(":disabled") };
    });
}

/** Tabs on until what has the focus is called so; all on the way is seen. */
async function tabTo(name, { back = false } = {}) {
    let nowhere = 0;
    for (let i = 0; i < TABS_MOST; i++) {
        await page.keyboard.press(back ? "Shift+Tab" : "Tab");
        const now = await focused();
        nowhere = now.at === "nowhere" ? nowhere + 1 : 0; // once at the end of the page, on the way to its begin
        if (nowhere > 1 || (nowhere === 0 && !now.seen)) throw new Error(`not seen where the keys are: ${JSON.stringify(now)}`);
        if (name.test(now.name)) return now;
    }
    throw new Error(`no way by Tab to ${name}`);
}

async function choose(name, options) {
    await tabTo(name, options);
    await page.keyboard.press("Enter");
}

/** The page that is there now has the focus, or something in it. */
async function somewhere(what) {
    // What is drawn anew twice takes the focus away twice: it is back in the frames after each.
    let now = await focused();
    for (let i = 0; i < 600 && !(now.seen && now.content && now.on); i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        now = await focused();
    }
    check(now.seen && now.content && now.on, `after ${what} the focus is seen: ${now.at} ${now.name.slice(0, 60)}`);
}

/** Says yes in the dialog, after a round in it: Tab doesn't leave it. */
async function confirm(reason) {
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    check((await focused()).dialog, "a dialog takes the focus");
    const around = new Set();
    for (let i = 0; i < 12; i++) {
        await page.keyboard.press("Tab");
        const now = await focused();
        if (!now.dialog && now.at !== "nowhere") throw new Error(`Tab leaves the dialog: ${JSON.stringify(now)}`);
        around.add(now.name);
    }
    check([...around].some((name) => /^Cancel/.test(name)), "Tab comes round in it");
    if (reason) {
        await tabTo(/^Reason/);
        await page.keyboard.type(reason);
        await page.keyboard.press("Enter");
    } else await choose(/^Do it/);
    await dialog.waitFor({ state: "hidden" });
}

async function type(name, text) {
    await tabTo(name);
    await page.keyboard.press("Control+A");
    await page.keyboard.type(text);
}

async function opened(heading) {
    await page.getByRole("heading", { name: heading }).first().waitFor();
    await somewhere(`going to ${heading}`);
}

// In.
await page.goto(`${CONSOLE}/console/`);
await page.getByLabel("Token").waitFor();
await tabTo(/^Token/);
await page.keyboard.type(OPERATOR);
await page.keyboard.press("Enter");
await page.getByRole("link", { name: /^demo/ }).waitFor();
await somewhere("logging in");

// Past what stands on every page.
await tabTo(/^Skip/);
await page.keyboard.press("Enter");
check((await focused()).at === "content", "one gets past the navigation");

// What was learned.
await choose(/^demo/);
await opened("demo");
await choose(/\/users/);
await page.getByRole("link", { name: "All endpoints" }).waitFor();
await somewhere("opening an endpoint");
await choose(/^All endpoints/);
await opened("Endpoints");

// Observe, and block again. A dialog that is left changes nothing.
await choose(/^observe$/);
await page.getByRole("dialog").waitFor();
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "hidden" });
await untilSo(page, () => document.activeElement?.textContent === "observe", null, "Escape goes back to where one was");
await page.keyboard.press("Enter");
await confirm("by keys");
await page.locator("button[aria-pressed=true]", { hasText: "observe" }).waitFor();
await somewhere("switching to observe");
check(await until(ATTACK, 200), "in mode observe the attack passes");
await choose(/^block$/);
await confirm("by keys again");
await page.locator("button[aria-pressed=true]", { hasText: "block" }).waitFor();
await somewhere("switching to block");
check(await until(ATTACK, 403), "in mode block it doesn't");

// The alert, and an exception from it.
const path = new URL(ATTACK).pathname;
await choose(/^Alerts$/);
await opened("Alerts");
await choose(new RegExp(`blocked(?!.*: (patch|a person|its behaviour) ).* ${path}`)); // others may stand there that a patch stopped, or that are of who asked
await opened("Evidence");
await choose(/^Let it pass for a while/);
const scope = page.getByRole("group", { name: "Only where all of this is true" });
await scope.waitFor();
const narrow = await scope.getByRole("checkbox", { name: /Place|Name|Rule/ }).all();
check(narrow.length > 0, "there is more in the scope than the endpoint");
for (const box of narrow) {
    const label = (await box.evaluate((one) => one.closest("label").textContent)).replace(/\s+/g, " ").trim();
    await tabTo(new RegExp(`^${label.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`));
    await page.keyboard.press("Space");
    check(!(await box.isChecked()), `${label.slice(0, 40)} is left out by Space`);
}
await type(/^Its name/, "FP-keys");
await type(/^Ends after so many days/, "7");
await choose(/^What would be let pass/);
await confirm("names with apostrophes");
await page.getByText("Added:").waitFor();
await somewhere("adding an exception");
check(await until(ATTACK, 200), "what the exception covers passes");
await choose(/^Exceptions$/);
await page.getByRole("rowheader", { name: "FP-keys" }).waitFor();
await choose(/^Remove FP-keys/);
await confirm("seen enough");
await page.getByText("No exceptions").waitFor();
await somewhere("removing what had the focus");
check(await until(ATTACK, 403), "without it the attack is blocked again");

// Back, and forth.
await choose(/^Generations$/);
await page.getByRole("button", { name: /Go back to this one/ }).first().waitFor();
await choose(/Go back to this one/);
await confirm("a bad release");
await page.getByText("rolled back to").waitFor();
await somewhere("going back");
await choose(/^End the rollback/);
await confirm("mended");
await page.getByRole("button", { name: "End the rollback" }).waitFor({ state: "detached" });
await somewhere("ending the rollback");

// A patch. Its document is typed; Tab leaves the field.
await choose(/^Patches$/);
await page.getByText("No patches.").waitFor();
await type(/^Document of the patch/, '- id: keys-1\n  title: "By keys"\n  mode: enforce\n  when: {contains: "keys-test"}\n');
await choose(/^What would change/);
await confirm("");
await page.getByRole("rowheader", { name: /keys-1/ }).waitFor();
await somewhere("adding a patch");
check(await until(BENIGN.replace(/=[^=]*$/, "=keys-test"), 403), "the patch blocks");
await choose(/^keys-1: shadow/);
await confirm("");
await page.locator("button[aria-pressed=true][aria-label='keys-1: shadow']").waitFor();
await somewhere("switching a patch");
await choose(/^Remove keys-1/);
await confirm("");
await page.getByText("No patches.").waitFor();
await somewhere("removing the patch");

// A pod, and what it did.
put([[1, "podwatch", [EXEC, "/usr/bin/keys", "/app/server", ""]]]);
await choose(/^Pods$/);
await page.getByRole("rowheader", { name: "web-7f9c-00001" }).getByRole("link").waitFor();
await choose(/^web-7f9c-00001/);
const did = page.getByRole("row", { name: /\/usr\/bin\/keys/ }).first();
await did.waitFor();
await somewhere("opening a pod");
await choose(/^Approve.*\/usr\/bin\/keys/);
await confirm("a nightly job");
await page.getByText("/usr/bin/keys").first().waitFor();
await somewhere("deciding about what a pod did");

// Out.
await choose(/^Log out/, { back: true });
await page.getByText("You are logged out.").waitFor();
check((await status(BENIGN)) === 200, "benign requests pass");
const real = faults.filter((one) => !/status of (401|422|404)/.test(one));
check(real.length === 0, `nothing is wrong on the console: ${real.join("; ")}`);
await browser.close();
