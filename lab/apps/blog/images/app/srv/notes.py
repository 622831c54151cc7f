"""Notes in PostgreSQL over HTTP: GET /notes, POST /notes (the body is the note), GET /healthz."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

TABLE = "CREATE TABLE IF NOT EXISTS notes (id serial PRIMARY KEY, note text NOT NULL)"


def query(sql: str, *values: str) -> list[tuple]:
    """One transaction on a connection of its own: a restarted database is no trouble."""
    connection = psycopg2.connect(
        host=os.environ["DB_HOST"],
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        connect_timeout=5,
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class Notes(BaseHTTPRequestHandler):
    """Answers in JSON; 503 while the database does not answer."""

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path not in ("/notes", "/healthz"):
            return self.answer(404, {"error": "unknown path"})
        try:
            notes = [row[0] for row in query("SELECT note FROM notes ORDER BY id")]
        except psycopg2.Error as error:
            return self.answer(503, {"error": type(error).__name__})
        if self.path == "/healthz":
            return self.answer(200, {"status": "ok"})
        return self.answer(200, {"count": len(notes), "notes": notes})

    def do_POST(self) -> None:
        if self.path != "/notes":
            return self.answer(404, {"error": "unknown path"})
        note = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        try:
            query("INSERT INTO notes (note) VALUES (%s)", note)
        except psycopg2.Error as error:
            return self.answer(503, {"error": type(error).__name__})
        return self.answer(201, {"note": note})


ThreadingHTTPServer(("", 8000), Notes).serve_forever()
