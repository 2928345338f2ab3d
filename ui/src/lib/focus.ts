// SPDX-License-Identifier: Apache-2.0
// Where the keys are. What has the focus may go away, or be switched off, by what it did: a row that was removed, a mode that is in force
// now. The browser forgets then where one was; here the focus goes to what is around it, so that one goes on from there.

/** How often at most it is looked for again, in frames: the browser moves the focus with the next picture. */
const LOOKS = 3;

function usable(element: Element): boolean {
    return element.isConnected && !element.matches(":disabled") && element.getClientRects().length > 0;
}

function ancestors(element: Element, root: Element): HTMLElement[] {
    const found: HTMLElement[] = [];
    for (let one = element.parentElement; one && one !== root; one = one.parentElement) found.push(one);
    return found;
}

/** Keeps the focus within root when what has it goes. Returns what ends that. */
export function keepFocus(root: HTMLElement): () => void {
    let held: HTMLElement | null = null;
    let around: HTMLElement[] = [];
    let looks = 0;

    function took(event: FocusEvent) {
        const target = event.target as HTMLElement;
        held = target === root ? null : target;
        around = held ? ancestors(held, root) : [];
    }

    // Who points elsewhere isn't called back.
    const pointed = () => (held = null);

    function look() {
        const lost = document.activeElement === document.body || document.activeElement === null || document.activeElement === held;
        if (!held || usable(held) || !lost || document.querySelector("dialog[open]")) return;
        const next = around.find((one) => usable(one)) ?? root;
        if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
        next.focus({ preventScroll: true });
    }

    function soon() {
        if (!held || looks > 0) return;
        looks = LOOKS;
        const again = () => {
            look();
            if (--looks > 0) requestAnimationFrame(again);
        };
        requestAnimationFrame(again);
    }

    const observer = new MutationObserver(soon);
    observer.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled", "hidden"] });
    root.addEventListener("focusin", took);
    document.addEventListener("pointerdown", pointed, true);
    document.addEventListener("close", soon, true); // of a dialog, which took the focus meanwhile
    return () => {
        observer.disconnect();
        root.removeEventListener("focusin", took);
        document.removeEventListener("pointerdown", pointed, true);
        document.removeEventListener("close", soon, true);
    };
}
