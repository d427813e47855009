#!/usr/bin/env bash
# Guildhall on three database servers under Patroni, etcd and HAProxy: the leader is lost in every way while clients write.
# By hand, as root on Debian: some minutes, and it needs the port 5000.
#
# Usage: tests/ha.sh [TIMES]      how often each way, default 1; GUILDHALL_BINARY chooses the program
set -euo pipefail
cd "$(dirname "$0")/.."

for package in patroni python3-etcd etcd-server haproxy postgresql; do
    dpkg -s "$package" >/dev/null 2>&1 || apt-get install -y --no-install-recommends "$package" >/dev/null
done
directory=$(mktemp -d /tmp/guildhall-ha-XXXXXX)
# The servers run as somebody else.
chmod 711 "$directory"
trap 'deploy/ha/rehearsal stop "$directory/servers"; rm -rf "$directory"' EXIT
settings=$(deploy/ha/rehearsal start "$directory/servers")
export $settings
python3 tests/failovers.py "$directory" "${1:-1}"
