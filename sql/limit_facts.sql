-- Requests and facts: what a bank has already moved is recorded whatever the
-- limit is.  Numbers in brackets are the cases of the failure list.
-- Wound 9; and what the doctor says of an excess, wound 19b.
\set SHOW_CONTEXT never
CREATE SCHEMA limit_facts;
SET search_path = limit_facts;

CREATE TABLE payment (id bigint PRIMARY KEY, amount numeric(12,2) NOT NULL, currency text NOT NULL, status text NOT NULL,
                      paid_at timestamptz);
CREATE TABLE refund (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payment, amount numeric(12,2), currency text DEFAULT 'CNY',
                     status text NOT NULL DEFAULT 'pending');
CREATE TABLE chargeback (id bigint PRIMARY KEY, payment_id bigint NOT NULL REFERENCES payment, amount numeric(12,2), currency text DEFAULT 'CNY',
                         status text NOT NULL DEFAULT 'booked');
INSERT INTO payment SELECT i, 100, 'CNY', 'succeeded', clock_timestamp() - interval '1 day' FROM generate_series(1, 9) i;

-- Refunds are requests until the bank says that one it had refused was paid
-- after all.  Chargebacks are facts, all of them.  Both share one limit.
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', facts => '{returned}',
    same => '{"currency":"currency"}', parent_state => 'status', open => '{succeeded}');
