-- machine: an UPDATE that takes 50,000 rows over one edge.
--
-- Beside the guard: no trigger at all, and the PL/pgSQL trigger that looks
-- the edge up in a table; with history, one that also writes a log.

SELECT count(*) FROM idem.define_machine('bench', $$
stateDiagram-v2
    [*] --> created
    created --> paying : submit
    paying --> created : back
    paying --> succeeded : confirm
    succeeded --> [*]
$$);

CREATE TABLE bench.bare (id integer PRIMARY KEY, status text NOT NULL);
CREATE TABLE bench.guarded (LIKE bench.bare INCLUDING ALL);
CREATE TABLE bench.looked_up (LIKE bench.bare INCLUDING ALL);
INSERT INTO bench.bare SELECT i, 'created' FROM generate_series(1, 50000) i;
INSERT INTO bench.guarded TABLE bench.bare;
INSERT INTO bench.looked_up TABLE bench.bare;

CREATE TABLE bench.remembered (LIKE bench.bare INCLUDING ALL);
CREATE TABLE bench.logged (LIKE bench.bare INCLUDING ALL);
INSERT INTO bench.remembered TABLE bench.bare;
INSERT INTO bench.logged TABLE bench.bare;

SELECT idem.guard_states('bench.guarded', 'status', 'bench', history => false);
SELECT idem.guard_states('bench.remembered', 'status', 'bench');

CREATE TABLE bench.edge (source text, target text, PRIMARY KEY (source, target));
INSERT INTO bench.edge VALUES ('created', 'paying'), ('paying', 'created'), ('paying', 'succeeded');
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
CREATE TRIGGER look_up BEFORE UPDATE ON bench.looked_up
    FOR EACH ROW EXECUTE FUNCTION bench.look_up();

CREATE TRIGGER look_up BEFORE UPDATE ON bench.logged
    FOR EACH ROW EXECUTE FUNCTION bench.look_up();
CREATE TABLE bench.log (row_id integer, source text, target text, at timestamptz,
                        transaction xid8, role name);
CREATE INDEX ON bench.log (row_id);
CREATE FUNCTION bench.write_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bench.log VALUES (NEW.id, OLD.status, NEW.status, clock_timestamp(),
                                  pg_current_xact_id(), session_user);
    RETURN NULL;
END;
$$;
CREATE TRIGGER write_log AFTER UPDATE ON bench.logged
    FOR EACH ROW EXECUTE FUNCTION bench.write_log();

INSERT INTO bench.variant (what, variant, statement)
SELECT part, variant, format(
    'UPDATE bench.%I SET status = CASE status WHEN ''created'' THEN ''paying'' ELSE ''created'' END', tab)
FROM (VALUES ('transition of a row', 'idem', 'guarded'),
             ('transition of a row', 'no trigger', 'bare'),
             ('transition of a row', 'PL/pgSQL look-up', 'looked_up'),
             ('transition with history', 'idem', 'remembered'),
             ('transition with history', 'PL/pgSQL look-up and log', 'logged')) AS v (part, variant, tab);
