--
-- Guards of partitioned tables as the doctor sees them: one guard, however many
-- tables hold its rows, on both sides of a limit, and found as fast (wound 26).
--
-- What weakens a guard is refused (doctor_ddl); here it is done on purpose.
SET idem.allow_unguarded = 'a test of what is not refused';
CREATE SCHEMA doctor_partition;
SET search_path = doctor_partition;
CREATE VIEW findings AS
    SELECT * FROM idem.doctor() WHERE object ~ ' guard .* on ' AND finding !~ 'allow_unguarded';
CREATE VIEW triggers AS
    SELECT tgrelid::regclass AS relation, tgname AS name, tgenabled AS mode FROM pg_trigger
    WHERE tgname ~* '^idem' AND tgrelid::regclass::text ~ '^(payment|refund)';

SELECT 'defined' AS machine FROM idem.define_machine('doctor_partition', $$
stateDiagram-v2
    [*] --> created
    created --> paid
    paid --> [*]
$$) LIMIT 1;
CREATE TABLE payment (id int, part int, amount bigint NOT NULL, status text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE payment_1 PARTITION OF payment FOR VALUES IN (1);
CREATE TABLE payment_2 PARTITION OF payment FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE payment_2_1 PARTITION OF payment_2 FOR VALUES FROM (0) TO (10);
CREATE TABLE refund (id int, payment int NOT NULL, part int NOT NULL, amount bigint NOT NULL,
    PRIMARY KEY (id, part), FOREIGN KEY (payment, part) REFERENCES payment) PARTITION BY LIST (part);
CREATE TABLE refund_1 PARTITION OF refund FOR VALUES IN (1);
CREATE TABLE refund_2 PARTITION OF refund FOR VALUES IN (2);
SELECT idem.guard_states('payment', 'status', 'doctor_partition', delete => 'any');
SELECT idem.guard_limit('refund', ARRAY['payment', 'part'], amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
INSERT INTO payment VALUES (1, 1, 100, 'created'), (1, 2, 100, 'created');
INSERT INTO refund VALUES (1, 1, 1, 10), (2, 1, 2, 20);
SELECT relation, kind, intact, problem FROM idem.guards WHERE relation IN ('payment'::regclass, 'refund'::regclass)
    ORDER BY kind COLLATE "C";
SELECT * FROM triggers ORDER BY relation::text COLLATE "C", name;
-- Where rows may be deleted, TRUNCATE is none of the guard's business: nothing to find.
SELECT * FROM findings;

-- Partitions made later are guarded as the others.
CREATE TABLE payment_3 PARTITION OF payment FOR VALUES IN (3);
CREATE TABLE refund_3 PARTITION OF refund FOR VALUES IN (3);
SELECT * FROM findings;
SELECT remedy FROM findings \gexec
SELECT * FROM findings;

-- Every partition of both tables is looked at.
ALTER TABLE payment_2_1 DISABLE TRIGGER idem_limit_total_refund_payment_part;
ALTER TABLE refund_2 DISABLE TRIGGER USER;
UPDATE refund SET amount = 21 WHERE part = 2;
SELECT finding FROM findings WHERE object LIKE 'limit%';
UPDATE refund SET amount = 20 WHERE part = 2;
SELECT remedy FROM findings WHERE remedy LIKE 'ALTER%' \gexec
ALTER TABLE refund_2 ENABLE ALWAYS TRIGGER "IDEM_limit_payment_part_statement";
SELECT * FROM findings;

-- And every partition is free afterwards.
SELECT idem.drop_guard('refund', 'limit', reason => 'end of the test');
SELECT idem.drop_guard('payment', 'states', reason => 'end of the test');
SELECT * FROM triggers ORDER BY relation::text COLLATE "C", name;
SELECT * FROM findings;

-- ------------------------------------------------------------ many partitions
-- wound 26: what is compared to find problems grows with the partitions, not
-- with their square: for four times as many it is less than eight times as much.
CREATE TABLE many (id int, part int) PARTITION BY LIST (part);
CREATE PROCEDURE partitions(low int, high int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN low..high LOOP EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES IN (%1$s)', i); END LOOP;
END $$;
CREATE FUNCTION compared() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) SELECT * FROM idem.guard_problems' INTO plan;
    RETURN (SELECT sum(n::numeric) FROM jsonb_path_query(plan, '$.**."Rows Removed by Join Filter"') n);
END $$;
SELECT idem.guard_kept('many');
CALL partitions(1, 50);
SELECT greatest(compared(), 1000) AS few \gset
CALL partitions(51, 200);
SELECT coalesce(compared(), 0) < 8 * :few AS linear;
SELECT name, intact FROM idem.guards WHERE relation = 'many'::regclass;

SET client_min_messages = warning;
DROP SCHEMA doctor_partition CASCADE;
