#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes manual pages in mdoc from the tables by which options are parsed, so that the two can't differ, and from what is
written by hand in docs/man/PAGE.mdoc (sections that follow the options).

usage: tools/make-man.py FOLDER GUARD PAGE...  with PAGE guard.1, guard-COMMAND.1, guardd.8, guard-podwatch.8, guard-responder.8, or ngx_http_guard_module.8, which is
made from the directives and variables of docs/guide/nginx.md; GUARD is the program.
"""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATE = "November 27, 2026"


def escape(text):
    """Text that mdoc takes for nothing else."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"(?m)^([.'])", r"\\&\1", text)
    return re.sub(r"\n[ \t]*\n+", "\n", text)


def sentences(text):
    """A sentence a line, as mdoc wants it. An ellipsis or abbreviation inside ends none: the next word isn't capital."""
    return re.sub(r"([.!?]) +(?=[A-Z`\"])", r"\1\n", " ".join(text.split()))


def option_lines(options, short_output=False):
    lines = [".Bl -tag -width Ds"]
    for option in options:
        argument = f" Ar {escape(option['argument'])}" if "argument" in option else ""
        short = f"Fl o{argument} , " if short_output and option["name"] == "output" else ""
        lines.append(f".It {short}Fl \\-{escape(option['name'])}{argument}")
        lines.append(escape(sentences(option["help"])))
    return lines + [".El"]


def head(name, section, summary):
    return [f".Dd {DATE}", f".Dt {name.upper()} {section}", ".Os Guard", ".Sh NAME", f".Nm {name}", f".Nd {escape(summary)}"]


def by_hand(page):
    path = os.path.join(ROOT, "docs", "man", page + ".mdoc")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if not line.startswith('.\\" SPDX')]


def before_and_behind(lines):
    """Examples stand behind the exit status, by custom."""
    at = lines.index(".Sh EXAMPLES") if ".Sh EXAMPLES" in lines else len(lines)
    return lines[:at] + exit_status() + lines[at:]


def exit_status():
    return [".Sh EXIT STATUS", ".Bl -tag -width Ds", ".It 0", "Done.", ".It 1", "What was asked couldn't be done.", ".It 2",
            "What was asked makes no sense.", ".El"]


def see_also(pages):
    return [".Sh SEE ALSO"] + [f".Xr {name} {section}{' ,' if i + 1 < len(pages) else ''}"
                               for i, (name, section) in enumerate(sorted(pages, key=lambda page: (page[1], page[0])))]


def command_page(command):
    name = "guard-" + command["name"]
    lines = head(name, 1, command["summary"])
    lines += [".Sh SYNOPSIS"]
    for usage in command["usage"].split(" | ") if command["usage"] else [""]:
        lines += [f".Nm guard {command['name']}", ".Op Ar option ..."] + ([f".Ar {escape(usage)}"] if usage else [])
    lines += [".Sh DESCRIPTION", f"This command of", ".Xr guard 1", f"serves to {escape(command['summary'])}."]
    if command["details"]:
        lines += [".Pp", escape(sentences(command["details"]))]
    lines += [".Pp", "The options are:"]
    lines += option_lines(command["options"] + [{"name": "help", "help": "print a summary of this"}], command["short_output"])
    return lines + before_and_behind(by_hand(f"{name}.1")) + see_also([("guard", 1), ("guardd", 8)])


def guard_page(tables):
    lines = head("guard", 1, "learn what is normal for an HTTP service and block what isn't")
    lines += [".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar option ...", ".Op Ar argument ...", ".Nm", ".Fl \\-help | Fl \\-version",
              ".Sh DESCRIPTION", "Learns from recorded or live traffic how the clients of an HTTP service behave, and, through a gate in",
              "nginx, alerts or blocks what deviates.", ".Pp", "The commands are, each with a manual page of its own:", ".Bl -tag -width completion"]
    for command in tables["commands"]:
        lines += [f".It Cm {command['name']}", f"{escape(command['summary'])}; see", f".Xr guard-{command['name']} 1 ."]
    lines += [".El", ".Pp", "The options are:"]
    lines += option_lines([{"name": "help", "help": "print the commands; behind a command: its options"},
                           {"name": "version", "help": "print the version"}])
    pages = [(f"guard-{command['name']}", 1) for command in tables["commands"]]
    return lines + before_and_behind(by_hand("guard.1")) + see_also(pages + [("guardd", 8), ("ngx_http_guard_module", 8)])


def daemon_page(tables):
    lines = head("guardd", 8, "learn from gates and publish signed policies")
    lines += [".Sh SYNOPSIS", ".Nm", ".Fl \\-state Ar DIR", ".Sh DESCRIPTION",
              "Reads the rings of the gates, learns what is normal for each service, publishes signed policies, and writes alerts.",
              "The gates go on with the last policy when it ends.", ".Pp", "The options are:"]
    lines += option_lines(tables["guardd"]["options"])
    return lines + by_hand("guardd.8") + see_also([("guard", 1), ("guard-run", 1), ("ngx_http_guard_module", 8)])


def inline(text):
    """A paragraph of Markdown as lines of mdoc."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = escape(sentences(text.replace("\\|", "|")))
    text = re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fR", text, flags=re.S)
    return re.sub(r"`(.+?)`", r"\\fB\1\\fR", text, flags=re.S)


def section(text, title):
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def cells_of(text):
    """Cells of the rows of the Markdown tables."""
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in text.splitlines() if line.startswith("|")]


def rows(text):
    """Of those whose first cell is code."""
    return [cells for cells in cells_of(text) if cells and cells[0].startswith("`")]


def module_page():
    with open(os.path.join(ROOT, "docs", "guide", "nginx.md"), encoding="utf-8") as file:
        text = file.read()
    lines = head("ngx_http_guard_module", 8, "the gate of Guard in nginx")
    lines += [".Sh SYNOPSIS", ".Bd -literal", "load_module modules/ngx_http_guard_module.so;", ".Ed", ".Sh DESCRIPTION",
              "Compares the exchanges of a service with the policy that", ".Xr guardd 8",
              "published for it, and records what it sees.", "The service is named by configuration and never by a client.",
              ".Sh DIRECTIVES", ".Bl -tag -width Ds"]
    for body in re.findall(r"^### guard\w*\n(.*?)(?=^##|\Z)", text, re.M | re.S):
        told = {cells[0].strip(): cells[1] for cells in cells_of(body) if len(cells) > 1}
        prose = "\n".join(line for line in body.splitlines() if not line.startswith("|"))
        paragraphs = [part for part in re.split(r"\n\s*\n", prose) if part.strip() and "```" not in part]
        lines += [f".It {inline(told['Syntax'].strip('`;'))}",
                  f"Default: {inline(told['Default'])}.", f"Context: {inline(told['Context'])}."]
        for paragraph in paragraphs:
            lines += [".Pp", inline(paragraph)]
    lines += [".El"]
    variables = rows(section(text, "Variables"))
    if variables:
        lines += [".Sh VARIABLES", ".Bl -tag -width Ds"]
        for cells in variables:
            lines += [f".It {inline(cells[0])}", *[inline(cell) for cell in cells[1:] if cell]]
        lines += [".El"]
    return lines + by_hand("ngx_http_guard_module.8") + see_also([("guard", 1), ("guard-run", 1), ("nginx", 8), ("guardd", 8)])


def podwatch_page():
    lines = head("guard-podwatch", 8, "watch what the pods of a node do")
    return lines + by_hand("guard-podwatch.8") + see_also([("guard", 1), ("guardd", 8)])


def responder_page():
    lines = head("guard-responder", 8, "contain and replace misused pods")
    return lines + by_hand("guard-responder.8") + see_also([("guardd", 8), ("guard-podwatch", 8)])


def page_of(page, tables):
    if page.startswith("guard-") and page.endswith(".1"):
        return command_page(next(command for command in tables["commands"] if f"guard-{command['name']}.1" == page))
    return (guard_page(tables) if page == "guard.1" else daemon_page(tables) if page == "guardd.8" else
            podwatch_page() if page == "guard-podwatch.8" else
            responder_page() if page == "guard-responder.8" else
            module_page())


def main():
    folder, guard, *pages = sys.argv[1:]
    tables = json.loads(subprocess.run([guard, "help", "--machine"], check=True, stdout=subprocess.PIPE).stdout)
    for page in pages:
        with open(os.path.join(folder, page), "w", encoding="utf-8") as file:
            file.write('.\\" SPDX-License-Identifier: Apache-2.0\n.\\" Made by tools/make-man.py.\n' +
                       "\n".join(line for line in page_of(page, tables) if line.strip()) + "\n")


if __name__ == "__main__":
    main()
