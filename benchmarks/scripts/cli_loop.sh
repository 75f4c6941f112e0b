#!/bin/bash
# cli_loop.sh HOST PORT MOVE...: a tcp check each second, start to start; after three misses it runs MOVE.
set -eu
host=$1 port=$2
shift 2

misses=0
while true; do
    sleep 1 &
    tick=$!
    if timeout 1 bash -c "</dev/tcp/$host/$port" 2>/dev/null; then misses=0; else misses=$((misses + 1)); fi
    if [ "$misses" = 3 ]; then exec "$@"; fi
    wait "$tick"
done
