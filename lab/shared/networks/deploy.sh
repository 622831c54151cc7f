#!/bin/sh
# What a host with networks of its own runs: each answer says by whose address it was reached, and through which names.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/bin" "$work/root/tmp" "$work/root/www/cgi-bin"
cp /usr/bin/busybox "$work/root/bin/"
for name in sh cat wget httpd; do ln -s busybox "$work/root/bin/$name"; done
# What a service says, and then what the next one says that NEXT names.
cat >"$work/root/www/cgi-bin/ask" <<'F'
#!/bin/sh
printf 'Content-Type: text/plain\n\n%s reached by %s\n' "$NAME" "$REMOTE_ADDR"
test ! -e /data/runs || cat /data/runs
test -z "${NEXT:-}" || wget -q -T 20 -O - "http://$NEXT/cgi-bin/ask"
F
chmod 0755 "$work/root/www/cgi-bin/ask"
# BusyBox has no server for datagrams; Perl is small.
for file in /usr/bin/perl /usr/lib/x86_64-linux-gnu/perl-base $(ldd /usr/bin/perl | grep -o '/[^ ]*'); do
	cp --parents --recursive --dereference "$file" "$work/root"
done
cat >"$work/root/echo.pl" <<'F'
use IO::Socket::INET;
$at = IO::Socket::INET->new(LocalPort => 9999, Proto => "udp") or die;
while (defined $at->recv($said, 99)) { $at->send($said) }
F
# As people close a published port to the world: at each start of Docker, and now.
closed='iptables --wait --insert DOCKER-USER --protocol tcp --match conntrack --ctorigdstport 8084 --jump DROP'
mkdir -p /etc/systemd/system/docker.service.d
printf '[Service]\nExecStartPost=%s\n' "$closed" >/etc/systemd/system/docker.service.d/closed.conf
systemctl daemon-reload
$closed

tar -C "$work/root" -c . | docker import --change 'CMD ["httpd", "-f", "-h", "/www"]' - lab/box:1

project() {
	mkdir -p "/srv/$1"
	cat >"/srv/$1/compose.yaml"
	docker compose --project-directory "/srv/$1" up --detach
}

# Two segments with addresses that are given, one of them without a way out; and a job that must run once only.
project shop <<'F'
networks:
  front:
    ipam: {config: [{subnet: 172.31.10.0/24, gateway: 172.31.10.254}]}
  back:
    internal: true
    ipam: {config: [{subnet: 172.31.20.0/24}]}
volumes:
  data:
services:
  web:
    image: lab/box:1
    restart: always
    ports: ["8081:80", "8084:80"]
    networks: {front: {ipv4_address: 172.31.10.10}}
    environment: {NAME: web, NEXT: backend}
  api:
    image: lab/box:1
    restart: always
    networks: {front: {aliases: [backend]}, back: {ipv4_address: 172.31.20.20}}
    environment: {NAME: api, NEXT: store}
  db:
    image: lab/box:1
    restart: always
    networks: {back: {ipv4_address: 172.31.20.30, aliases: [store]}}
    volumes: ["data:/data"]
    environment: {NAME: db}
  once:
    image: lab/box:1
    command: [sh, -c, "echo ran once >> /data/runs"]
    networks: [back]
    volumes: ["data:/data"]
F

# A proxy that reaches the applications of other projects over a network that none of them owns.
docker network create --subnet 172.31.30.0/24 proxy
project wiki <<'F'
networks:
  proxy: {external: true}
services:
  app:
    image: lab/box:1
    restart: always
    networks: {proxy: {aliases: [wiki]}, default: }
    environment: {NAME: app, NEXT: pages}
  pages:
    image: lab/box:1
    restart: always
    environment: {NAME: pages}
F
project edge <<'F'
networks:
  default: {name: proxy, external: true}
services:
  proxy:
    image: lab/box:1
    restart: always
    ports: ["8082:80"]
    environment: {NAME: proxy, NEXT: wiki}
F

# What becomes a pod.
project desk <<'F'
services:
  front:
    image: lab/box:1
    restart: always
    ports: ["8083:80"]
    environment: {NAME: front, NEXT: "drawer:90"}
  drawer:
    image: lab/box:1
    restart: always
    command: [httpd, -f, -h, /www, -p, "90"]
    environment: {NAME: drawer}
F

docker run --detach --name agent --network host --restart always --env NAME=agent lab/box:1 httpd -f -h /www -p 9100
docker run --detach --name echo --publish 9998:9999/udp --restart always lab/box:1 perl /echo.pl

# Who sends datagrams all the time, from one port, and notes when the last one was answered.
cat >/usr/local/bin/sender <<'F'
import os, socket, time
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("", 5555))
peer.settimeout(0.5)
while True:
    time.sleep(0.3)
    try:
        peer.sendto(b"hello", ("10.0.2.15", 9998))
        peer.recv(9)
    except OSError:
        continue
    with open("/run/answered.part", "w") as answered:
        answered.write(str(int(time.time())))
    os.replace("/run/answered.part", "/run/answered")
F
cat >/etc/systemd/system/sender.service <<'F'
[Service]
ExecStart=python3 /usr/local/bin/sender
[Install]
WantedBy=multi-user.target
F
systemctl enable --now sender.service

# The job has ended before anybody looks.
docker wait shop-once-1
