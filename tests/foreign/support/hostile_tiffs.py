"""TIFF files as no writer makes them: each kind of damage that header catalogs are to bear, and a whole one."""

import struct

SHORT, LONG, DOUBLE, LONG8, TEXT = 3, 4, 12, 16, 2
WIDTH, HEIGHT = (256, SHORT, 1, 40), (257, SHORT, 1, 30)
PLAIN = [WIDTH, HEIGHT, (258, SHORT, 1, 8), (259, SHORT, 1, 1), (262, SHORT, 1, 1), (273, LONG, 1, 8), (277, SHORT, 1, 1), (278, SHORT, 1, 30),
         (279, LONG, 1, 1200), (284, SHORT, 1, 1), (339, SHORT, 1, 1)]
FAR = 0x7fffff00


def with_tags(*entries):
    """PLAIN with these instead of what it has, and more."""
    tags = {entry[0] for entry in entries}
    return sorted([entry for entry in PLAIN if entry[0] not in tags] + list(entries))


def tiff(entries=None, big=False, first=None, following=0, behind=b"", sort=True):
    """One directory in front, `behind` behind it. `first`, `following`: where the first directory and the next one are said to be."""
    entries = PLAIN if entries is None else entries
    at = 16 if big else 8
    head = b"II" + (struct.pack("<HHHQ", 43, 8, 0, at if first is None else first) if big else struct.pack("<HI", 42, at if first is None else first))
    body = struct.pack("<Q" if big else "<H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack("<HHQQ" if big else "<HHII", tag, kind, count, value)
    return head + body + struct.pack("<Q" if big else "<I", following) + behind + bytes(200)


def after_directory(entries):
    return 8 + 2 + 12 * len(entries) + 4


def chain(count):
    """Directories one behind the other."""
    out = struct.pack("<2sHI", b"II", 42, 8)
    for i in range(count):
        at = len(out)
        size = 2 + 12 * 2 + 4
        out += struct.pack("<H", 2) + struct.pack("<HHIIHHII", *WIDTH, *HEIGHT) + struct.pack("<I", at + size if i + 1 < count else 0)
    return out


KEYS = with_tags((34735, SHORT, 8, after_directory(PLAIN) + 12), (34737, TEXT, 4, 0x7c676a))
# What is there of a file's row, and the code of its error: none where the file is whole.
KINDS = {
    "whole": (tiff(), True, None),
    "cycle": (tiff(following=8), True, "directory_cycle"),
    "strips": (tiff(with_tags((257, LONG, 1, 2**32 - 1), (278, SHORT, 1, 1))), True, "too_few_offsets"),
    "strip_array": (tiff(with_tags((273, LONG, 2**32 - 1, 100))), True, "value_outside"),
    "overflow": (tiff([(256, LONG, 1, 40), (257, LONG, 1, 30), (270, DOUBLE, 2**63, 100)], big=True), True, "count_overflow"),
    "directory_beyond": (tiff(first=FAR), False, "directory_outside"),
    "next_beyond": (tiff(following=FAR), True, "directory_outside"),
    "value_beyond": (tiff(with_tags((270, TEXT, 100, FAR))), True, "value_outside"),
    "cut_in_front": (tiff()[:6], False, "truncated"),
    "cut_in_directory": (tiff()[:30], True, "truncated"),
    "empty": (b"", False, "empty"),
    "no_directory": (tiff(first=0), False, "no_directory"),
    "empty_directory": (tiff([]), False, "empty_directory"),
    "wrong_type": (tiff(with_tags((256, TEXT, 3, 0x3030))), True, "wrong_type"),
    "unknown_type": (tiff(with_tags((270, 77, 1, 0))), True, "unknown_type"),
    "duplicate": (tiff(sorted(PLAIN + [(256, SHORT, 1, 41)])), True, "duplicate_tag"),
    "geokeys": (tiff(KEYS, behind=struct.pack("<8H", 1, 1, 0, 1, 1026, 34737, 900, 0)), True, "broken_geokeys"),
    "no_size": (tiff(with_tags((256, SHORT, 1, 0))), True, "no_size"),
    "directories": (chain(1100), True, "too_many_directories"),
    "tags": (tiff([(1000 + i, SHORT, 1, 0) for i in range(5000)]), False, "too_many_tags"),
    "text": (b"<html>" * 20, False, "not_a_tiff"),
}
# What servers do: fates of support/made_bucket.py.
FATES = {"gone": (False, "not_found"), "page": (False, "not_a_tiff"), "whole": (True, None), "half": (False, "no_answer"),
         "stalls": (False, "no_answer"), 403: (False, "denied"), 503: (False, "busy")}
