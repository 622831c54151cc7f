#!/bin/sh
# Three workloads that Docker runs and Podman will not, and one that does not rest while it moves.
set -eu
run() {
	name=$1
	shift
	docker run --detach --restart always --volume "$name:/data" --name "$name" "$@"
}
drop_in() {
	mkdir -p "/etc/systemd/system/$1.service.d"
	cat >"/etc/systemd/system/$1.service.d/trouble.conf"
}
# Another process is faster, and has the port as long as the unit is up.
run taken --publish 7001:6379 lab/redis:1
drop_in taken <<'F'
[Service]
ExecStartPre=systemd-run --unit=thief python3 -m http.server 7001
ExecStartPre=sh -c 'until ss --listening --tcp --numeric | grep -q :7001; do sleep 0.2; done'
ExecStopPost=systemctl stop thief
F
# systemd does not load it: such a type is never started again.
run refused lab/redis:1
drop_in refused <<'F'
[Service]
Type=oneshot
F
# It looks for the engine that it knows, and ends.
run picky --entrypoint sh lab/redis:1 -c 'test ! -e /run/.containerenv || exit 3; exec redis-server'
# Somebody runs its job in Docker, between the copy of the data and the end of the move.
run keeper lab/redis:1
docker create --volume keeper:/data --name job --entrypoint sh lab/redis:1 -c 'echo done >>/data/log'
docker start --attach job
drop_in keeper <<'F'
[Service]
ExecStartPost=docker start --attach job
F
