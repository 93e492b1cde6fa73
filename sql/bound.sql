--
-- The effect cannot happen without its claim: guard_claimed for effects inside.
--
-- The accident: any client with INSERT on the table writes the debit without
-- claiming, the same key three times, all accepted.
--
CREATE SCHEMA bound;
SET search_path = bound;
SELECT idem.create_scope('debit', effect => 'inside', fields => '{user,amount}');
SELECT idem.create_scope('other', effect => 'inside', fields => '{}');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{}');
CREATE TABLE debit (
    id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message text NOT NULL,
    user_id text NOT NULL,
    amount  numeric NOT NULL
);

-- what a client can branch on, where a statement was refused
CREATE FUNCTION refusal(statement text,
    OUT code text, OUT "table" text, OUT "column" text, OUT "constraint" text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    code := '00000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, "table" = TABLE_NAME,
        "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END $$;

-- Without the guard: three debits for one message.
INSERT INTO debit (message, user_id, amount) VALUES ('msg-0', 'u1', 88.00);
INSERT INTO debit (message, user_id, amount) VALUES ('msg-0', 'u1', 88.00);
INSERT INTO debit (message, user_id, amount) VALUES ('msg-0', 'u1', 88.00);
SELECT count(*) FROM debit WHERE message = 'msg-0';
DELETE FROM debit;

-- The guard is a trigger that everybody can see.
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'debit');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'debit'::regclass;
SELECT relation, kind, name, settings, mode, intact FROM idem.guards WHERE relation = 'debit'::regclass;

-- With it: none, whatever the client forgets.
INSERT INTO debit (message, user_id, amount) VALUES ('msg-1', 'u1', 88.00);
SELECT * FROM refusal($$INSERT INTO debit (message, user_id, amount) VALUES ('msg-1', 'u1', 88.00)$$);
SELECT count(*) FROM debit;

-- The good case: claim, then the row, in one transaction.
BEGIN;
SELECT granted FROM idem.claim('debit', 'msg-1', '{"user":"u1","amount":88.00}');
INSERT INTO debit (message, user_id, amount) VALUES ('msg-1', 'u1', 88.00);
SELECT outcome FROM idem.complete('debit', 'msg-1', '{}');
COMMIT;

-- A repeat, by a client that does not look at the answer.
BEGIN;
SELECT outcome FROM idem.claim('debit', 'msg-1', '{"user":"u1","amount":88.00}');
INSERT INTO debit (message, user_id, amount) VALUES ('msg-1', 'u1', 88.00);
ROLLBACK;

-- One claim pays for one row, also where the second comes later or in one statement,
BEGIN;
SELECT granted FROM idem.claim('debit', 'msg-2', '{"user":"u1","amount":1}');
INSERT INTO debit (message, user_id, amount) VALUES ('msg-2', 'u1', 1);
INSERT INTO debit (message, user_id, amount) VALUES ('msg-2', 'u1', 1);
ROLLBACK;
BEGIN;
SELECT granted FROM idem.claim('debit', 'msg-2', '{"user":"u1","amount":1}');
INSERT INTO debit (message, user_id, amount) SELECT 'msg-2', 'u1', 1 FROM generate_series(1, 2);
ROLLBACK;
-- or after the first was deleted: the row was the effect.
BEGIN;
SELECT granted FROM idem.claim('debit', 'msg-2', '{"user":"u1","amount":1}');
INSERT INTO debit (message, user_id, amount) VALUES ('msg-2', 'u1', 1);
DELETE FROM debit WHERE message = 'msg-2';
INSERT INTO debit (message, user_id, amount) VALUES ('msg-2', 'u1', 1);
ROLLBACK;

-- Keys are bytes, and of this scope.
BEGIN;
SELECT granted FROM idem.claim('debit', 'Msg-3', '{"user":"u1","amount":1}');
SELECT granted FROM idem.claim('other', 'msg-3');
SAVEPOINT s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-3', 'u1', 1);
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES ('Msg-3 ', 'u1', 1);
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES (repeat('long', 100), 'u1', 1);
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES ('', 'u1', 1);
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES ('Msg-3', 'u1', 1);
COMMIT;

