"""A library to preload that steps one clock of a process when a file appears."""

import subprocess
from pathlib import Path

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
/* Moves one clock forward by two and a half seconds once a file exists. */
int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(which, now);
  const char *file = getenv("CLOCK_STEP_FILE"), *clock = getenv("CLOCK_STEP_CLOCK");
  if (file && clock && which == (clockid_t)atoi(clock) && access(file, F_OK) == 0) {
    now->tv_sec += 2;
    now->tv_nsec += 500000000;
    if (now->tv_nsec >= 1000000000) { now->tv_sec += 1; now->tv_nsec -= 1000000000; }
  }
  return result;
}
"""


def build_clock_library(folder: Path) -> Path:
    """Compile it into `folder`. It reads CLOCK_STEP_FILE and CLOCK_STEP_CLOCK."""
    library, source = folder / "clock.so", folder / "clock.c"
    source.write_text(CLOCK)
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library
