-- Keys in a database of another encoding: what can be seen is judged by the
-- byte, and a byte beyond ASCII is a letter, whatever it stands for.
CREATE DATABASE regress_idem_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
SELECT current_database() AS before \gset
\c regress_idem_latin
SET client_min_messages = warning;
CREATE EXTENSION idem;
SELECT idem.create_scope('pay', 'inside', '{amount}', charset => 'any');
SELECT convert_to(k, 'UTF8') AS key, c.outcome
FROM unnest(ARRAY['order-1', 'order-1', convert_from('\xe9', 'LATIN1'), convert_from('\xe9', 'LATIN1'), convert_from('\xa0', 'LATIN1')]) k,
    idem.claim('pay', k, '{"amount": 1}') c;
SELECT idem.claim('pay', E'order\t1', '{"amount": 1}');
SELECT idem.claim('pay', 'order-1 ', '{"amount": 1}');
\c :before
DROP DATABASE regress_idem_latin;