-- A fence, and a key that is only looked up, are no claim.
BEGIN;
SELECT outcome FROM idem.lookup('debit', 'msg-4');
SELECT outcome FROM idem.fence('debit', 'msg-4', 'reversed');
SAVEPOINT s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-4', 'u1', 1);
ROLLBACK TO s;
ROLLBACK;
-- Nor does one come back by the name of a claim that was rolled back.
BEGIN;
SAVEPOINT s;
SELECT granted FROM idem.claim('debit', 'msg-4', '{"user":"u1","amount":1}');
ROLLBACK TO s;
SELECT outcome FROM idem.fence('debit', 'msg-4', 'reversed');
INSERT INTO debit (message, user_id, amount) VALUES ('msg-4', 'u1', 1);
ROLLBACK;

-- Savepoints.  A claim that was rolled back pays for nothing,
BEGIN;
SAVEPOINT s;
SELECT granted FROM idem.claim('debit', 'msg-5', '{"user":"u1","amount":1}');
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-5', 'u1', 1);
ROLLBACK;
-- one that was released does;
BEGIN;
SAVEPOINT s;
SELECT granted FROM idem.claim('debit', 'msg-5', '{"user":"u1","amount":1}');
RELEASE s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-5', 'u1', 1);
-- and a row that was rolled back gives its payment back, once.
SAVEPOINT s;
SELECT granted FROM idem.claim('debit', 'msg-6', '{"user":"u1","amount":1}');
SAVEPOINT t;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-6', 'u1', 1);
ROLLBACK TO t;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-6', 'u1', 1);
RELEASE s;
SAVEPOINT s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-6', 'u1', 1);
ROLLBACK TO s;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-5', 'u1', 1);
ROLLBACK TO s;
COMMIT;
SELECT message, count(*) FROM debit GROUP BY message ORDER BY message COLLATE "C";
-- The same in a function that swallows the error.
DO $$
BEGIN
    BEGIN
        PERFORM idem.claim('debit', 'msg-7', '{"user":"u1","amount":1}');
        INSERT INTO debit (message, user_id, amount) VALUES ('msg-7', 'u1', 1);
        RAISE EXCEPTION 'lost';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    INSERT INTO debit (message, user_id, amount) VALUES ('msg-7', 'u1', 1);
END $$;

-- The next transaction has nothing of the claims of the one before.
INSERT INTO debit (message, user_id, amount) VALUES ('msg-6', 'u1', 1);
-- A row that was written before the claim is too early.
BEGIN;
INSERT INTO debit (message, user_id, amount) VALUES ('msg-8', 'u1', 1);
ROLLBACK;

-- Every way in.
CREATE TABLE incoming (message text, user_id text, amount numeric);
INSERT INTO incoming SELECT 'bulk-' || i, 'u1', 1 FROM generate_series(1, 3) i;
INSERT INTO debit (message, user_id, amount) TABLE incoming;
COPY debit (message, user_id, amount) FROM stdin;
bulk-1	u1	1
\.
MERGE INTO debit d USING incoming i ON d.message = i.message
    WHEN NOT MATCHED THEN INSERT (message, user_id, amount) VALUES (i.message, i.user_id, i.amount);
WITH n AS (INSERT INTO debit (message, user_id, amount) TABLE incoming RETURNING 1) SELECT count(*) FROM n;
CREATE VIEW debit_view AS SELECT message, user_id, amount FROM debit;
INSERT INTO debit_view TABLE incoming;
SET session_replication_role = replica;
INSERT INTO debit (message, user_id, amount) TABLE incoming;
RESET session_replication_role;
-- a BEFORE trigger of one's own that puts another key into the row
CREATE FUNCTION other_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.message := 'bulk-3';
    RETURN NEW;
END $$;
BEGIN;
SELECT granted FROM idem.claim('debit', 'bulk-1', '{"user":"u1","amount":1}');
CREATE TRIGGER zzz BEFORE INSERT ON debit FOR EACH ROW EXECUTE FUNCTION other_key();
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-1', 'u1', 1);
ROLLBACK;
-- The good way in bulk: claim_many, then the rows that were granted.
BEGIN;
SELECT c.key, c.outcome
    FROM (SELECT array_agg(message ORDER BY message) AS keys, array_agg('{"user":"u1","amount":1}'::jsonb) AS requests FROM incoming) i,
         LATERAL idem.claim_many('debit', i.keys, i.requests) c;
COPY debit (message, user_id, amount) FROM stdin;
bulk-1	u1	1
bulk-2	u1	1
\.
INSERT INTO debit (message, user_id, amount) SELECT * FROM incoming WHERE message = 'bulk-3';
COMMIT;

