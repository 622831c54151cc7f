#!/bin/sh
# XFS, which clones, holds the data of Docker and will hold that of Podman.
set -eu
systemctl stop docker.socket docker.service
truncate --size=3G /srv/disk.img
mkfs.xfs -q -m reflink=1 /srv/disk.img
mkdir /srv/disk
cat >>/etc/fstab <<'F'
/srv/disk.img /srv/disk xfs loop 0 0
/srv/disk/docker /var/lib/docker none bind,x-systemd.requires-mounts-for=/srv/disk 0 0
/srv/disk/containers /var/lib/containers none bind,x-systemd.requires-mounts-for=/srv/disk 0 0
F
mount /srv/disk
mkdir /srv/disk/docker /srv/disk/containers
mkdir -p /var/lib/containers
mount /var/lib/docker
mount /var/lib/containers
systemctl daemon-reload
systemctl start docker.service
