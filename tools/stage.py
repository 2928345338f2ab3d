#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Links a build folder's programs into its bin/, the gate into its modules/ and shipped patches into its share/, where tests and people look
for them.

Hard links, so that a program that asks where it lies finds its siblings. usage: tools/stage.py FOLDER
"""
import json
import os
import shutil
import sys

PRODUCT = ("guard", "guardd", "demo", "podwatch", "responder", "hosts")
PLACES = {"executable": "bin", "shared module": "modules"}


def place(source, folder):
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, os.path.basename(source))
    fresh = target + ".new"
    if os.path.exists(fresh):
        os.unlink(fresh)
    try:
        os.link(source, fresh)
    except OSError:  # a file system without hard links
        shutil.copy2(source, fresh)
    if os.path.exists(target) and os.path.samefile(fresh, target):
        os.unlink(fresh)  # rename() leaves both names of one file in place
    else:
        os.replace(fresh, target)


def stage_patches(source, folder):
    names = {name for name in os.listdir(source) if name.endswith(".yaml")} if os.path.isdir(source) else set()
    for name in sorted(names):
        place(os.path.join(source, name), folder)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name not in names:
            os.unlink(os.path.join(folder, name))


def main():
    build = sys.argv[1]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(build, "meson-info", "intro-targets.json"), encoding="utf-8") as file:
        targets = json.load(file)
    for target in targets:
        folder = os.path.relpath(os.path.realpath(target["defined_in"]), os.path.realpath(root)).split(os.sep)[0]
        if folder in PRODUCT and target["type"] in PLACES:
            place(target["filename"][0], os.path.join(build, PLACES[target["type"]]))
    stage_patches(os.path.join(root, "patches"), os.path.join(build, "share", "guard", "patches"))


main()
