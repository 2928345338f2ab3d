// SPDX-License-Identifier: Apache-2.0
// Text of strangers as people may see it: what is invisible, or turns the order of letters around, stands there escaped, and what is
// long is cut. The page never takes it for markup, since it only ever becomes text.

export interface Piece {
    text: string;
    escaped: boolean;
}

/** Controls, joiners, marks of direction, fillers, tags, private use, unpaired surrogates. */
const UNSEEN =
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0\ufffc]|(?![ ])\p{Zs}/gu;
/** Marks that pile up on a letter. */
const PILES = /\p{M}{4,}/gu;

function escape(letter: string): string {
    return `\\u{${letter.codePointAt(0)!.toString(16)}}`;
}

export function pieces(text: string, most = 160): Piece[] {
    const letters = text.length > most * 4 ? text.slice(0, most * 4) : text;
    const cut = [...letters].slice(0, most).join("").replace(PILES, (marks) => [...marks].slice(0, 3).join("") + "\ufffd");
    const out: Piece[] = [];
    let at = 0;
    for (const match of cut.matchAll(UNSEEN)) {
        if (match.index > at) out.push({ text: cut.slice(at, match.index), escaped: false });
        out.push({ text: escape(match[0]), escaped: true });
        at = match.index + match[0].length;
    }
    if (at < cut.length) out.push({ text: cut.slice(at), escaped: false });
    return out;
}

export function isCut(text: string, most = 160): boolean {
    return text.length > most && [...text.slice(0, most * 4)].length > most;
}

/** The same where only text can stand: titles, labels. */
export function shown(text: string, most = 160): string {
    const whole = pieces(text, most).map((piece) => piece.text).join("");
    return isCut(text, most) ? `${whole}…` : whole;
}

/** A word of a command line. */
export function quoted(word: string): string {
    return /^[A-Za-z0-9_.:/=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
