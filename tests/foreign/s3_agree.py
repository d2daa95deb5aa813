"""Buckets of moto's server, which checks every signature with botocore: the suite of stores on one, then boto3 reads
what was written."""

import os
import socket
import subprocess
import time

from support import checks

SCRATCH = checks.SCRATCH
NAME = "a bucket of a server that checks signatures keeps what the interface of stores promises"
# Requests that nobody signs with keys of the server: they make the user, its permissions, its keys and the bucket.
PREPARATIONS = 5

PREPARE = """
import json, sys, boto3
end = sys.argv[1]
make = lambda what, **keys: boto3.client(what, endpoint_url=end, region_name="us-east-1", **keys)
nobody = dict(aws_access_key_id="nobody", aws_secret_access_key="nothing")
iam = make("iam", **nobody)
iam.create_user(UserName="weir")
policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
iam.put_user_policy(UserName="weir", PolicyName="all", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="weir")["AccessKey"]
make("s3", **nobody).create_bucket(Bucket="box")
iam.list_users()
print(key["AccessKeyId"], key["SecretAccessKey"])
"""
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


def complaints(done):
    return [] if done.returncode == 0 else [(done.stderr or done.stdout)[-1500:]]


def main():
    python = os.environ.get("WEIR_VENV_PYTHON", "")
    tests = os.path.join(os.path.dirname(os.environ["WEIR_BIN"]), "..", "tests", "weir_tests")
    if not python or subprocess.run([python, "-c", "import moto, boto3, flask"], capture_output=True).returncode != 0:
        checks.skip("buckets of moto", "moto is not there")
        checks.finish()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with open(SCRATCH / "moto.log", "wb") as log:
        server = subprocess.Popen([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log,
                                  stderr=log, env=environment | {"INITIAL_NO_AUTH_ACTION_COUNT": str(PREPARATIONS)})
        try:
            for _ in range(300):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            made = subprocess.run([python, "-c", PREPARE, url], capture_output=True, text=True, env=environment)
            checks.check("moto makes a user and a bucket", complaints(made))
            if made.returncode == 0:
                key, secret = made.stdout.split()
                environment |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "WEIR_TEST_S3": "1",
                                "AWS_ENDPOINT_URL_S3": url}
                ours = subprocess.run([tests, f"-tc={NAME}"], capture_output=True, text=True, env=environment)
                ran = "1 passed" in ours.stdout
                checks.check("the suite of stores holds for a bucket of moto", complaints(ours) if ran else ["no test ran"])
                theirs = subprocess.run([python, "-c", LOOK, url], capture_output=True, text=True, env=environment)
                checks.check("boto3 reads what was written to it", complaints(theirs))
        finally:
            server.terminate()
            server.wait()
    checks.finish()


main()
