# psql: variables are quoted by :'name', \gset keeps an answer
psql -X -q -A -t -v key="$1" <<'END'
BEGIN;
SELECT CASE WHEN granted THEN 'granted' END FROM idem.claim('debit', :'key', '{"amount":88.00}');
INSERT INTO debit VALUES (:'key', '88.00');
COMMIT;
SELECT CASE WHEN settled THEN 'settled' END FROM idem.claim('debit', :'key', '{"amount":88.00}');
INSERT INTO debit VALUES (:'key', '88.00') \g /dev/null
\echo refused :SQLSTATE
SELECT token FROM idem.reserve('payout', :'key', '{"amount":88.00}') \gset
CALL idem.dispatch('payout', :'key', :token) \gset
SELECT CASE WHEN :'granted' THEN 'dispatched' END;
SELECT 'amount ' || sum(amount) FROM debit WHERE message = :'key';
END
