#!/usr/bin/env python3
"""careless.py - a payout worker that looks at two columns and nothing else

    python3 careless.py DSN BANK

It does not know what an outcome or a state is.  It tries every step whatever
the one before it answered, sends if it is granted, and acknowledges if it is
settled.  That is safe; somebody else (worker.py) asks the bank about what
this one has left open.
"""
import sys
import time

from client import Bank, Database
from worker import CARRIED_OUT_S, acknowledge, messages, request, send


def pay(db, bank, payout):
    claim = db.one("SELECT * FROM idem.reserve('payout', %s, %s)",
                   payout.id, request(payout))
    if not claim.settled:
        token, until = claim.token, time.time() + CARRIED_OUT_S
        claim = db.one("CALL idem.dispatch('payout', %s, %s)", payout.id, token)
    if claim.granted:
        outcome, answer = send(bank, payout, claim.attempt, until)
        claim = db.one("SELECT * FROM idem.complete('payout', %s, %s, %s, %s)",
                       payout.id, token, outcome, answer)
    return claim.settled


def work(db, bank):
    while True:
        for payout in messages(db):
            if pay(db, bank, payout):
                acknowledge(db, payout)
        time.sleep(0.05)


if __name__ == "__main__":
    dsn, bank_path = sys.argv[1:]
    work(Database(dsn), Bank(bank_path))
