#!/bin/sh
# configure_link.sh MAC ADDRESS/LENGTH GATEWAY: what a move by hand has to do to the new link, source routing included.
set -eu

link=
while [ -z "$link" ]; do
    link=$(ip -o link | awk -v mac="$1" 'index($0, mac) { sub(/[@:].*/, "", $2); print $2; exit }')
    [ -n "$link" ] || sleep 0.02
done
ip address add "$2" dev "$link"
ip link set "$link" up
ip route add default via "$3" dev "$link" table 101
ip rule add from "${2%/*}" lookup 101