-- Upsert: a row that is skipped or updated is no new one, a new one needs its claim.
ALTER TABLE debit ADD UNIQUE (message);
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-1', 'u1', 9) ON CONFLICT (message) DO NOTHING;
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-1', 'u1', 9) ON CONFLICT (message) DO UPDATE SET user_id = 'u2';
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-9', 'u1', 9) ON CONFLICT (message) DO NOTHING;
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-9', 'u1', 9) ON CONFLICT (message) DO UPDATE SET user_id = 'u2';
-- The payment is not used up by a row that was skipped.
BEGIN;
SELECT granted FROM idem.claim('debit', 'bulk-9', '{"user":"u1","amount":9}');
INSERT INTO debit (message, user_id, amount) SELECT 'bulk-9', 'u1', 9 WHERE false;
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-9', 'u1', 9) ON CONFLICT (message) DO NOTHING;
COMMIT;

-- The key is fixed, whoever changes it; other columns are not.
UPDATE debit SET message = 'bulk-0' WHERE message = 'bulk-9';
SELECT * FROM refusal($$UPDATE debit SET message = 'bulk-0' WHERE message = 'bulk-9'$$);
UPDATE debit SET message = message, user_id = 'u3' WHERE message = 'bulk-9';
INSERT INTO debit (message, user_id, amount) VALUES ('bulk-9', 'u1', 9) ON CONFLICT (message) DO UPDATE SET message = 'bulk-0';

-- By SQL that uses nothing of idem: one debit a message.
SELECT count(*) = count(DISTINCT message) AS once FROM debit;

-- Two guarded tables, two payments: each table gets its one row.
CREATE TABLE receipt (key text NOT NULL, note text);
SELECT idem.guard_claimed('receipt', '{key}', 'debit');
BEGIN;
SELECT granted FROM idem.claim('debit', 'both', '{"user":"u1","amount":9}');
INSERT INTO debit (message, user_id, amount) VALUES ('both', 'u1', 9);
INSERT INTO receipt VALUES ('both', 'paid');
SAVEPOINT s;
INSERT INTO receipt VALUES ('both', 'paid again');
ROLLBACK TO s;
COMMIT;

-- rows => 'many': the legs of a journal.
CREATE TABLE leg (entry text NOT NULL, account text, amount numeric);
SELECT idem.guard_claimed('leg', '{entry}', 'other', rows => 'many');
BEGIN;
SELECT granted FROM idem.claim('other', 'e-1');
INSERT INTO leg VALUES ('e-1', 'a', -5), ('e-1', 'b', 5);
SAVEPOINT s;
INSERT INTO leg VALUES ('e-2', 'a', -5);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM leg;

-- Keys of other types, and of several columns as idem.key() makes them.
CREATE TABLE typed (t varchar(20) NOT NULL, u uuid NOT NULL, s smallint NOT NULL, i integer NOT NULL, b bigint NOT NULL);
SELECT idem.guard_claimed('typed', '{t,u,s,i,b}', 'other');
BEGIN;
SELECT granted FROM idem.claim('other', idem.key('T1', '0190163d-8694-739b-aea5-966c26f8ad91', '-32768', '-2147483648', '-9223372036854775808'));
INSERT INTO typed VALUES ('T1', '0190163D-8694-739B-AEA5-966C26F8AD91', -32768, -2147483648, -9223372036854775808);
SAVEPOINT s;
INSERT INTO typed VALUES ('T1', '0190163D-8694-739B-AEA5-966C26F8AD91', -32768, -2147483648, 9223372036854775807);
ROLLBACK TO s;
-- a part that no key can have
INSERT INTO typed VALUES (' ', '0190163D-8694-739B-AEA5-966C26F8AD91', 1, 1, 1);
ROLLBACK TO s;
COMMIT;
UPDATE typed SET i = 5;
CREATE DOMAIN order_no AS text;
CREATE TABLE by_uuid (u uuid NOT NULL);
CREATE TABLE by_integer (i bigint NOT NULL);
CREATE TABLE by_domain (o order_no NOT NULL);
SELECT idem.guard_claimed('by_uuid', '{u}', 'other'), idem.guard_claimed('by_integer', '{i}', 'other'),
       idem.guard_claimed('by_domain', '{o}', 'other');
BEGIN;
SELECT granted FROM idem.claim_many('other', '{0190163d-8694-739b-aea5-966c26f8ad91,-42,O-1}');
INSERT INTO by_uuid VALUES ('0190163d-8694-739b-aea5-966c26f8ad91');
INSERT INTO by_integer VALUES (-42);
INSERT INTO by_domain VALUES ('O-1');
SAVEPOINT s;
INSERT INTO by_integer VALUES (42);
ROLLBACK TO s;
COMMIT;

