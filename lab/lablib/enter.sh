#!/bin/sh
# Process 1 of a machine that has this machine's kernel: mount what systemd expects of whoever starts it, and become it.
# usage: enter.sh ROOT; in new namespaces of all kinds
set -eu
root=$1

over() { # FILE TARGET: another file in the place of one of the kernel's, where the kernel has it
    [ ! -e "$2" ] || mount --bind "$1" "$2"
}

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for folder in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"

cd "$root/dev"
mkdir pts shm net mqueue
mount -t devpts -o newinstance,ptmxmode=666,gid=5 devpts pts
mount -t tmpfs -o mode=1777 tmpfs shm
while read -r name major minor; do mknod -m 666 "$name" c "$major" "$minor"; done <<EOF
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
fuse 10 229
net/tun 10 200
loop-control 10 237
EOF
for number in $(seq 0 31); do mknod "loop$number" b 7 "$number"; done
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s fd/0 stdin
ln -s fd/1 stdout
ln -s fd/2 stderr
: > console

# What is the whole kernel's stays out of reach; the boot has a name of its own.
cat /proc/sys/kernel/random/uuid > "$root/run/boot_id"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,rw "$root/proc/sys/net"
over "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"
over "$root/dev/null" "$root/proc/sysrq-trigger"
# Nobody is at the console.
mkdir -p "$root/run/systemd/system"
ln -s /dev/null "$root/run/systemd/system/console-getty.service"

ip link set lo up
cd "$root"
pivot_root . mnt
# Shared, as systemd makes it where it is the first: containers can ask for volumes with mounts that are passed on.
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . \
    sh -c 'umount -l /mnt; mount --make-rshared /; exec /sbin/init' < /dev/null > /dev/null 2>&1
