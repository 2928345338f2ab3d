#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An image with the gate, guardd and guard, made without a container engine: tools/image.py BUILD OUT.tar [--name REF] [--sbom FILE].

OUT is an OCI archive that Docker's `load` reads, too: one compressed layer with the programs, the libraries that they need (by the
loader's own word), certificates, licences and an inventory (CycloneDX). No shell, user 65532. The same build gives the same bytes;
SOURCE_DATE_EPOCH is the time that files and the image get, 0 without it."""
import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
USER = "65532:65532"
SIZE_MAX = 40 << 20
SBOM_PATH = "usr/share/sbom/guard.cdx.json"
TEXTS = {
    "etc/passwd": "root:x:0:0:root:/:/nonexistent\nguard:x:65532:65532:guard:/:/nonexistent\n",
    "etc/group": "root:x:0:\nguard:x:65532:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
FOLDERS = {"tmp": 0o1777, "var/lib/guard": 0o755, "etc/guard": 0o755}
CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def programs(build):
    """{path in the image: file}"""
    return {
        "usr/bin/guard": build / "bin/guard",
        "usr/bin/guardd": build / "bin/guardd",
        "usr/bin/guard-podwatch": build / "bin/guard-podwatch",
        "usr/bin/guard-responder": build / "bin/guard-responder",
        "usr/sbin/nginx": pathlib.Path("/usr/sbin/nginx"),
        "usr/lib/nginx/modules/ngx_http_guard_module.so": build / "modules/ngx_http_guard_module.so",
    }


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def libraries(files):
    """{path in the image: file} of what the loader finds for them."""
    found = {}
    for line in "".join(output("ldd", file) for file in files).splitlines():
        path = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if "not found" in line:
            sys.exit(f"image.py: {line.strip()}")
        if path:
            found[path.group(1).lstrip("/")] = pathlib.Path(path.group(1)).resolve()
    return found


def packages(files):
    """{name: version} of the Debian packages that the files are of."""
    # What was merged into /usr is known by its old place.
    places = {str(file): (str(file), str(file).removeprefix("/usr")) for file in files}
    done = subprocess.run(["dpkg-query", "--search", *sorted({path for both in places.values() for path in both})], capture_output=True,
                          text=True, check=False)
    owners = {path: name for name, _, path in (line.partition(": ") for line in done.stdout.splitlines())}
    names = set()
    for file, both in places.items():
        owner = next((owners[path] for path in both if path in owners), None)
        if owner is None:
            sys.exit(f"image.py: {file} is of no package")
        names.add(owner)
    fields = output("dpkg-query", "--show", "--showformat=${Package} ${Version} ${Architecture}\n", *sorted(names))
    return sorted(tuple(line.split()) for line in fields.splitlines())


def inventory(version, found):
    """A CycloneDX document; its serial number follows from what it lists."""
    components = [{"type": "library", "bom-ref": f"pkg:deb/debian/{name}@{number}?arch={arch}", "name": name, "version": number,
                   "purl": f"pkg:deb/debian/{name}@{number.replace('+', '%2B').replace(':', '%3A')}?arch={arch}&distro=debian-12"}
                  for name, number, arch in found]
    digest = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    serial = f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": serial, "version": 1,
                       "metadata": {"component": {"type": "container", "name": "guard", "version": version}},
                       "components": components}, indent=1) + "\n"


class Layer:
    def __init__(self, when):
        self.when = when
        self.entries = {}  # path: (mode, bytes; None for a folder)

    def folder(self, path, mode=0o755):
        self.parents(path)
        self.entries[path] = (mode, None)

    def parents(self, path):
        for parent in reversed(pathlib.PurePosixPath(path).parents[:-1]):
            self.entries.setdefault(str(parent), (0o755, None))

    def file(self, path, data, mode=0o644):
        self.parents(path)
        self.entries[path] = (mode, data)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in sorted(self.entries):
                mode, data = self.entries[path]
                add(tar, path, data, mode, self.when)
        return out.getvalue()


def add(tar, path, data, mode=0o644, when=0):
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime = mode, when
    if data is None:
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
    else:
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))


def stripped(file, folder):
    """Ours still hold what debuggers want."""
    copy = folder / file.name
    subprocess.run(["strip", "--strip-unneeded", "-o", copy, file], check=True)
    return copy.read_bytes()


def fill(layer, build, version):
    ours = programs(build)
    for file in ours.values():
        if not file.exists():
            sys.exit(f"image.py: {file} isn't there; why guard-podwatch or guard-responder was left out the build has said")
    needed = libraries(ours.values())
    found = packages([*needed.values(), ours["usr/sbin/nginx"]])
    with tempfile.TemporaryDirectory() as folder:
        for path, file in ours.items():
            layer.file(path, stripped(file, pathlib.Path(folder)), 0o755)
    for path, file in needed.items():
        layer.file(path, file.read_bytes(), 0o755)
    for path, text in TEXTS.items():
        layer.file(path, text.encode())
    for path, mode in FOLDERS.items():
        layer.folder(path, mode)
    if CERTIFICATES.exists():
        layer.file(str(CERTIFICATES).lstrip("/"), CERTIFICATES.read_bytes())
    layer.file("usr/share/doc/guard/copyright", (ROOT / "LICENSE").read_bytes())
    for name, _, _ in found:
        licence = pathlib.Path("/usr/share/doc") / name / "copyright"
        if licence.exists():
            layer.file(str(licence).lstrip("/"), licence.read_bytes())
    text = inventory(version, found)
    layer.file(SBOM_PATH, text.encode())
    return text


def stamp(when):
    return subprocess.run(["date", "-u", "-d", f"@{when}", "+%Y-%m-%dT%H:%M:%SZ"], check=True, capture_output=True,
                          text=True).stdout.strip()


def blob(blobs, data, media):
    digest = hashlib.sha256(data).hexdigest()
    blobs[f"blobs/sha256/{digest}"] = data
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}


def archive(layer, name, version, out, when):
    plain = layer.tar()
    packed = gzip.compress(plain, 9, mtime=0)
    blobs = {}
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = {"architecture": machine, "os": "linux", "created": stamp(when),
              "config": {"User": USER, "Entrypoint": ["/usr/bin/guard"], "Cmd": ["--help"], "WorkingDir": "/",
                         "Env": ["PATH=/usr/bin:/usr/sbin"],
                         "Labels": {"org.opencontainers.image.title": "guard", "org.opencontainers.image.version": version,
                                    "org.opencontainers.image.licenses": "Apache-2.0",
                                    "org.opencontainers.image.description": "Guard: the gate, guardd and guard"}},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
              "history": [{"created": stamp(when), "created_by": "tools/image.py"}]}
    packed_at = blob(blobs, packed, "application/vnd.oci.image.layer.v1.tar+gzip")
    config_at = blob(blobs, json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config_at,
                "layers": [packed_at]}
    at = blob(blobs, json.dumps(manifest).encode(), manifest["mediaType"])
    at["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[-1]}
    path = {key: "blobs/sha256/" + value["digest"].split(":")[1] for key, value in (("config", config_at), ("layer", packed_at))}
    files = {"oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
             "index.json": json.dumps({"schemaVersion": 2, "manifests": [at]}).encode(),
             "manifest.json": json.dumps([{"Config": path["config"], "RepoTags": [name], "Layers": [path["layer"]]}]).encode(),
             **blobs}
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in ("blobs", "blobs/sha256"):
            add(tar, folder, None, 0o755, when)
        for key in sorted(files):
            add(tar, key, files[key], 0o644, when)
    return len(plain), len(packed)


def main():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="a build folder with bin/ and modules/")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--name", default=f"guard:{version}")
    parser.add_argument("--sbom", type=pathlib.Path, help="also write the inventory there")
    given = parser.parse_args()
    when = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    layer = Layer(when)
    text = fill(layer, given.build, version)
    if given.sbom:
        given.sbom.write_text(text)
    plain, packed = archive(layer, given.name, version, given.out, when)
    print(f"{given.out}: {given.name}, {packed / 2**20:.1f} MiB, unpacked {plain / 2**20:.1f} MiB")
    if packed > SIZE_MAX:
        sys.exit(f"image.py: more than {SIZE_MAX >> 20} MiB")


if __name__ == "__main__":
    main()
