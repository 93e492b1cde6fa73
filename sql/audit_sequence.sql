--
-- Sequences whose numbers come twice, or come to an end; in any database.
--
SET client_min_messages = warning;
CREATE SCHEMA audit_seq;
SET search_path = audit_seq, public;
CREATE TABLE fine (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
INSERT INTO fine SELECT FROM generate_series(1, 3);
CREATE TABLE empty (id serial PRIMARY KEY);
-- loaded by COPY, and the sequence forgotten: the next INSERT fails
CREATE TABLE behind (id serial PRIMARY KEY, n int);
INSERT INTO behind (n) SELECT 1 FROM generate_series(1, 3);
INSERT INTO behind VALUES (7, 1);
CREATE TABLE never (id serial PRIMARY KEY);
INSERT INTO never VALUES (5);
-- what is not unique can hold any number
CREATE TABLE other (id serial, n int);
INSERT INTO other VALUES (9);
CREATE SEQUENCE round MAXVALUE 1000 CYCLE;
CREATE TABLE again (no bigint DEFAULT nextval('round') PRIMARY KEY);
CREATE TABLE full_soon (id serial PRIMARY KEY);
SELECT setval('full_soon_id_seq', 2000000000);
CREATE TABLE wide (id bigserial PRIMARY KEY);
SELECT setval('wide_id_seq', 2000000000);
-- two sequences whose numbers meet in one unique column
CREATE TABLE parted (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
CREATE SEQUENCE seq_a;
CREATE SEQUENCE seq_b;
CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (1000) TO (2000);
ALTER TABLE parted_a ALTER id SET DEFAULT nextval('seq_a');
ALTER TABLE parted_b ALTER id SET DEFAULT nextval('seq_b');
SELECT severity, object, finding, remedy FROM idem.doctor() WHERE object ~ 'audit_seq|_seq|round|parted' AND finding ~ 'sequence|behind|CYCLE|used up' ORDER BY object COLLATE "C";
SELECT setval('behind_id_seq', 7);
SELECT object FROM idem.sequence_problems WHERE object ~ 'behind';
-- The serials of a channel
SELECT count(*) FROM idem.define_return_codes('audit/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 05 | failed |');
SELECT idem.create_channel('audit', send => 'audit/pay', statement => 'audit/file', serial => '{seq:3}', serial_per => 'key', echo => '{serial}');
SELECT idem.create_channel('audit', send => 'audit/pay', serial => '{seq:3}', serial_per => 'key', echo => '{serial}', first_serial => 850);
SELECT idem.create_scope('audit', 'outside', '{}', channels => '{audit}');
SELECT outcome FROM idem.reserve('audit', 'k');
CALL idem.dispatch('audit', 'k', 1) \gset
\echo :granted :serial
SELECT finding FROM idem.doctor() WHERE object = 'channel audit' ORDER BY 1;
SELECT outcome FROM idem.complete('audit', 'k', 1, answer => '{"code":"00","serial":"850"}');
SELECT idem.drop_scope('audit', force => 'test');
SELECT idem.drop_channel('audit');
RESET search_path;
DROP SCHEMA audit_seq CASCADE;
