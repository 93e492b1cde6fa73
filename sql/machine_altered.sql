-- What a session remembers of a table does not outlive what the table was.
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
\set SHOW_CONTEXT never
CREATE SCHEMA machine_altered;
SET search_path = machine_altered;
SELECT count(*) FROM idem.define_machine('machine_altered', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> succeeded : confirm
    succeeded --> [*]
$$);

-- The key grows from int to bigint: 4294967297 is not row 1.
CREATE TABLE payment (id int PRIMARY KEY, status text, a int, b int, c int, d int, e int, f int, g int, h int);
SELECT idem.guard_states('payment', 'status', 'machine_altered');
INSERT INTO payment VALUES (1, 'created');
SELECT * FROM idem.transition('payment', '1', 'paying');
ALTER TABLE payment ALTER id TYPE bigint;
INSERT INTO payment VALUES (4294967297, 'created');
SELECT * FROM idem.transition('payment', '4294967297', 'paying');
SELECT id, status FROM payment ORDER BY id;
-- and from numeric, a pointer, to bigint, which is none
ALTER TABLE payment ALTER id TYPE numeric;
INSERT INTO payment VALUES (2, 'created');
SELECT * FROM idem.transition('payment', '2', 'paying');
ALTER TABLE payment ALTER id TYPE bigint;
SELECT * FROM idem.transition('payment', '2', 'succeeded');

-- Equal keys that read otherwise are one row, with one history.
ALTER TABLE payment ALTER id TYPE numeric;
SELECT * FROM idem.transition('payment', '1.0', 'succeeded');
SELECT * FROM idem.transition('payment', '1.00', 'paying');

-- A trigger that calls transition for other rows, in more ways than a session
-- remembers, does not take away the statement that fired it.
CREATE FUNCTION others() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other record;
BEGIN
    FOR other IN SELECT id, (SELECT jsonb_object_agg(chr(97 + bit), 1) FROM generate_series(0, 7) bit WHERE (n >> bit) & 1 = 1) AS set
            FROM (SELECT id, (id - 100)::int AS n FROM payment WHERE new.id = 3 AND id > 100 AND id < 1000) x LOOP
        PERFORM idem.transition('payment', other.id::text, 'paying', set => other.set);
    END LOOP;
    RETURN new;
END $$;
CREATE TRIGGER others BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION others();
INSERT INTO payment (id, status) SELECT 100 + n, 'created' FROM generate_series(1, 255) n UNION ALL SELECT 3, 'created';
SELECT * FROM idem.transition('payment', '3', 'paying');
SELECT status, count(*) FROM payment GROUP BY status ORDER BY status;
DROP TRIGGER others ON payment;
-- ... nor does a call whose row was of another type when it was made last
CREATE TABLE refund (id int PRIMARY KEY, status text);
SELECT idem.guard_states('refund', 'status', 'machine_altered');
INSERT INTO refund VALUES (1, 'created'), (2, 'created');
INSERT INTO payment (id, status) VALUES (4, 'created');
SELECT outcome FROM idem.transition('refund', '1', 'paying');
ALTER TABLE refund ALTER id TYPE numeric;
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'refund 2: %', (SELECT outcome FROM idem.transition('refund', '2', 'paying'));
    RETURN new;
END $$;
CREATE TRIGGER follow BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION follow();
SELECT outcome FROM idem.transition('payment', '4', 'paying');
DROP TRIGGER follow ON payment;
SELECT (SELECT status FROM payment WHERE id = 4), id, status FROM refund ORDER BY id;

-- A rule that does something instead.
CREATE RULE nothing AS ON UPDATE TO payment DO INSTEAD NOTHING;
SELECT * FROM idem.transition('payment', '3', 'succeeded');
DROP RULE nothing ON payment;

-- A key used again after its row was deleted: what that row was is not what
-- this one was, and its message is not thrown away as an old one.
CREATE TABLE parcel (id int PRIMARY KEY, status text);
SELECT idem.guard_states('parcel', 'status', 'machine_altered', delete => 'final');
INSERT INTO parcel VALUES (1, 'created');
SELECT outcome FROM idem.transition('parcel', '1', 'paying');
SELECT outcome FROM idem.transition('parcel', '1', 'succeeded');
SELECT outcome FROM idem.transition('parcel', '1', 'paying');
DELETE FROM parcel;
INSERT INTO parcel VALUES (1, 'created');
SELECT * FROM idem.transition('parcel', '1', 'succeeded');

-- Two rows of one key, made in two partitions while the guard was off: it is
-- not guessed which of them is meant.
CREATE TABLE twice (id int, status text, PRIMARY KEY (id, status)) PARTITION BY LIST (status);
CREATE TABLE twice_created PARTITION OF twice FOR VALUES IN ('created');
CREATE TABLE twice_others PARTITION OF twice DEFAULT;
SELECT idem.guard_states('twice', 'status', 'machine_altered');
ALTER TABLE twice_others DISABLE TRIGGER USER;
INSERT INTO twice VALUES (1, 'created'), (1, 'paying');
ALTER TABLE twice_others ENABLE TRIGGER USER;
SELECT idem.transition('twice', '1', 'succeeded');
TABLE twice;

-- what is no relation, or no longer one
SELECT idem.transition(0::oid::regclass, '1', 'paying');
SELECT * FROM idem.history(4294967295::oid::regclass, '1');

DROP SCHEMA machine_altered CASCADE;
