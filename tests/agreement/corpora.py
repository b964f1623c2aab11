"""Public code to compare on, fetched once into the work folder."""

import glob
import os
import shutil
import subprocess
import tarfile

from references import Unavailable

PYPI = {"requests": "requests==2.32.3", "flask": "flask==3.0.3", "django": "django==5.1.4", "sympy": "sympy==1.13.3"}
NPM = {"rxjs": ("rxjs@7.8.2", "package/src"), "rxjs-js": ("rxjs@7.8.2", "package/dist/esm"), "zod": ("zod@3.25.76", "package/src"), "eslint": ("eslint@10.0.0", "package/lib"), "preact": ("preact@10.27.2", "package"), "effect": ("effect@3.22.4", "package/src")}
DEBIAN = {"commons-lang3": "libcommons-lang3-java", "guava": "guava-libraries", "redis": "redis", "sqlite3": "sqlite3", "lua": "lua5.4", "tmux": "tmux", "curl": "curl"}


def fetch(name, work):
    """The folder of a corpus."""
    if name == "go":
        return first_folder(["/usr/share/go-*/src", "/usr/lib/go-*/src"], "golang-1.19-src")
    if name == "crates":
        return crates(work)
    if name in PYPI:
        return unpacked(name, work, lambda to: run("pip-download", [os.path.join(work, "venv/bin/pip"), "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", to, PYPI[name]]))
    if name in NPM:
        package, inside = NPM[name]
        folder = unpacked(name, work, lambda to: run("npm", ["npm", "pack", "--silent", "--pack-destination", to, package]))
        return os.path.join(folder, inside)
    return unpacked(name, work, lambda to: debian_source(DEBIAN[name], work, to))


def unpacked(name, work, download):
    folder = os.path.join(work, "corpora", name)
    if os.path.isdir(folder):
        return folder
    archives = folder + ".archives"
    shutil.rmtree(archives, ignore_errors=True)
    os.makedirs(archives)
    download(archives)
    unfinished = folder + ".part"
    shutil.rmtree(unfinished, ignore_errors=True)
    found = [path for path in glob.glob(archives + "/*") if tarfile.is_tarfile(path)]
    found = [path for path in found if ".orig-" not in path and ".debian." not in path]
    if not found:
        raise Unavailable(f"nothing came for {name}")
    for archive in found:
        with tarfile.open(archive) as tar:
            tar.extractall(unfinished, filter="data")
    os.rename(unfinished, folder)
    return folder


def debian_source(package, work, to):
    """With lists of its own, so that the system's apt stays as it is."""
    apt = os.path.join(work, "apt")
    os.makedirs(os.path.join(apt, "parts"), exist_ok=True)
    os.makedirs(os.path.join(apt, "lists/partial"), exist_ok=True)
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "debian-archive" in text:
            with open(os.path.join(apt, "parts", os.path.basename(path)), "w", encoding="utf-8") as file:
                file.write(text.replace("Types: deb\n", "Types: deb-src\n"))
    config = os.path.join(apt, "apt.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f'Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "{apt}/parts";\nDir::State::Lists "{apt}/lists";\n')
    environment = dict(os.environ, APT_CONFIG=config)
    if not glob.glob(os.path.join(apt, "lists/*Sources*")):
        run("apt", ["apt-get", "update", "-qq"], env=environment)
    run("apt", ["apt-get", "source", "--download-only", "-qq", package], env=environment, cwd=to)


def crates(work):
    """The sources of this project's own dependencies, as cargo keeps them."""
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    kept = first_folder([home + "/registry/src/*"], "cargo fetch")
    folder = os.path.join(work, "corpora", "crates")
    os.makedirs(folder, exist_ok=True)
    for name in ("regex-automata", "ractor", "clap_builder", "jiff", "toml_parser", "rayon", "globset", "ignore"):
        for crate in sorted(glob.glob(f"{kept}/{name}-[0-9]*"))[-1:]:
            shutil.copytree(crate, os.path.join(folder, os.path.basename(crate)), dirs_exist_ok=True)
    return folder


def first_folder(patterns, hint):
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            return path
    raise Unavailable(f"no such folder (try {hint})")


def run(what, words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise Unavailable(f"{what} failed: {done.stderr.strip().splitlines()[-1:]}")
