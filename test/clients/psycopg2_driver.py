# psycopg2_driver.py - psycopg 2, which writes values into the statement
from decimal import Decimal

import psycopg2
from psycopg2.extensions import QuotedString, new_type, register_adapter, register_type

from steps import step

connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
INSERT = "INSERT INTO payment (amount, currency, status) VALUES (%s, 'EUR', 'created')"
DECREMENT = 'UPDATE account SET balance = balance - %s WHERE id = 1'


def read(sql):
    cursor.execute(sql)
    return cursor.fetchone()[0]


step('insert a Decimal', lambda: cursor.execute(INSERT, (Decimal('12.34'),)))
step('insert a whole Decimal', lambda: cursor.execute(INSERT, (Decimal('100'),)))
step('insert a whole Decimal with decimals', lambda: cursor.execute(INSERT, (Decimal('100.00'),)))
step('insert a Decimal with an exponent', lambda: cursor.execute(INSERT, (Decimal('1E+3'),)))
step('insert an int', lambda: cursor.execute(INSERT, (5,)))
step('insert an int as text', lambda: cursor.execute(INSERT, ('5',)))
step('insert a float', lambda: cursor.execute(INSERT, (12.34,)))
step('decrement by a Decimal', lambda: cursor.execute(DECREMENT, (Decimal('1.50'),)))
step('decrement by a whole Decimal', lambda: cursor.execute(DECREMENT, (Decimal('1'),)))
step('decrement by a float', lambda: cursor.execute(DECREMENT, (1.5,)))
step('read', lambda: read('SELECT amount FROM payment WHERE id = 1'))
step('read as JSON', lambda: read('SELECT to_jsonb(amount) FROM payment WHERE id = 1'))

# As docs/clients.md says: an amount is written as text, and read as a Decimal
register_adapter(Decimal, lambda d: QuotedString(str(d)))
cursor.execute("SELECT 'money_micro'::regtype::oid::int")
register_type(new_type(cursor.fetchone(), 'AMOUNT', lambda text, cursor: None if text is None else Decimal(text)))

step('adapted: insert a whole Decimal', lambda: cursor.execute(INSERT, (Decimal('100'),)))
step('adapted: decrement by a whole Decimal', lambda: cursor.execute(DECREMENT, (Decimal('1'),)))
step('adapted: read', lambda: read('SELECT amount FROM payment WHERE id = 1'))
