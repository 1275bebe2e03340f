"""What is freed goes back to the system."""

import platform
import subprocess
import sys

import pytest

from core.config import PROJECT_ROOT
from pages.components.memory import return_at_once

# A large piece below a small one that stays: the C library's heap cannot shrink past it.
KEPT = """
import ctypes
from pages.components.memory import return_at_once

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
MEGABYTE = 1 << 20

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 // MEGABYTE

def piece(megabytes):
    address = library.malloc(megabytes * MEGABYTE)
    ctypes.memset(address, 1, megabytes * MEGABYTE)
    return address

if {at_once}:
    return_at_once()
library.free(piece(30))  # by this the C library learns to keep such pieces
pieces, small = [], []
for _ in range(10):
    pieces.append(piece(20))
    small.append(library.malloc(1000))
before = resident()
for one in pieces:
    library.free(one)
print(before - resident())
"""


def returned_mb(at_once: bool) -> int:
    code = KEPT.replace("{at_once}", str(at_once))
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_large_pieces_go_back_though_a_small_one_stays_above_them():
    assert returned_mb(at_once=False) < 100
    assert returned_mb(at_once=True) > 190


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no such library"))
    return_at_once()
