#!/usr/bin/env bash
# Prepare this checkout: system packages, virtual environment, collection path. Quick when nothing is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

missing_packages() {
    local installed
    # dpkg-query exits with 1 when it does not know one of the names; the others are answered all the same.
    mapfile -t packages < <(grep -v '^#' requirements/system.txt)
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
    for package in "${packages[@]}"; do
        grep -qx "$package installed" <<<"$installed" || echo "$package"
    done
}

install_packages() {
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        if sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
            become=(sudo)
        else
            fail "these system packages are missing, and you are neither root nor allowed to use sudo: $*" \
                "ask an administrator to run 'apt-get install --no-install-recommends $*', then run make again."
        fi
    fi
    echo "setup: installing system packages: $*"
    become+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    "${become[@]}" update
    "${become[@]}" install -y --no-install-recommends "$@"
}

system_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "setup: not a Debian or Ubuntu machine, so system packages are yours to install: see requirements/system.txt"
        return
    fi
    mapfile -t missing < <(missing_packages)
    [ "${#missing[@]}" -eq 0 ] || install_packages "${missing[@]}"
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 "$HOME"/.pyenv/versions/3.1[123].*/bin/python; do
        if "$candidate" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "ansible-core needs Python 3.11, 3.12 or 3.13 with the venv module, and none was found." \
        "Install one (Debian 12 or 13, Ubuntu 24.04: apt-get install python3-venv), or name it: make setup PYTHON=/path/to/python3.12"
}

virtual_environment() {
    local python pins
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(find_python)
        echo "setup: creating .venv with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv
    fi
    pins=$(sha256sum requirements/dev.txt requirements/constraints.txt)
    if [ "$pins" != "$(cat .venv/pins 2>/dev/null)" ]; then
        echo "setup: installing the Python packages of requirements/dev.txt"
        .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements/dev.txt -c requirements/constraints.txt
        printf '%s\n' "$pins" >.venv/pins
    fi
}

system_packages
virtual_environment
# Ansible finds a collection by its path only, and a link is enough for it.
mkdir -p .cache/collections/ansible_collections/podshift
ln -sfn ../../../.. .cache/collections/ansible_collections/podshift/docker_to_podman
