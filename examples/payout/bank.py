#!/usr/bin/env python3
"""bank.py - a toy bank that does to its clients what real ones do

    python3 bank.py SOCKET BOOK MOOD SEED

It pays whatever it is asked to pay, as often as it is asked: it has no
idempotency of its own.  Every payment and every rejection is a line of the
file BOOK, written before anybody is answered and read again after a restart:
what is in the book has happened, whatever the client was told.

MOOD is honest, or wild: then requests get lost or are carried out late,
answers get lost, come late, come twice or belong to another request, and
"system error" may mean anything.  An order says until
when it may be carried out, and the bank keeps to that: afterwards never.

One request and one answer are one line of JSON each:

    {"do": "pay", "serial": "p7-1", "payee": "bob", "amount": "12.34", "until": 1790000000.5}
    {"serial": "p7-1", "result": "paid", "payee": "bob", "amount": "12.34"}

"ask" names a serial and is answered paid, rejected or no such transaction.
"notices" is answered with a list of results: the bank's own messages about
payments, which come at any time, in any order, some twice, some never.
"""
import json
import os
import random
import socketserver
import sys
import threading
import time

LATE = 1.5      # seconds that an order or an answer may hang around


class Book:
    """What has happened, by serial; a file that is only appended to."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.entries = {}
        if os.path.exists(path):
            for entry in read_book(path):
                self.entries[entry["serial"]] = entry
        self.file = open(path, "ab", buffering=0)

    def write(self, entry, until):
        """Enter what is carried out now.  False if it is too late for it."""
        with self.lock:
            if time.time() >= until:
                return False
            self.file.write(json.dumps(entry).encode() + b"\n")
            self.entries[entry["serial"]] = entry
            return True

    def find(self, serial):
        with self.lock:
            return self.entries.get(serial)

    def any(self, dice):
        with self.lock:
            return dice.choice(list(self.entries.values()) or [None])


def read_book(path):
    """The lines of a book; a last line cut short by a crash never counted."""
    with open(path) as book:
        return [json.loads(line) for line in book if line.endswith("\n")]


class Client(socketserver.StreamRequestHandler):
    """One connection: lines come in, lines go out, not always in order."""

    def setup(self):
        super().setup()
        self.lock = threading.Lock()

    def handle(self):
        try:
            for line in self.rfile:
                request = json.loads(line)
                getattr(self, request["do"])(request)
        except (ConnectionError, ValueError):
            pass

    def ask(self, request):
        bank = self.server
        entry = bank.book.find(request["serial"])
        if bank.happens(0.1):
            return                              # lost on the way
        self.answer(entry or {"serial": request["serial"],
                              "result": "no such transaction"})

    def notices(self, request):
        self.answer({"serial": None, "result": self.server.take_notices()})

    def pay(self, request):
        bank = self.server
        entry = {name: request[name] for name in ("serial", "payee", "amount")}
        entry["result"] = "rejected" if bank.chance(0.08) else "paid"
        if bank.happens(0.12):
            return                              # lost before it arrived
        if bank.happens(0.10):                  # carried out late
            bank.later(self.carry_out, entry, request["until"])
        else:
            self.carry_out(entry, request["until"])

    def carry_out(self, entry, until):
        bank = self.server
        if not bank.book.write(entry, until):
            return
        bank.notify(entry)
        if bank.happens(0.12):
            return                              # the answer is lost,
        if bank.happens(0.08):                  # late,
            return bank.later(self.answer, entry)
        if bank.happens(0.06):                  # not what was asked for,
            return self.answer(bank.book.any(bank.dice))
        if bank.happens(0.04):                  # a riddle,
            return self.answer({**entry, "result": "system error"})
        self.answer(entry)
        if bank.happens(0.08):                  # or comes again.
            bank.later(self.answer, entry)

    def answer(self, answer):
        try:
            with self.lock:
                self.wfile.write(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError):
            pass                                # the client has gone


class Bank(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, path, book, mood, seed):
        self.book = Book(book)
        self.wild = mood == "wild"
        self.dice = random.Random(seed)
        self.waiting = []                       # notices not yet fetched
        if os.path.exists(path):
            os.unlink(path)
        super().__init__(path, Client)

    def chance(self, share):
        return self.dice.random() < share

    def happens(self, share):
        """Does this misfortune happen now?  Never to an honest bank."""
        return self.wild and self.chance(share)

    def later(self, action, *arguments):
        """Late, when others have come in between."""
        delay = self.dice.uniform(0, LATE)
        threading.Timer(delay, action, arguments).start()

    def notify(self, entry):
        times = self.dice.choice((0, 1, 1, 2)) if self.wild else 1
        self.waiting.extend([entry] * times)

    def take_notices(self):
        waiting, self.waiting = self.waiting, []
        self.dice.shuffle(waiting)
        self.waiting.extend(waiting[10:])
        return waiting[:10]

    def handle_error(self, request, client_address):
        pass


if __name__ == "__main__":
    socket_path, book_path, bank_mood, bank_seed = sys.argv[1:]
    with Bank(socket_path, book_path, bank_mood, bank_seed) as the_bank:
        the_bank.serve_forever(poll_interval=0.05)
