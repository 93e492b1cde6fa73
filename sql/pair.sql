--
-- pair: a child is in its state only while its parent is in one that goes with
-- it.  Shipped and refunded never both are true.
--
-- Races are in test/isolation/specs/pair_race.spec, what a declaration needs
-- in pair_declare.sql.
--
CREATE SCHEMA pair;
SET search_path = pair;
SET client_min_messages = warning;
CREATE FUNCTION pair.sqlstate_of(statement text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE message text; detail text; code text; tab text; col text; con text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        tab = TABLE_NAME, col = COLUMN_NAME, con = CONSTRAINT_NAME;
    RETURN concat_ws(' | ', code || ': ' || message, nullif(detail, ''), nullif(concat_ws('.', nullif(tab, ''), nullif(col, ''), nullif(con, '')), ''));
END $$;

CREATE TYPE order_status AS ENUM ('created', 'paid', 'refunding', 'partially_refunded', 'shipped', 'closed');
CREATE TABLE "order" (id bigint PRIMARY KEY, status order_status NOT NULL, note text);
CREATE TABLE refund (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES "order", status text, note text);
CREATE INDEX ON refund (order_id);
SELECT idem.guard_parent_state('refund', 'order_id', state => 'status', parent_state => 'status',
    allowed => '{"requested":"{paid,refunding,partially_refunded}","sent":"{refunding,partially_refunded}"}', facts => '{returned}');
INSERT INTO "order" VALUES (4711, 'paid'), (4712, 'shipped'), (4713, 'refunding'), (4714, 'created');

-- ---------------------------------------------------------------- the child
INSERT INTO refund VALUES (1, 4711, 'requested');
SELECT sqlstate_of($$INSERT INTO refund VALUES (2, 4712, 'requested')$$);
SELECT sqlstate_of($$UPDATE refund SET status = 'sent' WHERE id = 1$$);
UPDATE "order" SET status = 'refunding' WHERE id = 4711;
UPDATE refund SET status = 'sent' WHERE id = 1;
-- a state that is not listed is free, and so is none
INSERT INTO refund VALUES (3, 4712, 'draft'), (4, 4714, NULL), (5, 4714, 'failed');
-- to another parent
SELECT sqlstate_of($$UPDATE refund SET order_id = 4714 WHERE id = 1$$);
UPDATE refund SET order_id = 4713 WHERE id = 1;
UPDATE refund SET order_id = 4711 WHERE id = 1;
-- a child whose state and parent stay is not judged
UPDATE refund SET note = 'x';
-- no parent
SELECT sqlstate_of($$INSERT INTO refund VALUES (6, 1, 'sent')$$);
-- a fact is stored whatever the parent is
INSERT INTO refund VALUES (7, 4712, 'returned');

-- --------------------------------------------------------------- the parent
SELECT sqlstate_of($$UPDATE "order" SET status = 'shipped' WHERE id = 4711$$);
SELECT sqlstate_of($$UPDATE "order" SET status = 'paid' WHERE id = 4711$$);
UPDATE "order" SET status = 'partially_refunded' WHERE id = 4711;
UPDATE "order" SET note = 'x';
-- once the child has failed, or is gone
UPDATE refund SET status = 'failed' WHERE id = 1;
UPDATE "order" SET status = 'shipped' WHERE id = 4711;
SELECT sqlstate_of($$UPDATE refund SET status = 'sent' WHERE id = 1$$);
UPDATE "order" SET status = 'refunding' WHERE id = 4711;
UPDATE refund SET status = 'sent' WHERE id = 1;
DELETE FROM refund WHERE id = 1;
UPDATE "order" SET status = 'shipped' WHERE id = 4711;
SELECT o.status AS "order", r.id, r.status FROM refund r JOIN "order" o ON o.id = r.order_id ORDER BY 2;
SELECT severity, finding FROM idem.doctor() WHERE object ~ 'on pair';


-- ------------------------------------------------- however the row comes in
UPDATE "order" SET status = 'created';
TRUNCATE refund;
COPY refund (id, order_id, status) FROM stdin (FORMAT csv);
10,4711,sent
\.
SELECT sqlstate_of($$MERGE INTO refund r USING (VALUES (10)) v (id) ON r.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, 4711, 'sent')$$);
INSERT INTO refund VALUES (10, 4711, 'draft');
SELECT sqlstate_of($$MERGE INTO refund r USING (VALUES (10)) v (id) ON r.id = v.id WHEN MATCHED THEN UPDATE SET status = 'sent'$$);
SELECT sqlstate_of($$INSERT INTO refund VALUES (10, 4711, 'draft') ON CONFLICT (id) DO UPDATE SET status = 'sent'$$);
INSERT INTO refund VALUES (10, 4711, 'sent') ON CONFLICT DO NOTHING;
-- order and refund in one statement: judged by what it leaves
WITH o AS (INSERT INTO "order" VALUES (1, 'paid') RETURNING id) INSERT INTO refund SELECT 11, id, 'requested' FROM o;
SELECT sqlstate_of($$WITH o AS (INSERT INTO "order" VALUES (2, 'created') RETURNING id) INSERT INTO refund SELECT 12, id, 'requested' FROM o$$);
WITH o AS (UPDATE "order" SET status = 'refunding' WHERE id = 1) UPDATE refund SET status = 'sent' WHERE id = 11;
SELECT sqlstate_of($$WITH o AS (UPDATE "order" SET status = 'shipped' WHERE id = 1) UPDATE refund SET note = 'y' WHERE id = 11$$);
-- a view
CREATE VIEW refund_view AS SELECT * FROM refund;
SELECT sqlstate_of($$INSERT INTO refund_view VALUES (13, 4711, 'sent')$$);
-- what a BEFORE trigger makes of it is what is stored
CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'sent'; RETURN NEW; END $$;
CREATE TRIGGER zz_bend BEFORE INSERT ON refund FOR EACH ROW EXECUTE FUNCTION bend();
SELECT sqlstate_of($$INSERT INTO refund VALUES (14, 4711, 'draft')$$);
DROP TRIGGER zz_bend ON refund;
-- a savepoint
BEGIN;
SAVEPOINT a;
UPDATE "order" SET status = 'paid' WHERE id = 4711;
INSERT INTO refund VALUES (15, 4711, 'requested');
ROLLBACK TO a;
SELECT sqlstate_of($$INSERT INTO refund VALUES (15, 4711, 'requested')$$);
COMMIT;

