#!/usr/bin/env bash
# The long series of bad days, by hand: every outage of 1, 5 and 30 s and every mishap TIMES times (20 unless it is said),
# fifty kills on either engine, full disks. About three hours; the figures go to docs/operations.md.
# Runs target/ci/guildhall (`cargo build --profile ci`) or GUILDHALL_BINARY.
set -euo pipefail
cd "$(dirname "$0")/.."

times=${1:-20}
tests/outage --times "$times" 1 5 30
tests/full_disk
tests/crash 50
trap 'scripts/postgres stop' EXIT
server=$(scripts/postgres start)
GUILDHALL_TEST_DATABASE_URL=$server tests/crash 50
