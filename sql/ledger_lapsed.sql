-- Holds past their time: idem.lapsed_holds.  They hold until somebody releases
-- them; releasing is a statement of the user's.
\set SHOW_CONTEXT never
CREATE SCHEMA lapsed;
SET search_path = lapsed;
CREATE TABLE account (id int PRIMARY KEY, floor int NOT NULL DEFAULT 0);
CREATE TABLE entry (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, direction text NOT NULL, amount int NOT NULL,
                    status text NOT NULL DEFAULT 'posted', hold_id int UNIQUE REFERENCES entry, expires_at timestamptz);
CREATE INDEX entry_lapses ON entry (expires_at) WHERE status = 'pending';
SELECT idem.guard_balance('entry', 'account_id', amount => 'amount', balance => 'balance', direction => 'direction', debit => 'D', credit => 'C',
                          normal => 'credit', floor => 'floor', state => 'status', pending => '{pending}', released => '{void}',
                          posts => 'hold_id', expires_at => 'expires_at');
INSERT INTO account VALUES (1), (2);
INSERT INTO entry VALUES (1, 1, 'C', 100), (2, 2, 'C', 100);
INSERT INTO entry VALUES (10, 1, 'D', 10, 'pending', NULL, '2018-07-18 12:00+00'),	-- lapsed
                         (11, 1, 'D', 20, 'pending', NULL, now() + interval '1 day'),
                         (12, 1, 'D', 30, 'pending', NULL, NULL),
                         (13, 2, 'D', 40, 'pending', NULL, '2018-07-18 11:00+00'),	-- lapsed, and posted below
                         (14, 2, 'C', 50, 'pending', NULL, '2018-07-18 13:00+00');	-- lapsed, a credit
INSERT INTO entry VALUES (20, 2, 'D', 15, 'posted', 13);
SELECT relation, key, account, expires_at AT TIME ZONE 'UTC' AS expires_at, amount FROM idem.lapsed_holds;
-- it still holds
SELECT id, balance, held FROM account ORDER BY id;
-- the user's statement
UPDATE entry SET status = 'void' FROM idem.lapsed_holds h WHERE h.relation = 'entry'::regclass AND entry.id = h.key::int;
SELECT * FROM idem.lapsed_holds;
SELECT id, balance, held FROM account ORDER BY id;

-- of many entries only those of the index are read
INSERT INTO entry SELECT i, 1, 'C', 1, 'posted', NULL, '2018-07-18' FROM generate_series(100, 5000) i;
INSERT INTO entry VALUES (30, 1, 'D', 5, 'pending', NULL, '2018-07-18');
VACUUM ANALYZE entry;
SELECT key, amount FROM idem.lapsed_holds;
SELECT pg_stat_force_next_flush();
SELECT idx_scan > 0 AS by_the_index, idx_tup_read < 100 AS few FROM pg_stat_user_indexes WHERE indexrelname = 'entry_lapses';

-- two states of holds, an enum, and signed amounts
CREATE TYPE phase AS ENUM ('asked', 'kept', 'done', 'gone');
CREATE TABLE moved (a int, b int, account_id int NOT NULL REFERENCES account, amount int NOT NULL, phase phase NOT NULL, until timestamptz, PRIMARY KEY (a, b));
SELECT idem.guard_balance('moved', 'account_id', amount => 'amount', balance => 'other', held => 'other_held',
                          state => 'phase', pending => '{asked,kept}', released => '{gone}', expires_at => 'until');
INSERT INTO moved VALUES (1, 2, 1, -5, 'asked', '2018-07-18'), (1, 3, 1, -6, 'kept', '2018-07-19'), (1, 4, 1, -6, 'done', '2018-07-19'), (1, 5, 1, -6, 'gone', '2018-07-19');
SELECT relation, key, account, amount FROM idem.lapsed_holds ORDER BY amount;

SET client_min_messages = warning;
SET idem.drop_reason = 'the end of the test';
DROP SCHEMA lapsed CASCADE;
