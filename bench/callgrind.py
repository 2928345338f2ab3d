# SPDX-License-Identifier: Apache-2.0
"""Reads what callgrind counted."""
import re
import subprocess


def costs_of(out, inclusive, threshold=99.9):
    """Inlined parts are listed by the file that they stand in: they belong to their function all the same."""
    text = subprocess.run(["callgrind_annotate", f"--inclusive={inclusive}", f"--threshold={threshold}", "--auto=no", out],
                          capture_output=True, text=True, check=True).stdout
    costs, files = {}, {}
    for count, place in re.findall(r"(?m)^ *([\d,]+) \([ \d.]+%\)  (\S.*)$", text):
        file, _, function = re.sub(r" \[.*", "", place).rpartition(":")
        count = int(count.replace(",", ""))
        costs[function] = max(costs.get(function, 0), count) if inclusive == "yes" else costs.get(function, 0) + count
        if file != "???":
            files[function] = re.sub(r"^.*?(?=(lib|hosts|common)/)", "", file)
    return costs, files
