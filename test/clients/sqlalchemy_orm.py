# sqlalchemy_orm.py - SQLAlchemy over psycopg 2; amounts are Numeric, and then
# the type of docs/clients.md
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Numeric, Text, create_engine, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, declarative_base
from sqlalchemy.types import UserDefinedType

from steps import step

def models(type):
    base = declarative_base()

    class Payment(base):
        __tablename__ = 'payment'
        id = Column(BigInteger, primary_key=True)
        amount = Column('amount', type)
        currency = Column(Text)
        channel_no = Column(Text)
        status = Column(Text)

    class Account(base):
        __tablename__ = 'account'
        id = Column(BigInteger, primary_key=True)
        balance = Column(type)

    return Payment, Account


Payment, Account = models(Numeric)
engine = create_engine('postgresql://')


def session(work):
    def run():
        with Session(engine) as s:
            result = work(s)
            s.commit()
            return result
    return run


def add(amount):
    return session(lambda s: s.add(Payment(amount=amount, currency='EUR', status='created')))


def change(**values):
    def work(s):
        p = s.get(Payment, 1)
        for name, value in values.items():
            setattr(p, name, value)
    return session(work)


def upsert(s):
    row = insert(Payment).values(id=1, amount=Decimal('12.34'), currency='EUR', channel_no='C3', status='paying')
    s.execute(row.on_conflict_do_update(index_elements=['id'], set_={'channel_no': row.excluded.channel_no}))


def decrement(amount):
    return session(lambda s: s.query(Account).filter_by(id=1).update({'balance': Account.balance - amount}) and None)


step('insert a Decimal', add(Decimal('12.34')))
step('insert a whole Decimal', add(Decimal('100')))
step('insert an int', add(5))
step('save', change(channel_no='C1'))
step('save, nothing changed', change(status='created'))
step('update the state', change(status='paying'))
step('update the state again', session(lambda s: s.query(Payment).filter_by(id=1).update({'status': 'paying'}) and None))
step('merge', session(lambda s: s.merge(Payment(id=1, amount=Decimal('12.34'), currency='EUR', channel_no='C2', status='paying')) and None))
step('decrement', decrement(Decimal('1.50')))
step('decrement by a whole number', decrement(1))
step('upsert', session(upsert))
step('where', session(lambda s: s.query(Payment).filter(Payment.amount > Decimal('10')).count()))
step('where, by a whole number', session(lambda s: s.query(Payment).filter(Payment.amount > 10).count()))
step('sum', session(lambda s: s.query(func.coalesce(func.sum(Payment.amount), 0)).scalar()))
step('sum, zero as text', session(lambda s: s.query(func.coalesce(func.sum(Payment.amount), '0')).scalar()))
step('read', session(lambda s: s.get(Payment, 1).amount))


class Amount(UserDefinedType):
    cache_ok = True

    def get_col_spec(self, **options):
        return 'money_micro'

    def bind_processor(self, dialect):
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect, coltype):
        return lambda value: None if value is None else Decimal(value)


Payment, Account = models(Amount)
step('Amount: insert a whole Decimal', add(Decimal('100')))
step('Amount: save', change(channel_no='C5'))
step('Amount: update the state', change(status='succeeded'))
step('Amount: decrement by a whole number', decrement(1))
step('Amount: where', session(lambda s: s.query(Payment).filter(Payment.amount > 10).count()))
step('Amount: sum', session(lambda s: s.query(func.coalesce(func.sum(Payment.amount), '0')).scalar()))
step('Amount: read', session(lambda s: s.get(Payment, 1).amount))
