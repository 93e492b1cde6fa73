# ODBC, by pyodbc and psqlODBC
import os
import sys

import pyodbc
from flow import flow

connection = pyodbc.connect('DRIVER=%s;SERVER=%s;PORT=%s;DATABASE=postgres;UID=postgres;UseServerSidePrepare=0'
                            % (os.environ['PSQLODBC'], os.environ['PGHOST'], os.environ['PGPORT']))


def ask(sql, *values):
    cursor = connection.cursor().execute(sql, *values)
    return cursor.fetchone() if cursor.description else None


def true(row):
    return row and [v if v != '0' else '' for v in row]


def alone():
    connection.autocommit = True


flow(lambda *a: true(ask(*a)), alone, connection.commit, connection.rollback, lambda e: e.args[0], sys.argv[1], mark='?')
