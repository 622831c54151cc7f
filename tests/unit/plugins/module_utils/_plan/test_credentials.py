# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values are taken for secrets, and which are not."""

from __future__ import annotations

import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._documents import credentials
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import container, inventory

SECRET = "hunter22"

COMMANDS = [
    ["app", "--password=hunter22"],
    ["app", "--password", "hunter22"],
    ["app", "--db.password", "hunter22", "--verbose"],
    ["sh", "-c", "exec app --api-key hunter22 --verbose"],
    ["sh", "-c", "export TOKEN='hunter22'; exec app"],
    ["sh", "-c", "PGPASSWORD=hunter22 psql"],
    ["redis-server", "--requirepass", "hunter22"],
    ["redis-cli", "-a", "hunter22", "ping"],
    ["mysqladmin", "-phunter22", "ping"],
    ["mysqladmin", "ping", "-uroot", "-phunter22"],
    ["mariadb-admin", "-phunter22", "ping"],
    ["mongosh", "-u", "root", "-p", "hunter22"],
    ["sshpass", "-p", "hunter22", "ssh", "host"],
    ["ldapsearch", "-x", "-w", "hunter22"],
    ["curl", "-u", "admin:hunter22", "http://localhost/"],
    ["curl", "-H", "Authorization: Bearer hunter22", "http://localhost/"],
    ["curl", "-H", "X-Api-Key: hunter22", "http://localhost/"],
    ["curl", "http://admin:hunter22@localhost/"],
    ["app", "--dsn", "admin:hunter22@tcp(db:3306)/app"],
    ["app", '{"db": {"password": "hunter22"}}'],
    ["psql", "-c", "ALTER USER app WITH PASSWORD 'hunter22'"],
    ["app", "Server=db;User Id=app;Password=hunter22;"],
]

HARMLESS = [
    ["passwd", "root"],
    ["mysqladmin", "ping", "--password=$MYSQL_ROOT_PASSWORD"],
    ["sh", "-c", "mysqladmin -p$MYSQL_ROOT_PASSWORD ping -h localhost"],
    ["sh", "-c", 'mysqladmin ping --password="$(cat /run/secrets/db-password)" --silent'],
    ["sh", "-c", "redis-cli -a ${REDIS_PASSWORD} ping | grep PONG"],
    ["sh", "-c", 'curl -s -u "elastic:${ELASTIC_PASSWORD}" https://localhost:9200'],
    ["sh", "-c", "curl -s https://localhost:9200 | grep -q 'missing authentication credentials'"],
    ["sh", "-c", "mongosh --quiet localhost:27017/test --eval \"db.runCommand('ping').ok\""],
    ["pg_isready", "-U", "postgres", "-d", "app"],
    ["app", "--password-file=/run/secrets/db"],
    ["app", "--token-file", "/run/secrets/token"],
    ["app", "--auth-mode=jwt", "--secrets.enabled=true", "--token-ttl=3600"],
    ["postgres", "-c", "password_encryption=scram-sha-256"],
    ["mysqld", "--default-authentication-plugin=mysql_native_password", "--character-set-server=utf8mb4"],
    ["mongod", "--auth", "--bind_ip_all"],
    ["vault", "token", "lookup"],
    ["docker", "secret", "create", "x", "y"],
    ["wget", "-q", "--spider", "http://localhost:8080/api/token"],
]


def of_words(words: list[str]) -> set[str]:
    return set(credentials.of_document(words, ()))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_secret_of_a_command_is_found(words):
    assert any(SECRET in value for value in of_words(words))


@pytest.mark.parametrize("words", HARMLESS, ids=" ".join)
@pytest.mark.parametrize("place", ["Cmd", "Entrypoint", "Healthcheck"])
def test_what_only_mentions_a_secret_is_no_finding(words, place):
    given = {"Test": ["CMD", *words]} if place == "Healthcheck" else words
    made = make_plan(inventory([container(**{"Config__" + place: given})]), None, "5.4.2")
    assert [item for item in made["findings"] if item["code"] == "readable-secret"] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("traefik.http.routers.auth.rule", "Host(`auth.example.com`)"),
        ("traefik.http.routers.auth.entrypoints", "websecure"),
        ("traefik.http.middlewares.auth.forwardauth.address", "http://authelia:9091/api/verify"),
        ("traefik.http.middlewares.auth.forwardauth.authResponseHeaders", "Remote-User,Remote-Groups"),
        ("com.docker.compose.depends_on", "auth:service_healthy:false,token-db:service_started:true"),
        ("auth.enabled", "true"),
        ("secret.file", "/run/secrets/db"),
    ],
)
def test_a_label_that_only_sounds_like_a_secret_is_no_finding(key, value):
    made = make_plan(inventory([container(Config__Labels={key: value})]), None, "5.4.2")
    assert [item for item in made["findings"] if item["code"] == "readable-secret"] == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DB_PASSWORD", "$ecret(1)", {"$ecret(1)"}),
        ("DATABASE_URL", "postgres://app:p%24w0rd@db/x", {"p%24w0rd", "p$w0rd"}),
        ("CLIENT_AUTH", "admin:hunter22", {"admin:hunter22", "hunter22"}),
        ("SPRING_JSON", '{"password": "hun\\"ter22"}', {'hun"ter22'}),
        ("JAVA_OPTS", "-Xmx1g -Dkey.password=hunter22", {"hunter22"}),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db", set()),
        ("AUTH_URL", "https://sso.example.com/realms/main", set()),
        ("ALLOW_EMPTY_PASSWORD", "yes", set()),
        ("PLAIN", "hunter22", set()),
        ("LICENCE", "hunter22", {"hunter22"}),
    ],
)
def test_the_secrets_of_a_variable(name, value, found):
    assert found <= set(credentials.of_document({"Env": [name + "=" + value]}, ["LICENCE"]))
    if not found:
        assert set(credentials.of_document({"Env": [name + "=" + value]}, ["LICENCE"])) == set()


@pytest.mark.parametrize(
    "text",
    [
        "password ",
        "mysql -p",
        "a" * 80 + "=",
        "://a:",
        "token: ",
        "curl -u x:",
        "'\"",
        "redis-cli ",
        "A.",
        "\\",
        "[[",
        "x@y:",
    ],
)
def test_a_long_text_costs_no_more_than_its_length(text):
    def seconds(length):
        start = time.process_time()
        list(credentials.of_document([text * (length // len(text))] * 2, ()))
        return time.process_time() - start

    assert seconds(80000) < 20 * seconds(10000) + 0.5
