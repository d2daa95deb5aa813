"""Buckets of moto's server, which checks every signature with botocore: the suite of stores on one, then boto3 reads
what was written."""

import os
import subprocess

from support import checks, moto_server

NAME = "a bucket of a server that checks signatures keeps what the interface of stores promises"
LOOK = """
import sys, boto3
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="box")
keys = {item["Key"]: item["Size"] for page in pages for item in page["Contents"]}
assert keys["large"] == 11 << 20, keys["large"]
assert len([key for key in keys if key.startswith("some pre+fix/many/")]) == 1100
assert keys["some pre+fix/a/sp ace+%41&="] == 9, keys
assert s3.get_object(Bucket="box", Key="some pre+fix/zarr.json")["Body"].read() != b""
assert "Uploads" not in s3.list_multipart_uploads(Bucket="box")
assert s3.head_object(Bucket="box", Key="large")["ETag"].endswith('-3"')
"""
GRAPH = """weir: 1
nodes:
  dem: {type: read_zarr, path: "s3://box/group.zarr/dem"}
  bands: {type: assemble_bands, input: dem}
  tiles: {type: cut_tiles, input: bands, tile: 256}
  zarr: {type: write_zarr, input: tiles, path: "s3://box/group.zarr/dem"}
"""


def refusals(environment):
    """What converting into a bucket does to what is there: each refused with its reason, and nothing is gone."""
    problems = []

    def convert(*arguments):
        done = subprocess.run([checks.WEIR, "convert", *arguments, "--to", "zarr", "--quiet"], capture_output=True, text=True, env=environment)
        return done.returncode, done.stderr

    made = convert("terrain:40x30:uint8", "s3://box/dem.zarr")
    if made[0] != 0:
        problems.append(f"the array: {made}")
    for source, target, more, reason in [
        ("terrain:40x30:uint8", "s3://box/dem.zarr", [], "it exists already"),
        ("s3://box/dem.zarr", "s3://box/dem.zarr", ["--overwrite"], "it is read, too"),
        ("s3://box/dem.zarr", "s3://box", ["--overwrite"], "it is read, too"),
        ("terrain:40x30:uint8", "s3://box", [], "already"),
        ("terrain:40x30:uint8", "s3://box", ["--overwrite"], "is there, which is nothing of a Zarr array"),
        ("terrain:40x30:uint8", "s3://box/some pre+fix/many", ["--overwrite"], "is there, which is nothing of a Zarr array"),
    ]:
        code, said = convert(source, target, *more)
        if code != 2 or reason not in said:
            problems.append(f"{source} to {target} {more}: {code} {said}")
    made = convert("terrain:40x30:uint8", "s3://box/group.zarr/dem")
    group = subprocess.run([checks.WEIR, "info", "s3://box/group.zarr/dem"], capture_output=True, text=True, env=environment)
    graph = checks.SCRATCH / "onto_itself.yaml"
    graph.write_text(GRAPH)
    run = subprocess.run([checks.WEIR, "run", graph, "--overwrite", "--quiet"], capture_output=True, text=True, env=environment)
    again = subprocess.run([checks.WEIR, "info", "s3://box/group.zarr/dem"], capture_output=True, text=True, env=environment)
    if made[0] != 0 or run.returncode != 2 or "it is read, too" not in run.stderr or group.returncode != 0 or again.stdout != group.stdout:
        problems.append(f"a graph: {made} {run.returncode} {run.stderr} {again.stderr}")
    return problems


def main():
    python = os.environ.get("WEIR_VENV_PYTHON", "")
    tests = os.path.join(os.path.dirname(os.environ["WEIR_BIN"]), "..", "tests", "weir_tests")
    if not moto_server.is_there(python):
        checks.skip("buckets of moto", "moto is not there")
        checks.finish()
    with moto_server.started(python) as (url, environment):
        if environment:
            ours = subprocess.run([tests, f"-tc={NAME}"], capture_output=True, text=True, env=environment | {"WEIR_TEST_S3": "1"})
            ran = "1 passed" in ours.stdout
            checks.check("the suite of stores holds for a bucket of moto", moto_server.complaints(ours) if ran else ["no test ran"])
            checks.check("nothing in a bucket is removed that is not of the array, nor what is read", refusals(environment))
            theirs = subprocess.run([python, "-c", LOOK, url], capture_output=True, text=True, env=environment)
            checks.check("boto3 reads what was written to it", moto_server.complaints(theirs))
    checks.finish()


main()
