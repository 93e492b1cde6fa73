"""client.py - the two lines a payout worker holds: database and bank

Both are thin.  What they do differently from a library's defaults is the
point: the database line repeats a statement until it gets an answer, because
every call of idem may be repeated; the bank line never repeats anything.
"""
import json
import socket
import time

import psycopg2
import psycopg2.extras


class Database:
    """A connection in autocommit; statements are repeated until answered.

    A lost connection leaves it open whether the statement took effect.  Of
    idem that need not be known: reserve with the same nonce gives the same
    token again, a second dispatch is not granted, complete and resolve
    answer what is recorded.
    """

    def __init__(self, dsn):
        self.dsn = dsn
        self.connection = None

    def one(self, sql, *arguments):
        """The only row of a statement."""
        return self.all(sql, *arguments)[0]

    def all(self, sql, *arguments):
        """All rows of a statement."""
        return self.until_answered(lambda: self.execute(sql, *arguments))

    def transaction(self, work):
        """What work() returns, run in one transaction."""
        def once():
            with self.connection:
                return work()
        return self.until_answered(once)

    def execute(self, sql, *arguments):
        """The rows of a statement, sent once."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return cursor.fetchall() if cursor.description else []

    def until_answered(self, work):
        while True:
            try:
                if self.connection is None:
                    self.connect()
                return work()
            except psycopg2.InterfaceError:         # the connection is closed
                self.connection = None
            except psycopg2.OperationalError:       # it broke, or: try again
                if self.connection is None or self.connection.closed:
                    self.connection = None
                    time.sleep(0.05)

    def connect(self):
        self.connection = psycopg2.connect(
            self.dsn, cursor_factory=psycopg2.extras.NamedTupleCursor)
        self.connection.autocommit = True


class NoAnswer(Exception):
    """It is not known what the bank did, or will do."""


class Bank:
    """A line to the bank: a question is sent once, and waited for shortly.

    An answer counts only if it names the question's serial and does not
    contradict the question: banks swap answers, and a serial number may
    have been used before.  After a question without an answer the line is
    given up, so that a late answer is never taken for the next one's.
    """

    def __init__(self, path, patience=0.5):
        self.path = path
        self.patience = patience    # seconds
        self.line = None

    def ask(self, **question):
        try:
            if self.line is None:
                self.connect()
            self.line.write(json.dumps(question).encode() + b"\n")
            return self.answer_to(question, time.monotonic() + self.patience)
        except (OSError, ValueError) as problem:
            self.line = None
            raise NoAnswer(str(problem)) from None

    def answer_to(self, question, deadline):
        while time.monotonic() < deadline:
            line = self.line.readline()
            if not line:
                raise OSError("the bank hung up")
            answer = json.loads(line)
            if answer["serial"] != question.get("serial"):
                continue            # the answer to something else
            if answer["result"] == "system error" or any(
                    answer.get(name, value) != value
                    for name, value in question.items()):
                raise ValueError(f"not an answer: {answer}")
            return answer
        raise OSError("no answer in time")

    def connect(self):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(self.patience)
        line.connect(self.path)
        self.line = line.makefile("rwb", buffering=0)