-- ------------------------------------- another row takes the parent's place
-- The foreign key is satisfied if some row has the key in the end.
INSERT INTO "order" VALUES (3, 'shipped');
SELECT sqlstate_of($$WITH d AS (DELETE FROM "order" WHERE id = 1 RETURNING id) INSERT INTO "order" SELECT id, 'shipped' FROM d$$);
SELECT sqlstate_of($$UPDATE "order" SET id = CASE id WHEN 1 THEN 99 ELSE 1 END WHERE id IN (1, 3)$$);
SELECT sqlstate_of($$DELETE FROM "order" WHERE id = 1$$);
SELECT sqlstate_of($$UPDATE "order" SET id = 99 WHERE id = 1$$);
UPDATE "order" SET status = 'partially_refunded' WHERE id = 3;
UPDATE "order" SET id = CASE id WHEN 1 THEN 99 ELSE 1 END WHERE id IN (1, 3);
WITH d AS (DELETE FROM "order" WHERE id = 1 RETURNING id) INSERT INTO "order" SELECT id, 'refunding', 'new' FROM d;
SELECT o.*, r.id, r.status FROM "order" o JOIN refund r ON r.order_id = o.id WHERE o.id = 1;
-- and one without children goes
UPDATE "order" SET id = 98 WHERE id = 4712;
DELETE FROM "order" WHERE id = 98;

-- ------------------------------------------------------------ any other state
-- "*": every state that is not listed, and none; {*}: whatever the parent is
CREATE TABLE trade (id int PRIMARY KEY, status text);
CREATE TABLE payment (id int PRIMARY KEY, trade_id int NOT NULL REFERENCES trade, status text);
CREATE INDEX ON payment (trade_id, status);
SELECT idem.guard_parent_state('payment', 'trade_id', state => 'status', parent_state => 'status',
    allowed => '{"*":"{open}","failed":"{*}","succeeded":"{open,done}","known":"{done}"}', facts => '{known}');
