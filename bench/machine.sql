-- machine: an UPDATE that takes 1,000,000 rows over one edge, and other work.
--
-- Beside the guard: no trigger at all; a trigger in C that does nothing, the
-- least any trigger can cost (idem_bench.c); PL/pgSQL that knows the edges by a
-- CASE; PL/pgSQL that looks them up in a table.  What is compared is the time
-- that each adds to the UPDATE without a trigger.  The tables have room, so
-- that no index is touched; a table of the bench is called
-- machine_<column>_<way>.

SELECT FROM idem.define_machine('bench', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> created : back
    paying --> succeeded : confirm
    paying --> failed : reject
    succeeded --> refunded : refund
    succeeded --> failed : bank_return
    failed --> [*]
    refunded --> [*]
$$);

CREATE TYPE bench.status AS ENUM ('created', 'paying', 'succeeded', 'failed', 'refunded');
CREATE FUNCTION bench.empty() RETURNS trigger AS 'idem_bench', 'bench_empty' LANGUAGE c;

CREATE FUNCTION bench.by_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status AND NOT (CASE OLD.status
            WHEN 'created' THEN NEW.status IN ('paying')
            WHEN 'paying' THEN NEW.status IN ('created', 'succeeded', 'failed')
            WHEN 'succeeded' THEN NEW.status IN ('refunded', 'failed')
            ELSE false END) THEN
        RAISE EXCEPTION 'no edge from % to %', OLD.status, NEW.status;
    END IF;
    RETURN NEW;
END;
$$;

CREATE TABLE bench.edge (source text, target text, PRIMARY KEY (source, target));
INSERT INTO bench.edge VALUES ('created', 'paying'), ('paying', 'created'), ('paying', 'succeeded'),
    ('paying', 'failed'), ('succeeded', 'refunded'), ('succeeded', 'failed');
CREATE TABLE bench.edge_enum (source bench.status, target bench.status, PRIMARY KEY (source, target));
INSERT INTO bench.edge_enum SELECT source::bench.status, target::bench.status FROM bench.edge;

CREATE FUNCTION bench.look_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status THEN
        PERFORM 1 FROM bench.edge WHERE source = OLD.status AND target = NEW.status;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no edge from % to %', OLD.status, NEW.status;
        END IF;
    END IF;
    RETURN NEW;
END;
$$;
CREATE FUNCTION bench.look_up_enum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IS DISTINCT FROM OLD.status THEN
        PERFORM 1 FROM bench.edge_enum WHERE source = OLD.status AND target = NEW.status;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no edge from % to %', OLD.status, NEW.status;
        END IF;
    END IF;
    RETURN NEW;
END;
$$;

-- One table: its column, its way, its rows
CREATE PROCEDURE bench.machine_table(of text, way text, type text, n integer) LANGUAGE plpgsql AS $$
DECLARE
    tab text := format('bench.machine_%s_%s', of, way);
BEGIN
    EXECUTE format('CREATE TABLE %s (id integer PRIMARY KEY, status %s NOT NULL, note integer NOT NULL)'
                   ' WITH (fillfactor = 45)', tab, type);
    EXECUTE format('INSERT INTO %s SELECT i, ''created'', 0 FROM generate_series(1, %s) i', tab, n);
END;
$$;

DO $$
DECLARE
    of   text;
    way  text;
BEGIN
    FOREACH of IN ARRAY '{text,enum}'::text[] LOOP
        FOREACH way IN ARRAY '{bare,empty,case,lookup,idem}'::text[] LOOP
            CALL bench.machine_table(of, way, CASE of WHEN 'text' THEN 'text' ELSE 'bench.status' END, 1000000);
        END LOOP;
        EXECUTE format('CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON bench.machine_%s_empty'
                       ' FOR EACH ROW EXECUTE FUNCTION bench.empty()', of);
        EXECUTE format('CREATE TRIGGER t BEFORE UPDATE ON bench.machine_%s_case'
                       ' FOR EACH ROW EXECUTE FUNCTION bench.by_case()', of);
        EXECUTE format('CREATE TRIGGER t BEFORE UPDATE ON bench.machine_%s_lookup'
                       ' FOR EACH ROW EXECUTE FUNCTION bench.look_up%s()', of,
                       CASE of WHEN 'enum' THEN '_enum' END);
        PERFORM idem.guard_states(format('bench.machine_%s_idem', of), 'status', 'bench', history => false);
    END LOOP;
END;
$$;

INSERT INTO bench.variant
SELECT 'machine', format('transition of 1M rows, %s', of), variant, format(
    'UPDATE bench.machine_%s_%s SET status = CASE status WHEN ''created'' THEN ''paying''::%s ELSE ''created'' END',
    of, way, type)
FROM (VALUES ('text', 'text'), ('enum', 'bench.status')) AS o (of, type),
     (VALUES ('idem', 'idem'), ('no trigger', 'bare'), ('empty C trigger', 'empty'),
             ('PL/pgSQL CASE', 'case'), ('PL/pgSQL look-up', 'lookup')) AS v (variant, way);
INSERT INTO bench.bar (what, alternative, bar, base)
SELECT format('transition of 1M rows, %s', of), alternative, bar, 'no trigger'
FROM unnest('{text,enum}'::text[]) of,
     (VALUES ('empty C trigger', 1.25), ('PL/pgSQL look-up', 0.2), ('PL/pgSQL CASE', 0.45)) AS b (alternative, bar);