SELECT idem.guard_limit('chargeback', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{won}', facts => '{*}', same => '{"currency":"currency"}');
\d payment

CREATE FUNCTION totals(p bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('used %s, excess %s%s', refunded, excess,
        CASE WHEN refunded + excess <>
                  COALESCE((SELECT sum(amount) FROM refund WHERE payment_id = p AND status <> 'failed'), 0) +
                  COALESCE((SELECT sum(amount) FROM chargeback WHERE payment_id = p AND status <> 'won'), 0)
             THEN ' WRONG' END)
    FROM payment WHERE id = p $$;

-- A late "it was paid after all" is always recorded, and stops requests [10].
INSERT INTO refund VALUES (1, 1, 80);
UPDATE refund SET status = 'failed' WHERE id = 1;
INSERT INTO refund VALUES (2, 1, 70);
UPDATE refund SET status = 'pending' WHERE id = 1;      -- as a request: no room
UPDATE refund SET status = 'returned' WHERE id = 1;     -- as a fact
SELECT totals(1), idem.remaining('refund', '1');
INSERT INTO refund VALUES (3, 1, 0.01);
-- what is given back leaves the excess first, then makes room
UPDATE refund SET status = 'failed' WHERE id = 2;
SELECT totals(1), idem.remaining('refund', '1');
INSERT INTO refund VALUES (3, 1, 20.01);
INSERT INTO refund VALUES (3, 1, 20);
SELECT totals(1);

-- Refunded in full, then the chargeback arrives [17]: both are stored, and
-- the difference is seen.  A dispute may be above the payment [15].
INSERT INTO refund VALUES (10, 2, 100);
INSERT INTO chargeback VALUES (10, 2, 130);
SELECT totals(2);
-- a request is refused while a chargeback is active [16], and allowed again
-- when it was won
INSERT INTO chargeback VALUES (11, 3, 100);
INSERT INTO refund VALUES (11, 3, 1);
UPDATE chargeback SET status = 'won' WHERE id = 11;
INSERT INTO refund VALUES (11, 3, 1);
-- ... and lost after all: a fact again
UPDATE chargeback SET status = 'booked' WHERE id = 11;
SELECT totals(3);
-- in another currency it is no fact about this payment
INSERT INTO chargeback VALUES (12, 3, 1, 'USD');
INSERT INTO chargeback VALUES (12, 3, 0);
-- a fact needs no open parent
UPDATE payment SET status = 'closed' WHERE id = 4;
INSERT INTO refund VALUES (13, 4, 10);
INSERT INTO refund VALUES (13, 4, 10, 'CNY', 'returned');
INSERT INTO chargeback VALUES (13, 4, 10);
SELECT totals(4);
-- many of them in one statement, in any order
INSERT INTO chargeback SELECT 20 + i, 5, 40 FROM generate_series(1, 3) i;
INSERT INTO refund SELECT 20 + i, 6, 40, 'CNY', CASE i WHEN 2 THEN 'returned' ELSE 'pending' END FROM generate_series(1, 3) i;
INSERT INTO refund SELECT 20 + i, 6, 50, 'CNY', CASE i WHEN 3 THEN 'returned' ELSE 'pending' END FROM generate_series(1, 3) i;
SELECT totals(5), totals(6);

-- Nobody but the guard writes either column, and the row stays.
UPDATE payment SET excess = 0 WHERE id = 2;
UPDATE payment SET refunded = 0 WHERE id = 2;
INSERT INTO payment VALUES (10, 100, 'CNY', 'succeeded', now(), 0, 1);
UPDATE payment SET refunded = refunded, excess = excess WHERE id = 2;
-- also by a trigger that rides along with the guard's own UPDATE, whichever of
-- the two child tables it is for
CREATE FUNCTION ride() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.excess := NEW.excess - least(NEW.excess, 5); RETURN NEW; END $$;
CREATE TRIGGER ride BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION ride();
INSERT INTO chargeback VALUES (14, 2, 10);
INSERT INTO refund VALUES (14, 2, 10, 'CNY', 'returned');
-- one that has nothing to say lets the long way be gone: the same sums
CREATE OR REPLACE FUNCTION ride() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END $$;
INSERT INTO chargeback VALUES (14, 2, 10);
INSERT INTO chargeback VALUES (15, 7, 40), (16, 7, 70);
INSERT INTO refund VALUES (15, 7, 1);
UPDATE chargeback SET status = 'won' WHERE id = 16;
INSERT INTO refund VALUES (15, 7, 60.01);
INSERT INTO refund VALUES (15, 7, 60);
SELECT totals(2), totals(7);
DROP TRIGGER ride ON payment;
-- The doctor adds up both tables, lists what is in excess, and says which
-- CHECKs have not read the rows from before them.
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object LIKE '%limit_facts%';
SELECT idem.validate_guard('chargeback');
SELECT idem.validate_guard('refund', 'IDEM_limit_payment_id');
SELECT conname, convalidated FROM pg_constraint WHERE conrelid = 'payment'::regclass AND contype = 'c' ORDER BY conname;
SELECT idem.validate_guard('payment');
SELECT idem.validate_guard('refund', 'idem_limit_other');
SELECT idem.validate_guard(NULL);
-- one of the two limits may go; the CHECKs stay as long as the other does
SELECT idem.drop_guard('refund', 'limit', reason => 'the bank refunds now');
SELECT conname FROM pg_constraint WHERE conrelid = 'payment'::regclass AND contype = 'c' ORDER BY conname;
SELECT idem.drop_guard('chargeback', 'limit', reason => 'and it tells nobody');
SELECT conname FROM pg_constraint WHERE conrelid = 'payment'::regclass AND contype = 'c' ORDER BY conname;
-- Declared anew, the sums are filled again, facts beyond the cap, too; but
-- what was only asked for and is above it is refused.
SELECT totals(1), totals(2), totals(5), totals(6), totals(7);
INSERT INTO refund VALUES (90, 8, 120);
SELECT idem.guard_limit('chargeback', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{won}', facts => '{*}', same => '{"currency":"currency"}');
SELECT id, refunded, excess FROM payment ORDER BY id;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', facts => '{returned}', same => '{"currency":"currency"}');
UPDATE refund SET status = 'returned' WHERE id = 90;
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
    state => 'status', released => '{failed}', facts => '{returned}', same => '{"currency":"currency"}');
SELECT id, refunded, excess FROM payment ORDER BY id;
-- Whoever shares a total shares the limit.
CREATE TABLE third (payment_id bigint NOT NULL REFERENCES payment, other_id bigint NOT NULL REFERENCES payment, amount numeric(12,2));
ALTER TABLE payment ADD line numeric(12,2) NOT NULL DEFAULT 0, ADD code bigint UNIQUE;
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'line', used => 'refunded', released => NULL);
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL, cap_grows => true);
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL, facts => '{*}', excess => 'more');
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'excess', released => NULL);
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'third', released => NULL, facts => '{*}');
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'third', released => NULL, count_cap => 2, count_used => 'refunded');
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
SELECT idem.guard_limit('third', 'payment_id', amount => 'amount', cap => 'amount', used => 'other', released => NULL);
-- one without facts of its own gives back from the excess, too
INSERT INTO third VALUES (9, 9, 60);
INSERT INTO chargeback VALUES (90, 9, 70);
INSERT INTO third VALUES (9, 9, 1);
SELECT refunded, excess FROM payment WHERE id = 9;
-- Nor is one column kept for two purposes.
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, count_cap => 2, count_used => 'u');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, facts => '{*}', excess => 'e', count_cap => 2, count_used => 'e');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, facts => '{*}', excess => 'excess');
CREATE TABLE by_code (code bigint NOT NULL REFERENCES payment (code), amount numeric(12,2));
SELECT idem.guard_limit('by_code', 'code', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
-- Arguments that do not go together.
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, facts => '{booked}');
SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'u', released => '{failed,a}', state => 'status', facts => '{b,a}');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, facts => '{*}', excess => 'u');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, facts => '{*}', excess => NULL);
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, count_cap => 2);
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, count_used => 'n');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, count_cap => 0, count_used => 'n');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, count_cap => 2, count_used => 'currency');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, max_age => '1 day');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, age_from => 'paid_at');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, max_age => '-1 day', age_from => 'paid_at');
SELECT idem.guard_limit('third', 'other_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL, max_age => '1 day', age_from => 'status');
CREATE TABLE late (id int PRIMARY KEY DEFERRABLE, payment_id bigint NOT NULL REFERENCES payment, amount numeric(12,2));
SELECT idem.guard_limit('late', 'payment_id', amount => 'amount', cap => 'amount', used => 'u', released => NULL);

-- A growing cap fills from the excess; until then the excess stands.
CREATE TABLE budget (id int PRIMARY KEY, amount int NOT NULL);
CREATE TABLE use (id int PRIMARY KEY, budget_id int NOT NULL REFERENCES budget, amount int, state text);
INSERT INTO budget VALUES (1, 100);
SELECT idem.guard_limit('use', 'budget_id', amount => 'amount', cap => 'amount', used => 'used', released => '{failed}',
    state => 'state', facts => '{done}', excess => 'overdrawn', cap_grows => true, children => 'editable');
INSERT INTO use VALUES (1, 1, 130, 'done');
-- what is in excess and what is wrong are told together
SET idem.allow_unguarded = 'a test of what is not refused';
ALTER TABLE budget DISABLE TRIGGER USER;
UPDATE budget SET used = 99;
SELECT finding FROM idem.doctor() WHERE finding LIKE '%children%';
UPDATE budget SET used = 100;
SELECT count(*) FROM idem.rearm('use');
RESET idem.allow_unguarded;
UPDATE budget SET amount = 120;
SELECT *, idem.remaining('use', '1') FROM budget;
INSERT INTO use VALUES (2, 1, 1, 'new');
UPDATE budget SET amount = 150;
INSERT INTO use VALUES (2, 1, 21, 'new');
INSERT INTO use VALUES (2, 1, 20, 'new');
SELECT * FROM budget;
-- edited as a fact, as a request, and deleted
UPDATE use SET amount = 140 WHERE id = 1;
SELECT * FROM budget;
UPDATE use SET amount = 21 WHERE id = 2;
DELETE FROM use WHERE id = 1;
SELECT * FROM budget;
-- a fact beyond what an integer holds
INSERT INTO use VALUES (3, 1, 2147483647, 'done'), (4, 1, 2147483647, 'done');
UPDATE budget SET amount = 10;
-- it grows and does not shrink, not even where there is room
UPDATE budget SET amount = 149;

-- Near the end of the type (wound 9): used and excess may each be as great as
-- the type holds, whatever they add up to on the way.  One parent is changed
-- below the executor, the other, which has a trigger of its user, by it.
CREATE TABLE plain_day (id int PRIMARY KEY, cap bigint NOT NULL);
CREATE TABLE other_day (id int PRIMARY KEY, cap bigint NOT NULL);
CREATE FUNCTION user_code() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER user_code BEFORE UPDATE ON other_day FOR EACH ROW EXECUTE FUNCTION user_code();
CREATE TABLE loss (id int PRIMARY KEY, plain_id int NOT NULL REFERENCES plain_day, other_id int NOT NULL REFERENCES other_day,
                   amount bigint, state text DEFAULT 'booked');
INSERT INTO plain_day SELECT i, 9223372036854775807 FROM generate_series(1, 3) i;
INSERT INTO other_day SELECT i, 9223372036854775807 FROM generate_series(1, 3) i;
SELECT idem.guard_limit('loss', fk, amount => 'amount', cap => 'cap', used => 'used', released => '{void}',
                        state => 'state', facts => '{booked}', cap_grows => true)
FROM unnest('{plain_id,other_id}'::text[]) fk;
INSERT INTO loss VALUES (1, 1, 1, 9223372036854775807), (2, 1, 1, 9223372036854775000);
SELECT 'plain' AS way, used, excess FROM plain_day WHERE id = 1 UNION ALL SELECT 'other', used, excess FROM other_day WHERE id = 1;
UPDATE loss SET state = 'void' WHERE id = 1;
SELECT 'plain' AS way, used, excess FROM plain_day WHERE id = 1 UNION ALL SELECT 'other', used, excess FROM other_day WHERE id = 1;
-- what is released leaves the excess first, then what is used
UPDATE loss SET state = 'void' WHERE id = 2;
SELECT 'plain' AS way, used, excess FROM plain_day WHERE id = 1 UNION ALL SELECT 'other', used, excess FROM other_day WHERE id = 1;
-- room that the excess takes first
UPDATE plain_day SET cap = 10 WHERE id = 2;
UPDATE other_day SET cap = 10 WHERE id = 2;
INSERT INTO loss VALUES (3, 2, 2, 15);
UPDATE plain_day SET cap = 12 WHERE id = 2;
UPDATE other_day SET cap = 12 WHERE id = 2;
INSERT INTO loss VALUES (4, 2, 2, 9223372036854775800);
SELECT 'plain' AS way, used, excess FROM plain_day WHERE id = 2 UNION ALL SELECT 'other', used, excess FROM other_day WHERE id = 2;
UPDATE plain_day SET cap = 13 WHERE id = 2;
UPDATE other_day SET cap = 13 WHERE id = 2;
UPDATE loss SET state = 'void' WHERE id = 4;
SELECT 'plain' AS way, used, excess FROM plain_day WHERE id = 2 UNION ALL SELECT 'other', used, excess FROM other_day WHERE id = 2;
-- what the end of the type does not hold is an error of the server's
INSERT INTO loss VALUES (5, 3, 3, 9223372036854775807), (6, 3, 3, 9223372036854775807);
INSERT INTO loss VALUES (7, 3, 3, 1);
-- the doctor adds up what no bigint holds, and so does a declaration
SELECT severity, finding FROM idem.doctor() WHERE object LIKE '%loss%' ORDER BY object, finding;
SELECT idem.drop_guard('loss', 'limit', name => 'IDEM_limit_' || fk, reason => 'test') FROM unnest('{plain_id,other_id}'::text[]) fk;
UPDATE plain_day SET used = 0, excess = 0;
SELECT idem.guard_limit('loss', 'plain_id', amount => 'amount', cap => 'cap', used => 'used', released => '{void}',
                        state => 'state', facts => '{booked}');
SELECT * FROM plain_day ORDER BY id;
DROP TABLE loss, plain_day, other_day;

-- How many, and for how long.
CREATE TABLE trade (id int PRIMARY KEY, amount int NOT NULL, paid_at timestamptz);
CREATE TABLE giveback (id int PRIMARY KEY, trade_id int NOT NULL REFERENCES trade, amount int, state text DEFAULT 'new');
INSERT INTO trade VALUES (1, 1000, clock_timestamp()), (2, 1000, '2020-01-01 00:00Z'), (3, 1000, NULL);
SELECT idem.guard_limit('giveback', 'trade_id', amount => 'amount', cap => 'amount', used => 'given', released => '{failed}', state => 'state',
    count_cap => 3, count_used => 'givebacks', max_age => '1 year', age_from => 'paid_at');
SELECT settings FROM idem.guards WHERE relation = 'giveback'::regclass;
-- the fourth is refused, not the fifth; one that failed does not count [14]
INSERT INTO giveback SELECT i, 1, 1 FROM generate_series(1, 3) i;
INSERT INTO giveback VALUES (4, 1, 1);
UPDATE giveback SET state = 'failed' WHERE id = 1;
INSERT INTO giveback VALUES (4, 1, 1);
UPDATE giveback SET state = 'new' WHERE id = 1;
SELECT id, given, givebacks FROM trade ORDER BY id;
UPDATE trade SET givebacks = 0 WHERE id = 1;
-- the same through the executor
CREATE TRIGGER ride BEFORE UPDATE ON trade FOR EACH ROW EXECUTE FUNCTION ride();
UPDATE giveback SET state = 'new' WHERE id = 1;
UPDATE giveback SET state = 'failed' WHERE id = 2;
UPDATE giveback SET state = 'new' WHERE id = 1;
SELECT id, given, givebacks FROM trade ORDER BY id;
DROP TRIGGER ride ON trade;
-- another limit does not take the column they are counted in
CREATE TABLE tip (id int PRIMARY KEY, trade_id int NOT NULL REFERENCES trade, amount int);
SELECT idem.guard_limit('tip', 'trade_id', amount => 'amount', cap => 'amount', used => 'givebacks', released => NULL);
SELECT idem.guard_limit('tip', 'trade_id', amount => 'amount', cap => 'amount', used => 'tips', released => NULL, facts => '{*}', excess => 'givebacks');
SELECT idem.guard_limit('tip', 'trade_id', amount => 'amount', cap => 'amount', used => 'tips', released => NULL, count_cap => 9, count_used => 'givebacks');
-- a column that is there already may count, and a domain has its say
CREATE DOMAIN few AS int CHECK (VALUE < 3);
ALTER TABLE trade ADD tips_made few DEFAULT 0;
INSERT INTO tip SELECT i, 3, 1 FROM generate_series(1, 2) i;
SELECT idem.guard_limit('tip', 'trade_id', amount => 'amount', cap => 'amount', used => 'tips', released => NULL, count_cap => 1, count_used => 'tips_made');
SELECT idem.guard_limit('tip', 'trade_id', amount => 'amount', cap => 'amount', used => 'tips', released => NULL, facts => '{*}', count_cap => 9, count_used => 'tips_made');
INSERT INTO tip VALUES (3, 3, 1);
SELECT id, tips, tips_made FROM trade WHERE id = 3;
-- the doctor counts, too
SET idem.allow_unguarded = 'a test of what is not refused';
ALTER TABLE trade DISABLE TRIGGER USER;
UPDATE trade SET tips_made = 1 WHERE id = 3;
SELECT object FROM idem.doctor() WHERE finding LIKE '%children%';
-- an integer counts as far as it goes, a bigint further
ALTER TABLE trade ALTER tips_made TYPE int;
UPDATE trade SET tips_made = 2147483647 WHERE id = 3;
SELECT rearm ~ 'ENABLE ALWAYS' AS rearmed, count(*) FROM unnest('{tip,giveback}'::regclass[]) child, idem.rearm(child) GROUP BY 1;
INSERT INTO tip VALUES (3, 3, 1);
ALTER TABLE trade ALTER tips_made TYPE bigint;
INSERT INTO tip VALUES (3, 3, 1);
SELECT id, tips, tips_made FROM trade WHERE id = 3;
-- what no longer counts, or tells the time, is not taken for it
ALTER TABLE trade ALTER tips_made TYPE numeric;
INSERT INTO tip VALUES (4, 3, 1);
ALTER TABLE trade ALTER tips_made TYPE bigint;
ALTER TABLE trade ALTER paid_at TYPE timestamp;
INSERT INTO giveback VALUES (5, 3, 1);
ALTER TABLE trade ALTER paid_at TYPE timestamptz;
SELECT idem.drop_guard('tip', 'limit', reason => 'tips are not limited');
RESET idem.allow_unguarded;
-- too old, and of no known age
INSERT INTO giveback VALUES (5, 2, 1);
INSERT INTO giveback VALUES (5, 3, 1);
-- what began in time may end later
UPDATE trade SET paid_at = '2020-01-01 00:00Z';
UPDATE giveback SET state = 'paid' WHERE id = 1;
UPDATE giveback SET state = 'failed' WHERE id = 1;
UPDATE giveback SET state = 'new' WHERE id = 1;
SELECT id, given, givebacks FROM trade ORDER BY id;

\set VERBOSITY terse
DROP SCHEMA limit_facts CASCADE;