INSERT INTO trade VALUES (1, 'open'), (2, 'failed'), (3, NULL), (4, 'done');
INSERT INTO payment VALUES (1, 1, 'created'), (2, 1, NULL), (3, 2, 'failed'), (4, 3, 'failed'), (5, 4, 'succeeded'), (6, 2, 'known');
SELECT sqlstate_of(format('INSERT INTO payment VALUES (10, %s, %L)', trade, status))
    FROM (VALUES (2, 'created'), (2, NULL), (3, 'created'), (2, 'succeeded'), (3, 'succeeded'), (4, 'created')) v (trade, status);
SELECT sqlstate_of($$UPDATE trade SET status = 'failed' WHERE id = 1$$);
SELECT sqlstate_of($$UPDATE trade SET status = NULL WHERE id = 4$$);
UPDATE trade SET status = 'open' WHERE id = 4;
UPDATE trade SET status = 'done' WHERE id = 4;
-- neither a fact nor {*} holds the parent
UPDATE trade SET status = 'gone' WHERE id = 2;
DELETE FROM payment WHERE id = 1;
SELECT sqlstate_of($$UPDATE trade SET status = 'failed' WHERE id = 1$$);
SELECT severity, finding FROM idem.doctor() WHERE object ~ 'on pair.payment';

-- ------------------------------------------------- children without a state
CREATE DOMAIN phase AS text CHECK (value <> '');
CREATE TABLE batch (id int, part int, phase phase NOT NULL, PRIMARY KEY (id, part));
CREATE TABLE item (batch int NOT NULL, part int NOT NULL, amount int, FOREIGN KEY (batch, part) REFERENCES batch);
CREATE INDEX ON item (part, batch, amount);
SELECT idem.guard_parent_state('item', '{part,batch}', parent_state => 'phase', allowed => '{"*":"{open}"}');
INSERT INTO batch VALUES (1, 1, 'open'), (1, 2, 'closed');
INSERT INTO item VALUES (1, 1, 10);
SELECT sqlstate_of($$INSERT INTO item VALUES (1, 2, 10)$$);
SELECT sqlstate_of($$UPDATE item SET part = 2$$);
UPDATE item SET amount = 5;
SELECT sqlstate_of($$UPDATE batch SET phase = 'closed'$$);

-- ----------------------------------------- keys that are equal and not the same
-- An index in another order of texts would not find the child.
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE shelf (name text COLLATE nocase PRIMARY KEY, state text);
CREATE TABLE item_on (id int PRIMARY KEY, shelf text COLLATE nocase NOT NULL REFERENCES shelf, state text);
CREATE INDEX ON item_on (shelf COLLATE "C");
SELECT idem.guard_parent_state('item_on', 'shelf', state => 'state', parent_state => 'state', allowed => '{"in":"{open}"}');
INSERT INTO shelf VALUES ('A', 'open');
INSERT INTO item_on VALUES (1, 'a', 'in');
SELECT sqlstate_of($$UPDATE shelf SET state = 'shut'$$);
SELECT sqlstate_of($$INSERT INTO item_on VALUES (2, 'b', 'in')$$);

-- ------------------------------------------ states that a lookup table names
-- and renames: what a cascade writes is judged as any other change
CREATE TABLE word (word text PRIMARY KEY);
INSERT INTO word VALUES ('open'), ('shut'), ('in'), ('out');
CREATE TABLE shop (id int PRIMARY KEY, state text NOT NULL REFERENCES word ON UPDATE CASCADE);
CREATE TABLE guest (id int PRIMARY KEY, shop int NOT NULL REFERENCES shop, state varchar(9) REFERENCES word (word) ON UPDATE CASCADE);
CREATE INDEX ON guest USING hash (shop);
SELECT idem.guard_parent_state('guest', 'shop', state => 'state', parent_state => 'state', allowed => '{"in":"{open}","inside":"{shut}"}');
INSERT INTO shop VALUES (1, 'open');
INSERT INTO guest VALUES (1, 1, 'in');
SELECT sqlstate_of($$UPDATE word SET word = 'shut!' WHERE word = 'open'$$);
SELECT sqlstate_of($$UPDATE word SET word = 'inside' WHERE word = 'in'$$);

DROP SCHEMA pair CASCADE;
