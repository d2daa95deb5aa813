"""Rows of Parquet files, as JSON, one line each, for scripts whose own Python has no pyarrow. Bytes become hexadecimal, maps
dictionaries, NaN null."""

import json
import math
import sys

import pyarrow.parquet


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return {str(key): plain(item) for key, item in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (int, float, str, type(None))) else str(value)


for path in sys.argv[1:]:
    for row in pyarrow.parquet.read_table(path).to_pylist():
        print(json.dumps(plain(row)))
