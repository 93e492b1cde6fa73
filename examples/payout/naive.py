#!/usr/bin/env python3
"""naive.py - a payout worker as one writes it first, to see what it costs

    python3 naive.py DSN BANK

It locks the payout, so that no two workers have it at once, sends, and writes
down what came back.  Without an answer it tries again later, which is what
queues, job runners and transport libraries do.
"""
import sys
import time

from client import Bank, Database, NoAnswer
from worker import RESULT, acknowledge, messages


def pay(db, bank, payout):
    def work():
        row, = db.execute("SELECT * FROM payout WHERE id = %s FOR UPDATE",
                          payout.id)
        if row.status == "open":
            answer = bank.ask(do="pay", serial=f"{row.id}-1", payee=row.payee,
                              amount=str(row.amount), until=time.time() + 2)
            db.execute("UPDATE payout SET status = %s WHERE id = %s",
                       RESULT[answer["result"]], row.id)
        return True
    try:
        return db.transaction(work)
    except NoAnswer:
        return False


def work(db, bank):
    while True:
        for payout in messages(db):
            if pay(db, bank, payout):
                acknowledge(db, payout)
        time.sleep(0.05)


if __name__ == "__main__":
    dsn, bank_path = sys.argv[1:]
    work(Database(dsn), Bank(bank_path))
