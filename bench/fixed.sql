-- fixed: an UPDATE of 50,000 rows that leaves the fixed columns alone.
--
-- Beside the guard: no trigger at all, and the PL/pgSQL trigger that compares
-- the columns.

CREATE TABLE bench.fixed_bare (id integer PRIMARY KEY, amount bigint NOT NULL,
                               currency text NOT NULL, note integer NOT NULL);
CREATE TABLE bench.fixed_idem (LIKE bench.fixed_bare INCLUDING ALL);
CREATE TABLE bench.fixed_plpgsql (LIKE bench.fixed_bare INCLUDING ALL);
INSERT INTO bench.fixed_bare SELECT i, i, 'EUR', 0 FROM generate_series(1, 50000) i;
INSERT INTO bench.fixed_idem TABLE bench.fixed_bare;
INSERT INTO bench.fixed_plpgsql TABLE bench.fixed_bare;

SELECT idem.guard_fixed('bench.fixed_idem', '{amount,currency}');

CREATE FUNCTION bench.fixed_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.amount IS DISTINCT FROM OLD.amount OR NEW.currency IS DISTINCT FROM OLD.currency THEN
        RAISE EXCEPTION 'amount and currency are fixed';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER fixed_columns AFTER UPDATE ON bench.fixed_plpgsql
    FOR EACH ROW EXECUTE FUNCTION bench.fixed_columns();

INSERT INTO bench.variant (what, variant, statement)
SELECT 'update beside fixed columns', variant,
       format('UPDATE bench.%I SET note = note + 1', tab)
FROM (VALUES ('idem', 'fixed_idem'), ('no trigger', 'fixed_bare'),
             ('PL/pgSQL trigger', 'fixed_plpgsql')) AS v (variant, tab);
