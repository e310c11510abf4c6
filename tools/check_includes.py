#!/usr/bin/env python3
"""Checks that the files of one folder include only what the folder may know.

check_includes.py SRC FOLDER [DEPS...]     DEPS: the folders of ours that FOLDER may include
"""
import pathlib
import re
import sys

# Outside libraries by folder. "=" and a file: only this one file, so that the library stays wrapped.
OUTSIDE = {
    "base": {"toml++/": "=base/toml.h"},
    "codec": {"simdjson.h": "=codec/json.cc", "sodium.h": ""},
    "twin": {"zlib.h": "", "zstd.h": ""},
    "net": {"boost/": "", "openssl/": "=net/tls.cc"},
    "store": {"sqlite3.h": "", "sodium.h": ""},
    "operate": {"fmt/": "", "sodium.h": "=operate/backup.cc"},
    "report": {"fmt/": ""},
    "api": {"fmt/": ""},
    "cli": {"CLI/": "", "fmt/": ""},
    "app": {"fmt/": ""},
}
# The door hands out what jobs wrote and makes secrets, so it sees files and the random device.
SYSTEM_FOLDERS = {"live", "store", "exec", "operate", "net", "api", "cli", "app", "twin"}
SYSTEM = re.compile(r"(sys|net|netinet|arpa|linux)/|(aio|dirent|dlfcn|fcntl|glob|grp|ifaddrs|libgen|"
                    r"netdb|poll|pthread|pty|pwd|sched|semaphore|signal|spawn|strings|syslog|termios|"
                    r"time|ucontext|unistd|wait)\.h$")
PORTS_ONLY = {"store", "exec", "gateway"}  # of live these see live/ports.h
PURE = {"base", "core", "codec"}
IMPURE = set("cstdio ctime csignal chrono condition_variable filesystem fstream future ios iostream "
             "istream latch barrier mutex ostream print random semaphore shared_mutex sstream "
             "stop_token streambuf syncstream thread".split())
EXCUSED = {("base/assert.cc", "cstdio")}  # the last words of a process


def complaint(path, folder, deps, quoted, header):
    """What to do about this include, or None if it may be there."""
    test = path.endswith("_test.cc")
    if quoted:
        other = header.split("/")[0]
        if "/" not in header or ".." in header:
            return f'name it from src/: "{folder}/..."'
        if other == "live" and folder in PORTS_ONLY and header != "live/ports.h":
            return f"of live, {folder} may include only live/ports.h: move what is shared there"
        if other != folder and other not in deps:
            return f"{folder} may include only: {' '.join([folder, *deps])} (see CMakeLists.txt)"
        return None
    if "/" not in header and not header.endswith(".h"):
        if folder in PURE and not test and header in IMPURE and (path, header) not in EXCUSED:
            return (f"{folder} is pure: no I/O, clock, thread or unseeded chance; "
                    "take what it gives as an argument")
        return None
    if (test and header == "doctest/doctest.h") or (folder in SYSTEM_FOLDERS and SYSTEM.match(header)):
        return None
    for library, where in OUTSIDE.get(folder, {}).items():
        if header == library or (library.endswith("/") and header.startswith(library)):
            return None if where in ("", "=" + path) else f"only {where[1:]} may: wrap it there"
    return f"not for {folder}: use a folder that wraps it, or add it to the table in tools/check_includes.py"


def main():
    src, folder, deps = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    include = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
    bad = 0
    for file in sorted(f for f in (src / folder).rglob("*") if f.suffix in (".h", ".cc")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if found := include.match(line):
                path = file.relative_to(src).as_posix()
                if why := complaint(path, folder, deps, found[1] == '"', found[2]):
                    print(f"{file}:{number}: {found[2]}: {why}")
                    bad += 1
    return bad > 0


sys.exit(main())
