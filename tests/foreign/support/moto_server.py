"""A server of moto, which checks every signature with botocore, with the bucket "box" and a user who may do all."""

import contextlib
import os
import socket
import subprocess
import time

from support import checks

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


def is_there(python):
    return bool(python) and subprocess.run([python, "-c", "import moto, boto3, flask"], capture_output=True).returncode == 0


def complaints(done):
    return [] if done.returncode == 0 else [(done.stderr or done.stdout)[-1500:]]


@contextlib.contextmanager
def started(python):
    """Gives (URL, environment with the keys), or (URL, None) where the bucket could not be made, which is told as a failed check."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    with open(checks.SCRATCH / "moto.log", "wb") as log:
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
            if made.returncode != 0:
                yield url, None
                return
            key, secret = made.stdout.split()
            yield url, environment | {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL_S3": url}
        finally:
            server.terminate()
            server.wait()
