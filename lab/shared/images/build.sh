#!/bin/sh
# Six images upon one another, one without a name and one whose name has moved on; and a container of each.
# usage: build.sh WORD, which goes into their contents
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOCKER_BUILDKIT=0

mkdir -p "$work/root/bin"
cp /usr/bin/busybox "$work/root/bin/sh"
head -c 30000000 /dev/urandom >"$work/root/blob"
echo "$1" >"$work/root/word"
tar -C "$work/root" -c . | docker import --change 'CMD ["sh"]' - lab/base:1 >/dev/null

# build NAME, with the Dockerfile on standard input; without a name the image gets none. Prints its ID.
build() {
	mkdir -p "$work/context"
	cat >"$work/context/Dockerfile"
	head -c 3000000 /dev/urandom >"$work/context/own"
	docker build --quiet ${1:+--tag "$1"} "$work/context"
}

build lab/first:1 <<'F'
FROM lab/base:1
COPY own /first
HEALTHCHECK --interval=7s --retries=2 CMD test -e /first
F
build lab/second:1 <<'F'
FROM lab/first:1
COPY own /second
ENTRYPOINT ["sh", "-c"]
STOPSIGNAL SIGINT
F
build example.org:5000/team/third:2.0-rc.1 <<'F'
FROM lab/first:1
COPY own /third
HEALTHCHECK NONE
ONBUILD COPY x /x
F
docker tag example.org:5000/team/third:2.0-rc.1 lab/also-third:1
build lab/fourth:1 <<'F'
FROM lab/base:1
COPY own /fourth
USER 1000:1000
VOLUME /data
F
build lab/fifth:1 <<'F'
FROM lab/fourth:1
COPY own /fifth
LABEL a="b c"
F
unnamed=$(build "" <<'F'
FROM lab/second:1
COPY own /unnamed
F
)
build lab/moved:1 <<'F'
FROM lab/fifth:1
COPY own /moved
HEALTHCHECK CMD ["sh", "-c", "exit 0"]
F

for image in lab/base:1 lab/first:1 lab/second:1 example.org:5000/team/third:2.0-rc.1 lab/fourth:1 lab/fifth:1 lab/moved:1; do
	name=${image##*/}
	docker create --name "${name%%:*}" "$image" sh
done
docker create --name unnamed "$unnamed" sh
docker tag lab/first:1 lab/moved:1
