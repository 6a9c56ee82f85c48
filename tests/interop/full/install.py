"""What the checks with foreign engines need, kept in the cache: jars by Maven, each compared with a digest that stands
in `jars.sha256`, Trino unpacked, the few lines of Java that start Iceberg's reference catalog compiled, and a catalog
of Rust built by Cargo.

Argument: the cache's folder. Prints where everything is, as JSON.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAVEN = ["mvn", "--batch-mode", "--quiet", "--strict-checksums"]
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
SETS = ("trino", "spark", "rest", "nessie")
TRINO_PLUGINS = {"iceberg"}
RUSTBERG = "0.3.0"


def java(lowest, highest):
    """The home of an installed Java whose version lies in this range."""
    homes = [os.environ.get("JAVA_HOME", ""), *sorted(map(str, Path("/usr/lib/jvm").glob("*")))]
    found = {}
    for home in filter(None, homes):
        release = Path(home, "release")
        version = release.is_file() and re.search(r'JAVA_VERSION="(\d+)', release.read_text())
        if version and Path(home, "bin/javac").is_file():
            found.setdefault(int(version[1]), home)
    fitting = [version for version in sorted(found) if lowest <= version <= highest]
    if not fitting:
        versions = ", ".join(map(str, sorted(found))) or "none"
        raise SystemExit(f"expected a JDK {lowest} to {highest} in JAVA_HOME or /usr/lib/jvm, found {versions}: install one")
    return found[fitting[0]]


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known():
    """Digests by `set/file`."""
    pairs = (line.split() for line in (HERE / "jars.sha256").read_text().splitlines() if line)
    return {name: value for value, name in pairs}


def copy(cache, name):
    """Jars of one set, downloaded, or found from an earlier time; a file that is not as known is an error."""
    pom = HERE / "pom" / f"{name}.xml"
    folder, marker = cache / name, cache / f"{name}.installed"
    expected = {path.removeprefix(f"{name}/"): value for path, value in known().items() if path.startswith(f"{name}/")}
    state = json.dumps([digest(pom), expected])
    if marker.is_file() and marker.read_text() == state:
        return folder
    if shutil.which("mvn") is None:
        raise SystemExit("expected Maven as `mvn`: install it (on Debian, the package `maven`)")
    print(f"downloading what {name} needs", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    into = [f"-Dmaven.repo.local={cache / 'm2'}", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    subprocess.run([*MAVEN, "--file", pom, COPY, *into], check=True, stdout=sys.stderr)
    found = {file.name: digest(file) for file in folder.iterdir()}
    if found != expected:
        wrong = sorted(found.items() ^ expected.items())
        raise SystemExit(f"expected the files of {name} as `jars.sha256` has them, found other ones: {wrong}")
    if name == "trino":
        unpack_trino(folder)
    if name == "rest":
        compile_launcher(folder)
    marker.write_text(state)
    return folder


def unpack_trino(folder):
    """The server with the one plugin that is used. Plugins share files by hard links, so all are unpacked first."""
    (archive,) = folder.glob("trino-server-*.tar.gz")
    (driver,) = folder.glob("sqlite-jdbc-*.jar")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="tar")
    (server,) = (path for path in folder.glob("trino-server-*") if path.is_dir())
    for plugin in (server / "plugin").iterdir():
        if plugin.name not in TRINO_PLUGINS:
            shutil.rmtree(plugin)
    server.rename(folder / "server")
    driver.rename(folder / "server/plugin/iceberg" / driver.name)
    archive.unlink()


def compile_launcher(folder):
    javac = Path(java(17, 21), "bin/javac")
    subprocess.run([javac, "-cp", f"{folder}/*", "-d", folder / "classes", HERE / "LoopbackCatalog.java"], check=True)


def build_rustberg(cache):
    """From its sources, as its lock file has them; quickly, for it is not measured."""
    folder, marker = cache / "rustberg", cache / "rustberg.installed"
    if marker.is_file() and marker.read_text() == RUSTBERG:
        return folder
    print("building rustberg (a quarter of an hour)", file=sys.stderr)
    profile = {"LTO": "false", "OPT_LEVEL": "1", "CODEGEN_UNITS": "16"}
    settings = {f"CARGO_PROFILE_RELEASE_{name}": value for name, value in profile.items()}
    settings["CARGO_TARGET_DIR"] = str(cache / "rustberg-target")
    words = [os.environ.get("CARGO", "cargo"), "install", "rustberg", "--version", RUSTBERG, "--locked", "--root", folder]
    subprocess.run(words, check=True, env={**os.environ, **settings}, stdout=sys.stderr)
    shutil.rmtree(cache / "rustberg-target", ignore_errors=True)
    marker.write_text(RUSTBERG)
    return folder


def install(cache):
    """Folders by name."""
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    places = {name: str(copy(cache, name)) for name in SETS}
    # Maven's own store holds every archive a second time.
    shutil.rmtree(cache / "m2", ignore_errors=True)
    return places | {"rustberg": str(build_rustberg(cache))}


if __name__ == "__main__":
    json.dump(install(sys.argv[1]), sys.stdout)
