"""perf_analyzer 2.60 from its package, also on a machine whose C library is older than it asks for.

The wheel wants glibc 2.38 and GCC 13's libstdc++; it uses seven functions of them. Where they are
missing, the versions are marked as weak in a copy of the program and a small library gives the
functions.
"""

import os
import platform
import struct
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VERSION = "2.60.0"
_WEAK_VERSIONS = ("GLIBC_2.38", "GLIBCXX_3.4.31", "GLIBCXX_3.4.32")
_VERSION_NEEDS = 0x6FFFFFFE
_WEAK = 2

_SHIM = r"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
unsigned long __isoc23_strtoul(const char *s, char **e, int b) { return strtoul(s, e, b); }
unsigned long long __isoc23_strtoull(const char *s, char **e, int b) { return strtoull(s, e, b); }
long __isoc23_strtol(const char *s, char **e, int b) { return strtol(s, e, b); }
long long __isoc23_strtoll(const char *s, char **e, int b) { return strtoll(s, e, b); }
int __isoc23_sscanf(const char *s, const char *f, ...) {
  va_list a; va_start(a, f); int r = vsscanf(s, f, a); va_end(a); return r;
}
/* The streams of an older libstdc++ are made by its ios_base::Init. */
extern void _ZNSt8ios_base4InitC1Ev(void *);
static char ios_init[16];
void _ZSt21ios_base_library_initv(void) {}
__attribute__((constructor)) static void start(void) { _ZNSt8ios_base4InitC1Ev(ios_init); }
/* std::string::_M_replace_cold(p, length1, s, length2, tail): s may overlap what is replaced. */
void _ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE15_M_replace_coldEPcmPKcmm(
    void *self, char *p, size_t n1, const char *s, size_t n2, size_t tail) {
  char *copy = malloc(n2 ? n2 : 1);
  (void)self;
  memcpy(copy, s, n2);
  if (tail && n1 != n2) memmove(p + n2, p + n1, tail);
  memcpy(p, copy, n2);
  free(copy);
}
"""


@dataclass(frozen=True)
class PerfAnalyzer:
    program: Path
    preload: Path | None

    def start(self, arguments: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
        environment = dict(os.environ)
        if self.preload is not None:
            environment["LD_PRELOAD"] = str(self.preload)
        with log.open("wb") as stream:
            return subprocess.Popen(
                [str(self.program), *arguments], env=environment, stdout=stream, stderr=stream
            )


def perf_analyzer(folder: Path) -> PerfAnalyzer:
    """Install it into `folder`. Raises CalledProcessError when the package cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", f"perf-analyzer=={VERSION}", "--no-deps"]
    command += ["--only-binary=:all:", "--platform=manylinux_2_38_x86_64", f"--dest={folder}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    [wheel] = folder.glob("perf_analyzer-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read("perf_analyzer/bin/perf_analyzer")
    program = folder / "perf_analyzer"
    version = tuple(int(part) for part in platform.libc_ver()[1].split("."))
    old = version < (2, 38)
    program.write_bytes(_with_weak_versions(content) if old else content)
    program.chmod(0o755)
    if not old:
        return PerfAnalyzer(program, None)
    source, shim = folder / "shim.c", folder / "shim.so"
    source.write_text(_SHIM)
    build = ["cc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(source), "-lstdc++"]
    subprocess.run(build, check=True)
    return PerfAnalyzer(program, shim)


def _with_weak_versions(content: bytes) -> bytes:
    """Mark the versions of symbols that are too new as weak in the ELF file's list of needs."""
    data = bytearray(content)
    (sections_at,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", data, sections_at + each * size) for each in range(count)
    ]
    for _, kind, _, _, offset, _, link, needs, *_ in sections:
        if kind != _VERSION_NEEDS:
            continue
        names = sections[link][4]
        for _ in range(needs):
            _, versions, _, first, following = struct.unpack_from("<HHIII", data, offset)
            entry = offset + first
            for _ in range(versions):
                _, flags, _, name, more = struct.unpack_from("<IHHII", data, entry)
                end = data.index(0, names + name)
                if data[names + name : end].decode() in _WEAK_VERSIONS:
                    struct.pack_into("<H", data, entry + 4, flags | _WEAK)
                entry += more
            offset += following
    return bytes(data)
