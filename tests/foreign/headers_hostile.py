"""weir headers over a bucket of which one file in a hundred is hostile, each of another kind: damaged headers, and what servers do. All other
rows are there, and each hostile file is an error with its reason."""

import json
import subprocess

from support import checks
from support.hostile_tiffs import FATES, KINDS, tiff
from support.made_bucket import serving

READ = """
import json, pathlib, sys, pyarrow.parquet as parquet
folder = pathlib.Path(sys.argv[1])
rows = [row["path"] for part in sorted(folder.glob("part-*.parquet")) for row in parquet.read_table(part, columns=["path"]).to_pylist()]
print(json.dumps([rows, parquet.read_table(folder / "errors.parquet").to_pylist()]))
"""


def main():
    if not checks.VENV_PYTHON or "Arrow" not in checks.weir("--version")[0]:
        checks.skip("hostile files in a bucket", "Parquet, or pyarrow, is not there")
        checks.finish()
    wanted = {f"{name}.tif": (body, is_row, code, None) for name, (body, is_row, code) in KINDS.items()}
    wanted |= {f"server_{fate}.tif": (tiff(), is_row, code, fate) for fate, (is_row, code) in FATES.items()}
    hostile = [name for name, (_, _, code, _) in wanted.items() if code]
    good = [f"good{i:05}.tif" for i in range(100 * len(hostile))]
    # Spread over the bucket, one hostile file among every hundred.
    place = {name: f"{i // 10:03}/{name}" for i, name in enumerate(wanted)}
    place |= {name: f"{i // 1000:03}/{name}" for i, name in enumerate(good)}
    objects = {place[name]: tiff() for name in good} | {place[name]: body for name, (body, _, _, _) in wanted.items()}
    out = checks.SCRATCH / "headers_hostile"
    with serving(objects, {place[name]: fate for name, (_, _, _, fate) in wanted.items() if fate}) as bucket:
        (checks.SCRATCH / "headers_hostile.yaml").write_text(json.dumps(bucket.configuration()))
        checks.weir("headers", checks.SCRATCH / "headers_hostile.yaml", out, "--overwrite", "--quiet")
    done = subprocess.run([checks.VENV_PYTHON, "-c", READ, out], capture_output=True, text=True, check=True)
    rows, errors = json.loads(done.stdout)
    missing = {place[name] for name in good} - set(rows)
    checks.check("one hostile file in a hundred costs no other row, and no row is there twice",
                 [f"{len(missing)} are missing: {sorted(missing)[:3]}"] if missing else [] + (["twice"] if len(set(rows)) != len(rows) else []))
    problems, expected_rows = [], {place[name] for name in good}
    for name, (_, is_row, code, _) in wanted.items():
        found = {error["code"]: error for error in errors if error["path"] == place[name]}
        if is_row:
            expected_rows.add(place[name])
        if is_row != (place[name] in rows):
            problems.append(f"{name} {'has no row' if is_row else 'has a row'}")
        if code not in found if code else found:
            problems.append(f"{name}: {sorted(found)} instead of {code}")
        problems += [f"{name}: {error}" for error in found.values() if not error["reason"] or error["tries"] < 1]
    if set(rows) != expected_rows:
        problems.append(f"rows of {sorted(set(rows) ^ expected_rows)[:3]}")
    if {error["path"] for error in errors} != {place[name] for name in hostile}:
        problems.append("errors of other files")
    checks.check(f"each of {len(hostile)} kinds of hostile file is an error with its reason", problems)
    checks.finish()


main()