-- An UPDATE that leaves the state alone
INSERT INTO bench.variant
SELECT 'machine', 'another column of 1M rows', variant, format('UPDATE bench.machine_text_%s SET note = note + 1', way)
FROM (VALUES ('idem', 'idem'), ('no trigger', 'bare'), ('empty C trigger', 'empty'),
             ('PL/pgSQL CASE', 'case'), ('PL/pgSQL look-up', 'lookup')) AS v (variant, way);
INSERT INTO bench.bar (what, alternative, bar, base) VALUES
    ('another column of 1M rows', 'empty C trigger', 1.25, 'no trigger');

-- With history, beside a trigger that writes a log of its own
CREATE TABLE bench.log (row_id integer, source text, target text, at timestamptz, transaction xid8, role name);
CREATE INDEX ON bench.log (row_id);
CREATE FUNCTION bench.write_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.log VALUES (NEW.id, OLD.status, NEW.status, clock_timestamp(),
                                  pg_current_xact_id(), session_user);
    RETURN NULL;
END;
$$;
CALL bench.machine_table('history', 'idem', 'text', 100000);
CALL bench.machine_table('history', 'log', 'text', 100000);
SELECT idem.guard_states('bench.machine_history_idem', 'status', 'bench');
CREATE TRIGGER t BEFORE UPDATE ON bench.machine_history_log FOR EACH ROW EXECUTE FUNCTION bench.look_up();
CREATE TRIGGER w AFTER UPDATE ON bench.machine_history_log FOR EACH ROW EXECUTE FUNCTION bench.write_log();
INSERT INTO bench.variant
SELECT 'machine', 'transition of 100,000 rows with history', variant, format(
    'UPDATE bench.machine_history_%s SET status = CASE status WHEN ''created'' THEN ''paying'' ELSE ''created'' END', way)
FROM (VALUES ('idem', 'idem'), ('PL/pgSQL look-up and log', 'log')) AS v (variant, way);
INSERT INTO bench.bar (what, alternative, bar) VALUES
    ('transition of 100,000 rows with history', 'PL/pgSQL look-up and log', 1);

-- A consumer's call, row after row, beside the function one would write
CALL bench.machine_table('consumer', 'idem', 'text', 20000);
CALL bench.machine_table('consumer', 'plpgsql', 'text', 20000);
SELECT idem.guard_states('bench.machine_consumer_idem', 'status', 'bench', history => false);
CREATE FUNCTION bench.transition(key integer, target text, OUT outcome text, OUT state text) LANGUAGE plpgsql AS $$
BEGIN
    SELECT t.status INTO state FROM bench.machine_consumer_plpgsql t WHERE t.id = key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'missing';
    ELSIF state = target THEN
        outcome := 'already';
    ELSIF EXISTS (SELECT FROM bench.edge e WHERE e.source = state AND e.target = transition.target) THEN
        UPDATE bench.machine_consumer_plpgsql t SET status = target WHERE t.id = key;
        outcome := 'applied';
        state := target;
    ELSE
        outcome := 'refused';
    END IF;
END;
$$;
INSERT INTO bench.variant (what, variant, statement) VALUES
('20,000 calls of transition', 'idem', $q$SELECT count(*) FROM bench.machine_consumer_idem c,
    LATERAL idem.transition('bench.machine_consumer_idem', c.id::text,
        CASE c.status WHEN 'created' THEN 'paying' ELSE 'created' END) t$q$),
('20,000 calls of transition', 'PL/pgSQL function', $q$SELECT count(*) FROM bench.machine_consumer_plpgsql c,
    LATERAL bench.transition(c.id, CASE c.status WHEN 'created' THEN 'paying' ELSE 'created' END) t$q$);

-- Machines with few and with many edges judge alike.
SELECT count(*) FROM idem.define_machine('bench_large', (
    SELECT E'stateDiagram-v2\n[*] --> created\n[*] --> paying\ncreated --> paying : submit\npaying --> created : back\n'
        || E'paying --> s0 : on\ns199 --> [*]\n'
        || string_agg(format('s%s --> s%s : e%s', s, (s + e) % 200, e), E'\n')
    FROM generate_series(0, 198) s, generate_series(1, 10) e));
CALL bench.machine_table('large', 'idem', 'text', 1000000);
CALL bench.machine_table('small', 'idem', 'text', 1000000);
CALL bench.machine_table('small', 'bare', 'text', 1000000);
SELECT idem.guard_states('bench.machine_large_idem', 'status', 'bench_large', history => false);
SELECT idem.guard_states('bench.machine_small_idem', 'status', 'bench', history => false);
INSERT INTO bench.variant
SELECT 'machine', 'transition by 2,000 edges', variant, format(
    'UPDATE bench.machine_%s SET status = CASE status WHEN ''created'' THEN ''paying'' ELSE ''created'' END', tab)
FROM (VALUES ('idem', 'large_idem'), ('by 6 edges', 'small_idem'), ('no trigger', 'small_bare')) AS v (variant, tab);
INSERT INTO bench.bar (what, alternative, bar, base) VALUES
    ('transition by 2,000 edges', 'by 6 edges', 1.1, 'no trigger');
