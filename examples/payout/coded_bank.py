#!/usr/bin/env python3
"""coded_bank.py - the toy bank of bank.py, answering in codes as banks do

    python3 coded_bank.py SOCKET BOOK MOOD SEED NAME

NAME is bankA or bankB, each with codes of its own (banks.sql says what they
mean).  It refuses a serial that it knows, as banks do, and says so with the
fields of the order that it knows it of.  If MOOD is wild it does what bank.py
does, and besides: it answers with codes that are in nobody's list, says
"serial used" of an order that it has just carried out itself, pays a part,
and gives money back some time after it was paid.

bankA answers inquiries and sends notices.  bankB knows of nothing when it is
asked; "file" is answered with all it has done.
"""
import sys
import threading

from bank import Bank, Book, Client

BACK = 3.0      # seconds after which money comes back at the latest

# What has happened, in the words of each interface
WORDS = {
    "bankA": {
        "pay": {"paid": "0000", "part": "0010", "rejected": "2001",
                "duplicate": "3001", "system error": "9999"},
        "ask": {"paid": ["0000", "PAID"], "part": ["0000", "PART"],
                "rejected": ["0000", "REFUSED"], "returned": ["0000", "BACK"],
                "no such transaction": "4004"},
        "notices": {"paid": "SUCCESS", "part": "PART", "rejected": "FAIL",
                    "returned": "RETURNED"}},
    "bankB": {
        "pay": {"paid": "ACK", "part": "ACK", "rejected": "NAK",
                "duplicate": "DUP", "system error": "ERR"},
        "ask": {},
        "file": {"paid": "PAID", "part": "PAID", "rejected": "REFUSED",
                 "returned": "BACK"}},
}


class OnceBook(Book):
    """Also without a second order under a serial."""

    def write(self, entry, until):
        with self.lock:
            known = self.entries.get(entry["serial"])
        if known and entry["result"] != "returned":
            return False
        return super().write(entry, until)


class CodedClient(Client):

    def speak(self, entry, interface):
        """An answer: the code, and what it is about."""
        words = WORDS[self.server.name][interface]
        spoken = {name: entry[name] for name in ("serial", "payee", "amount")
                  if name in entry}
        spoken["code"] = words.get(entry["result"], "NONE")
        if "ordered" in entry:
            spoken["ordered"] = entry["ordered"]
        return spoken

    def ask(self, request):
        bank = self.server
        entry = bank.book.find(request["serial"])
        if bank.happens(0.1):
            return                              # lost on the way
        if bank.happens(0.05):
            entry = bank.book.any(bank.dice)    # about another one
        self.answer(self.speak(
            entry or {"serial": request["serial"],
                      "result": "no such transaction"}, "ask"))

    def notices(self, request):
        self.answer({"notices": [self.speak(entry, "notices")
                                 for entry in self.server.take_notices()]})

    def file(self, request):
        bank = self.server
        if bank.happens(0.1):
            return
        with bank.book.lock:
            entries = list(bank.book.entries.values())
        self.answer({"lines": [self.speak(entry, "file")
                               for entry in entries]})

    def pay(self, request):
        bank = self.server
        entry = {name: request[name] for name in ("serial", "payee", "amount")}
        entry["result"] = "rejected" if bank.chance(0.08) else "paid"
        if entry["result"] == "paid" and bank.happens(0.05):
            half = f"{float(entry['amount']) / 2:.2f}"
            entry.update(result="part", amount=half, ordered=entry["amount"])
        if bank.happens(0.12):
            return                              # lost before it arrived
        if bank.happens(0.10):                  # carried out late
            bank.later(self.carry_out, entry, request["until"])
        else:
            self.carry_out(entry, request["until"])

    def carry_out(self, entry, until):
        bank = self.server
        known = bank.book.find(entry["serial"])
        if known:
            return self.answer(self.speak({**known, "result": "duplicate"},
                                          "pay"))
        if not bank.book.write(entry, until):
            return
        bank.notify(entry)
        if entry["result"] != "rejected" and bank.happens(0.1):
            bank.come_back(entry)
        self.answer_strangely(entry)

    def answer_strangely(self, entry):
        bank = self.server
        answer = self.speak(entry, "pay")
        if bank.happens(0.12):
            return                              # the answer is lost,
        if bank.happens(0.08):                  # late,
            return bank.later(self.answer, answer)
        if bank.happens(0.06):                  # not what was asked for,
            return self.answer(self.speak(bank.book.any(bank.dice), "pay"))
        if bank.happens(0.04):                  # a riddle,
            return self.answer({**answer, "code": "9999"})
        if bank.happens(0.04):                  # in nobody's list,
            return self.answer({**answer,
                                "code": str(bank.dice.randrange(10000, 99999))})
        if bank.happens(0.04):                  # of what it did itself,
            return self.answer(self.speak({**entry, "result": "duplicate"},
                                          "pay"))
        self.answer(answer)
        if bank.happens(0.08):                  # or comes again.
            bank.later(self.answer, answer)


class CodedBank(Bank):

    def __init__(self, path, book, mood, seed, name):
        super().__init__(path, book, mood, seed)
        self.RequestHandlerClass = CodedClient
        self.book = OnceBook(book)
        self.name = name

    def come_back(self, entry):
        """The money of this order comes back, some time later."""
        def back():
            returned = {**entry, "result": "returned"}
            if self.book.write(returned, float("inf")):
                self.notify(returned)
        threading.Timer(self.dice.uniform(0, BACK), back).start()


if __name__ == "__main__":
    socket_path, book_path, bank_mood, bank_seed, bank_name = sys.argv[1:]
    with CodedBank(socket_path, book_path, bank_mood, bank_seed,
                   bank_name) as the_bank:
        the_bank.serve_forever(poll_interval=0.05)