-- Partitions: one guard, one payment, whichever partition the row lies in and
-- through whichever name it comes; a row that moves keeps its key and is no new one.
CREATE TABLE entry (day date NOT NULL, message text NOT NULL, note text) PARTITION BY RANGE (day);
CREATE TABLE entry_1 PARTITION OF entry FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE entry_2 (note text, message text NOT NULL, day date NOT NULL);
ALTER TABLE entry ATTACH PARTITION entry_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT idem.guard_claimed('entry', '{message}', 'other');
INSERT INTO entry VALUES ('2026-01-05', 'p-1', 'direct');
INSERT INTO entry_2 (day, message) VALUES ('2026-02-05', 'p-1');
BEGIN;
SELECT granted FROM idem.claim('other', 'p-1');
INSERT INTO entry_2 (day, message) VALUES ('2026-02-05', 'p-1');
SAVEPOINT s;
INSERT INTO entry VALUES ('2026-01-05', 'p-1');
ROLLBACK TO s;
COMMIT;
UPDATE entry SET day = '2026-01-06' WHERE message = 'p-1';
UPDATE entry SET day = '2026-02-06', message = 'p-2' WHERE message = 'p-1';
SELECT tableoid::regclass, * FROM entry;
-- What is attached has its claims, or is not attached.
CREATE TABLE entry_3 (day date NOT NULL, message text NOT NULL, note text);
INSERT INTO entry_3 VALUES ('2026-03-05', 'p-3');
ALTER TABLE entry ATTACH PARTITION entry_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
SELECT granted FROM idem.claim('other', 'p-3');
ALTER TABLE entry ATTACH PARTITION entry_3 FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');

-- Nor is a second row of a key that has one,
CREATE TABLE entry_4 (day date NOT NULL, message text NOT NULL, note text);
INSERT INTO entry_4 VALUES ('2026-04-05', 'p-3');
ALTER TABLE entry ATTACH PARTITION entry_4 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
-- and what was let pass is a finding.
SELECT object, finding, remedy FROM idem.doctor() WHERE object ~ 'claimed guard';
SET idem.allow_unguarded = 'a test of findings';
ALTER TABLE entry ATTACH PARTITION entry_4 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
ALTER TABLE debit DISABLE TRIGGER idem_claimed_message;
INSERT INTO debit (message, user_id, amount) VALUES ('sly-1', 'u1', 1), ('sly-2', 'u1', 1);
ALTER TABLE debit ENABLE ALWAYS TRIGGER idem_claimed_message;
RESET idem.allow_unguarded;
SELECT object, finding, remedy FROM idem.doctor() WHERE object ~ 'claimed guard' AND finding ~ 'row' AND finding !~ 'allowed by';
DELETE FROM debit WHERE message ~ 'sly';
DELETE FROM entry_4;
SELECT object, finding, remedy FROM idem.doctor() WHERE object ~ 'claimed guard' AND finding ~ 'row' AND finding !~ 'allowed by';

-- A key that a claim keeps needs no unique constraint to be kept by: the doctor knows.
CREATE TABLE refund (id int PRIMARY KEY, request_id text NOT NULL, amount numeric NOT NULL);
SELECT finding, remedy FROM idem.doctor() WHERE object ~ 'request_id';
SELECT idem.guard_claimed('refund', '{request_id}', 'other', rows => 'many');
SELECT finding FROM idem.doctor() WHERE object ~ 'request_id';
SELECT idem.drop_guard('refund', 'claimed', reason => 'one');
SELECT idem.guard_claimed('refund', '{request_id}', 'other');
SELECT finding FROM idem.doctor() WHERE object ~ 'request_id';

-- Cascades and triggers of one's own are ways in like any other.
CREATE TABLE source (id int PRIMARY KEY);
CREATE FUNCTION write_debit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO debit (message, user_id, amount) VALUES ('src-' || NEW.id, 'u1', 1);
    RETURN NULL;
END $$;
CREATE TRIGGER write_debit AFTER INSERT ON source FOR EACH ROW EXECUTE FUNCTION write_debit();
INSERT INTO source VALUES (1);
BEGIN;
SELECT granted FROM idem.claim('debit', 'src-1', '{"user":"u1","amount":1}');
INSERT INTO source VALUES (1);
COMMIT;
CREATE TABLE shop (no text PRIMARY KEY);
CREATE TABLE sale (no text NOT NULL REFERENCES shop ON UPDATE CASCADE);
INSERT INTO shop VALUES ('n-1');
SELECT idem.guard_claimed('sale', '{no}', 'other');
BEGIN;
SELECT granted FROM idem.claim('other', 'n-1');
INSERT INTO sale VALUES ('n-1');
COMMIT;
UPDATE shop SET no = 'n-2';

