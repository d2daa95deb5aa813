"""weir headers killed with SIGKILL at random moments and called again until it is done: the files of a run that was not, so the same rows, none
twice. The same of an update, in which objects are new, changed and gone. WEIR_TEST_FULL=1: thirty times each, else once."""

import json
import random
import shutil
import subprocess
import time

from support import checks
from support.hostile_tiffs import tiff, with_tags
from support.made_bucket import serving

KEYS = 6000 if checks.FULL else 2000
ROUNDS = 30 if checks.FULL else 1


def picture(width):
    return tiff(with_tags((256, 4, 1, width))) if width % 50 else b"II*\0"  # some are broken


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def killed_until_done(command, out, seconds, random_numbers):
    """How often it was killed, at least once: at moments up to `seconds`, what a whole run takes, and later each time so that it ends. One
    that is killed between its last file and its exit is done: the next says so and refuses."""
    kills = 0
    for _ in range(200):
        child = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE)
        try:
            child.wait(random_numbers.uniform(0, seconds * (0.5 + kills / 5)))
        except subprocess.TimeoutExpired:
            child.kill()
        said = child.communicate()[1]
        if child.returncode > 0 and kills > 0 and b"it has a finished catalog" in said:
            return kills
        if child.returncode > 0:
            raise RuntimeError(said.decode()[-300:])
        if child.returncode == 0 and kills > 0:
            return kills
        if child.returncode == 0:
            shutil.rmtree(out)
            seconds /= 2
        else:
            kills += 1
    raise RuntimeError("not done after 200 runs")


def undisturbed(command):
    begun = time.perf_counter()
    checks.run(*command)
    return time.perf_counter() - begun


def main():
    if "Arrow" not in checks.weir("--version")[0]:
        checks.skip("headers that are killed", "this build has no Parquet")
        checks.finish()
    scratch = checks.SCRATCH / "headers_killed"
    scratch.mkdir(exist_ok=True)
    random_numbers = random.Random(20)
    with serving({f"{i * 8 // KEYS}/{i:05}.tif": picture(i + 1) for i in range(KEYS)}) as bucket:
        config = scratch / "config.yaml"
        config.write_text(json.dumps(bucket.configuration()))

        def check_kills(name, *more):
            whole = scratch / f"{name}_whole"
            seconds = undisturbed([checks.WEIR, "headers", config, whole, "--quiet", "--overwrite", *more])
            problems, kills = [], 0
            for number in range(ROUNDS):
                out = scratch / f"{name}_{number}"
                try:
                    kills += killed_until_done([checks.WEIR, "headers", config, out, "--quiet", *more], out, seconds, random_numbers)
                except RuntimeError as error:
                    problems.append(f"round {number}: {error}")
                    continue
                if files_of(out) != files_of(whole):
                    problems.append(f"round {number}: other files")
            print(f"# {name}: {kills} kills in {ROUNDS} rounds of {KEYS} keys, an undisturbed run takes {seconds:.2f} s")
            checks.check(f"{name} that is killed at random moments ends with the files of one that is not", problems)
            return whole

        old = check_kills("a catalog")
        for i in range(0, KEYS, 10):
            key = f"{i * 8 // KEYS}/{i:05}.tif"
            if i % 3 == 0:
                del bucket.objects[key]
            else:
                bucket.objects[key] = picture(i + 100_000)
        bucket.objects |= {f"new/{i:05}.tif": picture(i + 1) for i in range(KEYS // 20)}
        bucket.listed()
        check_kills("an update", "--update", old)
    checks.finish()


main()
