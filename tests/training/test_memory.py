import os

from ridgeline.training import memory


def test_it_is_asked_for_once_and_only_of_glibc(monkeypatch):
    memory.retain.cache_clear()
    glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    assert memory.retain() is glibc
    memory.retain.cache_clear()
    monkeypatch.setattr(memory.os, "confstr", lambda _: "musl 1.2")
    assert memory.retain() is False
    memory.retain.cache_clear()
