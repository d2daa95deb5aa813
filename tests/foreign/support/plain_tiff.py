"""The plainest TIFF there is: one uncompressed strip, little-endian, no tag that could be left out (TIFF 6.0, Part 1). Sources
for the tests, of any sample type."""

import struct

import numpy

SHORT, LONG = 3, 4
SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3, "c": 6}


def write(path, pixels, complex_integers=False, photometric=1):
    """`pixels`: (rows, columns, samples), of a NumPy type; with `complex_integers` the last axis has pairs of integers, real and
    imaginary, and the samples are half as many."""
    rows, columns, samples = pixels.shape
    bits, sample_format = pixels.dtype.itemsize * 8, SAMPLE_FORMATS[pixels.dtype.kind]
    if complex_integers:
        samples, bits, sample_format = samples // 2, bits * 2, 5
    data = numpy.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("<"))).tobytes()

    tags = [(256, LONG, [columns]), (257, LONG, [rows]), (258, SHORT, [bits] * samples), (259, SHORT, [1]),
            (262, SHORT, [photometric]), (273, LONG, [8]), (277, SHORT, [samples]), (278, LONG, [rows]),
            (279, LONG, [len(data)]), (284, SHORT, [1])]
    extra = samples - (3 if photometric == 2 else 1)
    if extra:
        tags.append((338, SHORT, [0] * extra))
    tags.append((339, SHORT, [sample_format] * samples))

    directory_at = 8 + len(data) + len(data) % 2
    values_at = directory_at + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, kind, numbers in tags:
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            field, values = struct.pack("<I", values_at + len(values)), values + packed + b"\0" * (len(packed) % 2)
        else:
            field = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + field
    with open(path, "wb") as file:
        file.write(b"II*\0" + struct.pack("<I", directory_at) + data + b"\0" * (len(data) % 2))
        file.write(struct.pack("<H", len(tags)) + entries + b"\0\0\0\0" + values)
