"""weir headers over a bucket of moto's server, which checks every signature: what it lists and fetches is what boto3 has there, by tag,
size and time; over several pages, prefixes and odd names; and no secret is said anywhere."""

import json
import os
import subprocess

from support import checks, moto_server

FILL = """
import pathlib, sys, boto3
end, data = sys.argv[1], pathlib.Path(sys.argv[2])
s3 = boto3.client("s3", endpoint_url=end, region_name="us-east-1")
files = sorted(p for p in data.iterdir() if p.suffix in (".tif", ".tiff"))
for i, path in enumerate(files):
    s3.put_object(Bucket="box", Key=f"some pre+fix/a&b=c/{path.name}", Body=path.read_bytes())
small = min(files, key=lambda p: p.stat().st_size).read_bytes()
for i in range(1100):
    s3.put_object(Bucket="box", Key=f"many/{i:04}.tif", Body=small)
s3.put_object(Bucket="box", Key="many/", Body=b"")
s3.put_object(Bucket="box", Key="many/a//b.tif", Body=small)
s3.put_object(Bucket="box", Key="elsewhere/0.tif", Body=small)
"""

# Everything below the two prefixes is a row, with what the listing says, or an error.
COMPARE = """
import json, sys, boto3, pyarrow.parquet as parquet
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1")
wanted = {}
for prefix in ("some pre+fix/", "many/"):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="box", Prefix=prefix):
        for item in page["Contents"]:
            if not item["Key"].endswith("/"):
                wanted[item["Key"]] = (item["Size"], item["ETag"].strip('"'), int(item["LastModified"].timestamp()))
import pathlib
folder = pathlib.Path(sys.argv[2])
rows = {}
for part in sorted(folder.glob("part-*.parquet")):
    for row in parquet.read_table(part, columns=["path", "size", "etag", "last_modified"]).to_pylist():
        assert row["path"] not in rows, row["path"]
        rows[row["path"]] = (row["size"], row["etag"], int(row["last_modified"].timestamp()))
errors = {row["path"]: row["code"] for row in parquet.read_table(folder / "errors.parquet").to_pylist()}
assert errors.get("many/a//b.tif") == "bad_key", errors
for path, state in wanted.items():
    assert path in rows or path in errors, path
    if path in rows:
        assert rows[path] == state, (path, rows[path], state)
assert set(rows) <= set(wanted), set(rows) - set(wanted)
print(len(rows))
"""


def main():
    python = os.environ.get("WEIR_VENV_PYTHON", "")
    if not moto_server.is_there(python):
        checks.skip("headers of a bucket of moto", "moto is not there")
        checks.finish()
    if "Parquet" not in checks.weir("--version")[0] and "Arrow" not in checks.weir("--version")[0]:
        checks.skip("headers of a bucket of moto", "this build has no Parquet")
        checks.finish()
    scratch = checks.SCRATCH / "headers_s3"
    scratch.mkdir(exist_ok=True)
    with moto_server.started(python) as (url, environment):
        if not environment:
            checks.finish()
        filled = subprocess.run([python, "-c", FILL, url, checks.DATA], capture_output=True, text=True, env=environment)
        checks.check("boto3 fills the bucket", moto_server.complaints(filled))
        config = {"store": {"name": "s3://box", "prefixes": ["some pre+fix", "many"], "obstore_config": {"region": "us-east-1"}},
                  "concurrency": {"n_consumers": 16}}
        secret = environment["AWS_SECRET_ACCESS_KEY"]

        def headers(name, environment, **more):
            path, out = scratch / f"{name}.yaml", scratch / name
            config["store"]["obstore_config"] = {"region": "us-east-1", **more}
            path.write_text(json.dumps(config))
            return out, subprocess.run([checks.WEIR, "headers", path, out, "--overwrite", "--report", f"{out}.json"], capture_output=True,
                                       text=True, env=environment)

        bare = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        credentials = scratch / "credentials"
        credentials.write_text(f"[bench]\naws_access_key_id = {environment['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {secret}\n")
        said = ""
        ways = {"environment": headers("environment", environment),
                "configuration": headers("configuration", bare, endpoint=url, access_key_id=environment["AWS_ACCESS_KEY_ID"],
                                         secret_access_key=secret),
                "profile": headers("profile", bare | {"AWS_PROFILE": "bench", "AWS_SHARED_CREDENTIALS_FILE": str(credentials)},
                                   endpoint=url)}
        for way, (out, done) in ways.items():
            said += done.stdout + done.stderr
            checks.check(f"the bucket is read with keys of the {way}", moto_server.complaints(done))
            compared = subprocess.run([python, "-c", COMPARE, url, out], capture_output=True, text=True, env=environment)
            checks.check(f"rows and errors are what boto3 lists: {way}", moto_server.complaints(compared))
            for file in out.iterdir() if out.exists() else ():
                if secret.encode() in file.read_bytes():
                    said += secret
            if os.path.exists(f"{out}.json"):
                said += open(f"{out}.json").read()
        out, wrong = headers("wrong", bare, endpoint=url, access_key_id=environment["AWS_ACCESS_KEY_ID"], secret_access_key="wrong-secret")
        checks.check("a wrong secret ends the run with the server's reason",
                     [] if wrong.returncode == 1 and "SignatureDoesNotMatch" in wrong.stderr else [f"{wrong.returncode}: {wrong.stderr}"])
        said += wrong.stdout + wrong.stderr
        checks.check("no secret is said", [] if secret not in said and "wrong-secret" not in said else ["one is"])
    checks.finish()


main()