-- Retired keys: a claim whose response was dropped in this transaction is as old as before.
SELECT idem.create_scope('short', effect => 'inside', fields => '{}', keep => '1 microsecond');
CREATE TABLE brief (k text NOT NULL);
SELECT idem.guard_claimed('brief', '{k}', 'short');
BEGIN;
SELECT granted FROM idem.claim('short', 'k-1');
SELECT outcome FROM idem.complete('short', 'k-1', '{"done":true}');
INSERT INTO brief VALUES ('k-1');
COMMIT;
SELECT pg_sleep(0.01);
BEGIN;
SELECT dropped FROM idem.retire('short');
SELECT outcome FROM idem.claim('short', 'k-1');
INSERT INTO brief VALUES ('k-1');
ROLLBACK;

-- Declarations.  The same again is a no-op; another one of the scope is refused.
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'debit');
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'debit', rows => 'many');
SELECT idem.guard_claimed('debit', key => '{user_id}', scope => 'debit');
SELECT idem.guard_claimed('typed', '{u,t,s,i,b}', 'other');
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'nowhere');
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'payout');
SELECT idem.guard_claimed('debit', key => '{amount}', scope => 'other');
SELECT idem.guard_claimed('debit', key => '{missing}', scope => 'other');
SELECT idem.guard_claimed('debit', key => '{}', scope => 'other');
SELECT idem.guard_claimed('debit', key => '{message,message}', scope => 'other');
SELECT idem.guard_claimed('debit', key => NULL, scope => 'other');
SELECT idem.guard_claimed('debit', key => '{message}', scope => NULL);
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'other', rows => 'some');
SELECT idem.guard_claimed('receipt', key => '{note}', scope => 'other');
SELECT idem.guard_claimed('entry_1', key => '{message}', scope => 'other');
SELECT idem.guard_claimed('debit_view', key => '{message}', scope => 'other');

-- DDL that would weaken it is refused.
ALTER TABLE debit ALTER message DROP NOT NULL;
ALTER TABLE debit DROP COLUMN message;
ALTER TABLE debit RENAME message TO msg;
ALTER TABLE debit DISABLE TRIGGER idem_claimed_message;
DROP TRIGGER idem_claimed_message ON debit;

-- An application needs no right on anything of idem but to claim; without that
-- it cannot write, and is not shown a key that it may not read.
CREATE ROLE regress_bound_app;
CREATE ROLE regress_bound_writer;
SELECT idem.grant_runtime('regress_bound_app');
GRANT USAGE ON SCHEMA bound TO regress_bound_app, regress_bound_writer;
GRANT SELECT, INSERT ON debit TO regress_bound_app;
GRANT INSERT ON debit TO regress_bound_writer;
SET ROLE regress_bound_app;
BEGIN;
SELECT granted FROM idem.claim('debit', 'app-1', '{"user":"u1","amount":1}');
INSERT INTO debit (message, user_id, amount) VALUES ('app-1', 'u1', 1);
COMMIT;
INSERT INTO debit (message, user_id, amount) VALUES ('app-2', 'u1', 1);
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'other');
RESET ROLE;
SET ROLE regress_bound_writer;
INSERT INTO debit (message, user_id, amount) VALUES ('app-2', 'u1', 1);
RESET ROLE;

-- Taken off with a reason.
SELECT idem.drop_scope('short', force => 'a test');
INSERT INTO brief VALUES ('k-1');
SELECT finding FROM idem.doctor() WHERE object ~ 'on bound.brief';
SELECT idem.drop_guard('receipt', 'claimed', reason => 'kept elsewhere');
INSERT INTO receipt VALUES ('both', 'free');
SELECT kind, action, reason FROM idem.change_log WHERE table_name = 'receipt' ORDER BY n;

-- A trigger put there by hand with arguments of its own is none.
CREATE TRIGGER by_hand AFTER INSERT ON incoming FOR EACH ROW EXECUTE FUNCTION idem.keep_claimed();
INSERT INTO incoming VALUES ('x', 'y', 1);
SELECT idem.keep_claimed();

DROP OWNED BY regress_bound_app, regress_bound_writer;
DROP ROLE regress_bound_app, regress_bound_writer;
SET client_min_messages = warning;
DROP SCHEMA bound CASCADE;
