"""Pixels in a form that every reader can agree on: (samples, rows, columns), unsigned, signed, float64 or complex128. Widening
loses nothing, so equal hashes mean equal values; NaNs are one value."""

import hashlib

import numpy

WIDE = {"u": numpy.uint64, "i": numpy.int64, "f": numpy.float64, "c": numpy.complex128}


def planes(pixels):
    """(rows, columns) or (rows, columns, samples) as (samples, rows, columns)."""
    return pixels[numpy.newaxis] if pixels.ndim == 2 else numpy.moveaxis(pixels, -1, 0)


def seen(pixels):
    """What is compared, of (samples, rows, columns)."""
    kind = pixels.dtype.kind
    wide = numpy.ascontiguousarray(pixels.astype(WIDE[kind]))
    if kind in "fc":
        parts = wide.view(numpy.float64)
        parts[numpy.isnan(parts)] = numpy.nan
    return {"kind": kind, "shape": list(wide.shape), "hash": hashlib.sha256(wide.tobytes()).hexdigest()}
