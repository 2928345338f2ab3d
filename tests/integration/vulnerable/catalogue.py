# SPDX-License-Identifier: Apache-2.0
"""The vulnerable services and their published exploits: what each exploit must do to have worked, which is always looked at, never
assumed. The requests themselves are in cves/, as bytes."""

import dataclasses
import pathlib

from peers.shop import get

HERE = pathlib.Path(__file__).resolve().parent


def touched(victim, _):
    """The code of the exploit ran: it made a file in the victim's folder."""
    return (victim.folder / "proof").exists()


def told(text):
    """The answer to the exploit itself holds what nobody may know."""
    return lambda _, answer: text in answer.body


def leaks(target, text):
    """What was polluted shows in the answer to an innocent request."""
    return lambda victim, _: text in victim.ask(get(target, host=victim.host)).body


def rendered(victim, answer):
    """What was polluted runs with the next innocent page."""
    victim.ask(get("/", host=victim.host))
    return touched(victim, answer)


@dataclasses.dataclass(frozen=True)
class Exploit:
    name: str  # of the victim: its folder, its service, the first label of its host
    number: str  # the CVE, and the file in cves/
    package: str
    what: str
    worked: object = touched  # (victim, answer to the exploit): whether the effect is there
    stains: bool = False  # whether the victim must be started anew when it worked

    @property
    def data(self):
        return (HERE / "cves" / f"{self.number}.http").read_bytes()


EXPLOITS = [
    Exploit("notes", "CVE-2017-5941", "node-serialize 0.0.4", "code in a serialised cookie"),
    Exploit("pages", "CVE-2022-29078", "ejs 3.1.6", "code in an option, by the query"),
    Exploit("settings", "CVE-2019-10744", "lodash 4.17.11", "prototype pollution by JSON", leaks("/report?user=77&page=1", b"salaries"), True),
    Exploit("gallery", "CVE-2020-7699", "express-fileupload 1.1.7", "prototype pollution by a part's name, then code", rendered, True),
    Exploit("files", "CVE-2014-3744", "st 0.2.4", "traversal", told(b"the-secret-of-the-files")),
    Exploit("recipes", "CVE-2013-4660", "js-yaml 2.0.4", "code in YAML"),
    Exploit("catalog", "CVE-2021-21353", "pug 3.0.0", "code in an option, by the query"),
    Exploit("mailer", "CVE-2019-20920", "handlebars 4.1.0", "code in a template that users write"),
    Exploit("calculator", "mathjs-2017", "mathjs 3.10.1", "code in an expression that users write"),
    Exploit("library", "CVE-2024-21534", "jsonpath-plus 10.0.0", "code in a JSONPath that users write"),
    Exploit("cards", "CVE-2021-32819", "squirrelly 8.0.8", "code in an option, by the query"),
    Exploit("monitor", "CVE-2021-21315", "systeminformation 5.3.0", "a command by an array in the query", stains=True),
    Exploit("orders", "CVE-2023-0842", "xml2js 0.4.23", "prototype pollution by XML", told(b"paid, will be sent")),
    Exploit("preferences", "CVE-2020-36632", "flat 5.0.0", "prototype pollution by a dotted name", leaks("/billing/77", b"cards"), True),
]
