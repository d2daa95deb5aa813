"""What rio-cogeo's cog_validate says of files. Input: paths, one a line; output: one line of JSON each: [is valid, errors, warnings], or
null where it fails itself. A program of its own as pixels.py is."""

import json
import sys

from rio_cogeo.cogeo import cog_validate

for line in sys.stdin:
    try:
        print(json.dumps(cog_validate(line.rstrip("\n"), quiet=True)))
    except Exception:  # some files are more than it can stand
        print("null")
