# SQLAlchemy, over psycopg 2
import os
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from flow import flow

connection = create_engine('postgresql+psycopg2://postgres@%s:%s/postgres' % (os.environ['PGHOST'], os.environ['PGPORT']),
                           poolclass=NullPool, future=True).connect()


def ask(sql, *values):
    result = connection.execute(text(sql), {'p%d' % (n + 1): v for n, v in enumerate(values)})
    return result.fetchone() if result.returns_rows else None


def alone():
    connection.execution_options(isolation_level='AUTOCOMMIT')


flow(ask, alone, connection.commit, connection.rollback,
     lambda e: e.orig.pgcode if isinstance(e, DBAPIError) else e, sys.argv[1], mark=':p%d')
