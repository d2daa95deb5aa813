#!/usr/bin/env bash
# Runs an example in an empty folder and compares what it prints with the "// Output:" block of its source:
# the lines behind it, up to the first that is no comment, without their "//   ".
#
#   tests/check_example.sh SOURCE.cpp PROGRAM
set -euo pipefail
source="$(realpath "$1")"
program="$(realpath "$2")"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/empty"

awk '/^\/\/ Output:/ { inside = 1; next }
     inside && !/^\/\// { exit }
     inside { print substr($0, substr($0, 1, 5) == "//   " ? 6 : 3) }' "$source" >"$scratch/expected"
if [ ! -s "$scratch/expected" ]; then
  echo "$source has no \"// Output:\" block"
  exit 1
fi
status=0
(cd "$scratch/empty" && timeout 120 "$program") >"$scratch/printed" 2>"$scratch/errors" || status=$?
if [ "$status" -ne 0 ]; then
  echo "exit code $status"
  cat "$scratch/errors"
  exit 1
fi
diff -u --label expected --label printed "$scratch/expected" "$scratch/printed"
