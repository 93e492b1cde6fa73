--
-- What docs/compose.md makes of limits, claims and machines: the ways around each
-- composition that its examples do not show.
--
CREATE SCHEMA compose;
SET search_path = compose;
\set VERBOSITY terse

-- An order under its debit
CREATE TABLE debit (id int PRIMARY KEY, amount numeric NOT NULL, status text NOT NULL);
CREATE TABLE work_order (id int PRIMARY KEY, debit_id int NOT NULL REFERENCES debit, amount numeric NOT NULL, status text NOT NULL);
SELECT idem.guard_limit('work_order', 'debit_id', amount => 'amount', cap => 'amount', used => 'ordered',
                        state => 'status', released => '{failed}', parent_state => 'status', open => '{succeeded}',
                        count_cap => 1, count_used => 'orders');
INSERT INTO debit VALUES (1, 88, 'succeeded'), (2, 88, 'failed');
INSERT INTO work_order VALUES (1, 2, 88, 'created');
INSERT INTO work_order VALUES (1, 1, 88.01, 'created');
INSERT INTO work_order VALUES (1, 1, 88, 'created');
-- moved to another debit, made smaller, deleted
UPDATE work_order SET debit_id = 2;
UPDATE work_order SET amount = 1;
DELETE FROM work_order;
-- one that failed makes room for another, once
UPDATE work_order SET status = 'failed';
INSERT INTO work_order VALUES (2, 1, 44, 'created');
INSERT INTO work_order VALUES (3, 1, 44, 'created');
UPDATE work_order SET status = 'created' WHERE id = 1;
SELECT * FROM debit ORDER BY id;

-- Shipped and refunded, in one statement too
CREATE TABLE line (id int PRIMARY KEY, quantity int NOT NULL);
CREATE TABLE shipment (id int PRIMARY KEY, line_id int NOT NULL REFERENCES line, quantity int NOT NULL, status text NOT NULL);
CREATE TABLE refund (id int PRIMARY KEY, line_id int NOT NULL REFERENCES line, quantity int NOT NULL, status text NOT NULL);
SELECT idem.guard_limit('shipment', 'line_id', amount => 'quantity', cap => 'quantity', used => 'taken', state => 'status', released => '{returned}');
SELECT idem.guard_limit('refund', 'line_id', amount => 'quantity', cap => 'quantity', used => 'taken', state => 'status', released => '{rejected}');
INSERT INTO line VALUES (1, 1);
WITH s AS (INSERT INTO shipment VALUES (1, 1, 1, 'sent')) INSERT INTO refund VALUES (1, 1, 1, 'asked');
SELECT l.*, (SELECT count(*) FROM shipment) AS shipped, (SELECT count(*) FROM refund) AS refunded FROM line l;
INSERT INTO refund VALUES (1, 1, 1, 'rejected');
INSERT INTO shipment VALUES (1, 1, 1, 'sent');
UPDATE refund SET status = 'asked';
UPDATE line SET taken = 0;

-- A batch is what its header says: no line too few, none too many, none changed
CREATE TABLE batch (id int PRIMARY KEY, total numeric NOT NULL, lines int NOT NULL, status text NOT NULL);
CREATE TABLE batch_line (batch_id int NOT NULL REFERENCES batch, line int, amount numeric NOT NULL, PRIMARY KEY (batch_id, line));
SELECT idem.guard_limit('batch_line', 'batch_id', amount => 'amount', cap => 'total', used => 'booked',
                        parent_state => 'status', open => '{loading}', exact => '{accepted}', count_used => 'booked_lines', exact_count => 'lines');
INSERT INTO batch VALUES (1, 30, 2, 'loading'), (2, 30, 2, 'accepted');
INSERT INTO batch VALUES (1, 30, 2, 'loading');
INSERT INTO batch_line VALUES (1, 1, 30);
UPDATE batch SET status = 'accepted';
INSERT INTO batch_line VALUES (1, 2, 0.01);
DELETE FROM batch_line;
UPDATE batch SET total = 31;
UPDATE batch SET booked = 29;
SELECT * FROM batch;

-- Write-offs of a suspense item, one after the other
CREATE TABLE suspense (id int PRIMARY KEY, amount numeric NOT NULL);
CREATE TABLE write_off (id int PRIMARY KEY, suspense_id int NOT NULL REFERENCES suspense, amount numeric NOT NULL);
SELECT idem.guard_limit('write_off', 'suspense_id', amount => 'amount', cap => 'amount', used => 'cleared');
INSERT INTO suspense VALUES (1, 70);
INSERT INTO write_off VALUES (1, 1, 50), (2, 1, 20);
INSERT INTO write_off VALUES (3, 1, 0.01);
DELETE FROM suspense;

SET idem.drop_reason = 'the end of the test';
SET client_min_messages = warning;
DROP SCHEMA compose CASCADE;
