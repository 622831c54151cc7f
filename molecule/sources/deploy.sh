#!/bin/sh
# Two images of a registry, of which it loses one; containers with a volume and with binds of every kind.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/tmp" "$work/data"
cp /usr/bin/busybox "$work/bin/"
for name in sh cat httpd sleep; do ln -s busybox "$work/bin/$name"; done
for name in kept gone; do
	head -c 4000000 /dev/urandom >"$work/data/own"
	echo "$name" >"$work/data/name"
	tar -C "$work" -c . | docker import --change 'CMD ["httpd", "-f", "-h", "/data"]' - "localhost:5000/team/$name:1"
	docker push --quiet "localhost:5000/team/$name:1"
done
systemctl stop docker-registry.service
rm -rf /var/lib/docker-registry/docker/registry/v2/repositories/team/gone
systemctl start docker-registry.service

test -e /etc/localtime || echo UTC >/etc/localtime
mkdir -p /srv/app/www
ln -s /srv/app /srv/link
docker run --detach --name kept --restart always --publish 8081:80 --volume kept_data:/data/own_data \
	--volume /etc/localtime:/etc/localtime:ro --volume /srv/link:/srv/app --volume /srv/app/www:/www:z \
	localhost:5000/team/kept:1
docker run --detach --name gone --restart always --publish 8082:80 \
	--volume /var/run/docker.sock:/var/run/docker.sock localhost:5000/team/gone:1
volume=$(docker volume inspect --format '{{.Mountpoint}}' kept_data)
head -c 200000000 /dev/urandom >"$volume/large"
ln "$volume/large" "$volume/second"
